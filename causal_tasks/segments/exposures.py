"""People by the creative that each was shown, checked, standardised and ready to be learned from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy import sparse

from causal_tasks.segments.covariate_rows import BLOCK_ROWS, CovariateRows
from causal_tasks.segments.covariates import CovariateTerms
from causal_tasks.segments.host_rows import HostRows
from causal_tasks.segments.likelihood import Family, likelihood_of
from causal_tasks.segments.row_blocks import Part, rows_of
from causal_tasks.segments.rows import SegmentRows
from causal_tasks.segments.scaling import Moments, Scaling
from causal_tasks.segments.shown_people import Creatives, ShownPeople, require_rows

Vector = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ShownTo:
    """The people who were shown one creative.

    Attributes:
        matrix: Covariates, standardised but for what ``Exposures.shift`` says, shape (n, p); dense, memory-mapped or
            CSR; rows of a fold beside each other.
        response: Shape (n,).
        fold: Shape (n,), in order; None where there are no folds.
    """

    matrix: Any
    response: Vector
    fold: NDArray[np.int8] | None

    def parts(self, fold: int | None, *, inside: bool) -> list[Part]:
        """All rows; or those of a fold; or those of all others."""
        borders = [0, len(self.response)]
        if fold is not None and self.fold is not None:
            first, last = np.searchsorted(self.fold, [fold, fold + 1]).tolist()
            borders = [first, last] if inside else [0, first, last, len(self.response)]
        spans = zip(borders[::2], borders[1::2], strict=True)
        return [(rows_of(self.matrix, start, stop), self.response[start:stop]) for start, stop in spans if stop > start]


@dataclass(frozen=True, slots=True)
class Exposures:
    """People grouped by creative.

    Attributes:
        creatives: Of the experiment, and their segments.
        people: Of each creative, in order.
        terms: What the columns of the matrices are.
        centre: Taken from every column, shape (p,).
        scale: By which every column is divided then, shape (p,).
        shift: Centres that are still to be taken from the rows of the matrices, which are sparse; None: nothing.
        family: Of the likelihood.
    """

    creatives: Creatives
    people: tuple[ShownTo, ...]
    terms: CovariateTerms
    centre: Vector
    scale: Vector
    shift: Vector | None
    family: Family

    @classmethod
    def checked(
        cls,
        X: Any,
        response: ArrayLike,
        *,
        creative: ArrayLike,
        segment: Mapping[Any, Any] | ArrayLike,
        family: str = "binomial",
        standardize: bool = True,
        dtype: DTypeLike = np.float32,
        terms: CovariateTerms | None = None,
        fold: ArrayLike | None = None,
    ) -> Self:
        """What an estimator is fitted on, from memory.

        Args:
            X: Covariates, see ``CovariateTerms.fit``, n rows.
            response: Shape (n,).
            creative: Label of the creative that each person was shown, shape (n,).
            segment: See ``Creatives.of``.
            family: ``binomial`` (0 or 1), ``poisson`` (counts) or ``gaussian`` (numbers).
            standardize: Whether columns get mean 0 and variance 1 over all of these people.
            dtype: In which covariates are stored.
            terms: Columns of the model; None: learned from ``X``.
            fold: Number of the fold that each person is in, shape (n,).

        Raises:
            InputError: Lengths differ, a value is missing or out of range, a creative's response does not vary, or see
                ``Creatives.of`` and ``CovariateTerms``.
        """
        terms = CovariateTerms.fit(X) if terms is None else terms
        held = terms.read(X)
        people = ShownPeople.checked(response, creative=creative, segment=segment, family=family, fold=fold)
        require_rows(len(held), "X", response=people.response)
        scaling = Scaling.none(len(terms.terms))
        if standardize:
            scaling = Scaling.standard(Moments.of(cells for _, cells in _blocks(terms, held)))
        blocks = ((rows, scaling.applied(cells).astype(dtype)) for rows, cells in _blocks(terms, held))
        matrices = _stacked(blocks, people) if terms.sparse else _filled(blocks, people, len(terms.terms), dtype)
        return cls.of(people, matrices, terms, scaling)

    @classmethod
    def of(cls, people: ShownPeople, matrices: Sequence[Any], terms: CovariateTerms, scaling: Scaling) -> Self:
        """Those of people whose standardised terms are held already.

        Args:
            people: Of the experiment.
            matrices: Of each creative, in the order of ``ShownPeople.by_creative``.
            terms: Their columns.
            scaling: That was applied.
        """
        shown = tuple(
            ShownTo(matrix, people.response[rows], None if people.fold is None else people.fold[rows])
            for matrix, rows in zip(matrices, people.by_creative(), strict=True)
        )
        # Of a matrix that is not centred nothing need be taken if its centre is zero.
        shift = scaling.shift if terms.sparse and scaling.centre.any() else None
        return cls(people.creatives, shown, terms, scaling.centre, scaling.scale, shift, people.family)

    @property
    def counts(self) -> Codes:
        """People who were shown each creative, shape (K,)."""
        return np.array([len(people.response) for people in self.people], dtype=np.intp)

    def rows(
        self,
        chosen: Sequence[int] | Codes,
        *,
        fold: int | None = None,
        inside: bool = False,
        device: str = "cpu",
        threads: int = 1,
    ) -> SegmentRows:
        """What a solver reads of some creatives.

        Args:
            chosen: Positions of the creatives.
            fold: None: everybody; else people outside of this fold, or ``inside``.
            inside: See ``fold``.
            device: That holds the rows and works on them.
            threads: Of the processor.
        """
        parts = [self.people[at].parts(fold, inside=inside) for at in chosen]
        likelihood = likelihood_of(self.family)
        if device == "cpu":
            return HostRows(parts, likelihood, self.shift, threads=threads)
        from causal_tasks.segments.torch_rows import TorchRows

        return TorchRows(parts, likelihood, self.shift, device=device)


def _blocks(terms: CovariateTerms, held: CovariateRows) -> Iterator[tuple[slice, Any]]:
    """Terms of a few people at a time in double precision; neighbours, as columns of a table are slow to pick from."""
    for begin in range(0, len(held), BLOCK_ROWS):
        rows = slice(begin, begin + BLOCK_ROWS)
        yield rows, terms.matrix(held, np.float64, rows=rows)


def _filled(
    blocks: Iterator[tuple[slice, Any]], people: ShownPeople, width: int, dtype: DTypeLike
) -> list[NDArray[Any]]:
    """Arrays of the people shown each creative, see ``ShownPeople.by_creative``."""
    matrices = [np.empty((rows, width), dtype=dtype) for rows in people.sizes.sum(axis=1)]
    creative_of, place = people.creative, np.empty(len(people), dtype=np.intp)
    for rows in people.by_creative():
        place[rows] = np.arange(len(rows))
    for some, cells in blocks:
        creative = creative_of[some]
        for at in np.unique(creative):
            own = creative == at
            matrices[at][place[some][own]] = cells[own]
    return matrices


def _stacked(blocks: Iterator[tuple[slice, Any]], people: ShownPeople) -> list[sparse.csr_matrix]:
    """Sparse matrices of the people shown each creative, see ``ShownPeople.by_creative``."""
    creative_of = people.creative
    parts: list[list[sparse.csr_matrix]] = [[] for _ in people.creatives.names]
    for some, cells in blocks:
        creative = creative_of[some]
        for at in np.unique(creative):
            parts[at].append(cells[creative == at])
    # Those of a creative are in the order of people.
    return [
        sparse.vstack(its, format="csr")[np.argsort(rows).argsort()]
        for its, rows in zip(parts, people.by_creative(), strict=True)
    ]
