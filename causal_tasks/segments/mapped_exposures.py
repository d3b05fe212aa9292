"""Exposures whose covariates need not fit into memory: standardised once, written to files, and mapped from there."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from causal_tasks.errors import ConfigurationError, InputError
from causal_tasks.segments.covariate_counts import CovariateCounts
from causal_tasks.segments.covariate_rows import BLOCK_ROWS, CovariateRows
from causal_tasks.segments.covariates import CovariateTerms
from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.mapped_files import DenseFile, MappedMatrix, SparseFiles
from causal_tasks.segments.scaling import Moments, Scaling
from causal_tasks.segments.shown_people import ShownPeople

Codes = NDArray[np.intp]

Batches = Callable[[], Iterable[Any]]
"""Gives the covariates of everybody, some people at a time, whenever it is called in the same order."""


def mapped_exposures(
    covariates: Batches,
    response: ArrayLike,
    *,
    creative: ArrayLike,
    segment: Mapping[Any, Any] | ArrayLike,
    folder: Path,
    family: str = "binomial",
    standardize: bool = True,
    dtype: DTypeLike = np.float32,
    terms: CovariateTerms | None = None,
    fold: ArrayLike | None = None,
) -> Exposures:
    """What an estimator is fitted on, from covariates that come a batch at a time; the same as ``Exposures.checked``.

    In memory are one batch, the levels of its categories, and a few vectors of length n; in files, in ``dtype``, the
    terms of everybody, or what a sparse matrix stores of them. Batches are gone through three times: for levels and
    limits of numbers (not where ``terms`` are given), for means and deviations, and to write.

    Args:
        covariates: Gives batches that ``CovariateTerms.fit`` takes, some of them empty, of the n people in the order
            of ``response``.
        response: Shape (n,).
        creative: Label of the creative that each person was shown, shape (n,).
        segment: See ``Creatives.of``.
        folder: Where the files are written; they are needed as long as the exposures are.
        family: See ``Exposures.checked``.
        standardize: See there.
        dtype: See there.
        terms: See there.
        fold: See there.

    Raises:
        InputError: As for ``Exposures.checked``; the batches have more or fewer people than the response; or files of
            other exposures are in the folder.
        ConfigurationError: The folder cannot be written.
    """
    people = ShownPeople.checked(response, creative=creative, segment=segment, family=family, fold=fold)
    terms = _counted(people, covariates) if terms is None else terms
    scaling, stored = _measured(terms, people, covariates, standardize=standardize)
    with _writing(folder):
        files = _created(folder, people, stored, width=len(terms.terms), dtype=dtype, is_sparse=terms.sparse)
    for group, cells in _blocks(terms, people, covariates):
        with _writing(folder):
            _write(files, people, group, scaling.applied(cells))
    return Exposures.of(people, [file.mapped() for file in files], terms, scaling)


class _Block(NamedTuple):
    """A few people.

    Attributes:
        group: Of each, in order, shape (b,), see ``ShownPeople``.
        cells: Their terms in double precision, shape (b, p).
    """

    group: Codes
    cells: Any


def _batches(people: ShownPeople, covariates: Batches) -> Iterator[tuple[Codes, Any]]:
    """The group of each person of a batch, shape (b,), and their covariates."""
    begin = 0
    for batch in covariates():
        end = begin + int(batch.shape[0])
        if end > len(people):
            raise _unlike(f"more than {len(people)}", people)
        if end > begin:
            yield people.group[begin:end], batch
        begin = end
    if begin != len(people):
        raise _unlike(str(begin), people)


def _unlike(found: str, people: ShownPeople) -> InputError:
    return InputError(
        f"batches have covariates of {found} people, the response has {len(people)}",
        remedy="pass the same people in the same order, each time the batches are asked for",
    )


def _blocks(terms: CovariateTerms, people: ShownPeople, covariates: Batches) -> Iterator[_Block]:
    for of_batch, batch in _batches(people, covariates):
        held = terms.read(batch)
        for begin in range(0, len(held), BLOCK_ROWS):
            rows = slice(begin, begin + BLOCK_ROWS)
            group, cells = of_batch[rows], terms.matrix(held, np.float64, rows=rows)
            order = np.argsort(group, kind="stable")
            yield _Block(group[order], cells[order])


def _counted(people: ShownPeople, covariates: Batches) -> CovariateTerms:
    parts = (CovariateRows.of(batch) for _, batch in _batches(people, covariates))
    counts = CovariateCounts(next(parts))
    for rows in parts:
        counts.add(rows)
    return CovariateTerms.of_counts(counts)


def _measured(
    terms: CovariateTerms, people: ShownPeople, covariates: Batches, *, standardize: bool
) -> tuple[Scaling, Codes]:
    """How terms are scaled, and the cells that a sparse matrix stores of each creative and fold, shape (K, folds)."""
    stored = np.zeros(people.sizes.size, dtype=np.intp)
    if not standardize and not terms.sparse:
        return Scaling.none(len(terms.terms)), stored.reshape(people.sizes.shape)
    moments: list[Moments] = []
    for group, cells in _blocks(terms, people, covariates):
        # Kept as one: those of all blocks would grow with people.
        moments = [Moments.pooled([*moments, Moments.of(iter([cells]))])]
        if terms.sparse:
            stored += np.bincount(group, np.diff(cells.indptr), minlength=stored.size).astype(np.intp)
    scaling = Scaling.standard(moments[0]) if standardize else Scaling.none(len(terms.terms))
    return scaling, stored.reshape(people.sizes.shape)


def _created(
    folder: Path, people: ShownPeople, stored: Codes, *, width: int, dtype: DTypeLike, is_sparse: bool
) -> list[MappedMatrix]:
    """New files of each creative's people."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"rows-{position}" for position in range(len(people.sizes))]
    if not is_sparse:
        return [DenseFile(p, rows=rows, width=width, dtype=dtype) for p, rows in zip(paths, people.sizes, strict=True)]
    return [
        SparseFiles(path, rows=rows, stored=cells, width=width, dtype=dtype)
        for path, rows, cells in zip(paths, people.sizes, stored, strict=True)
    ]


def _write(files: Sequence[MappedMatrix], people: ShownPeople, group: Codes, cells: Any) -> None:
    """Rows of a few people, in the order of their groups."""
    first = np.flatnonzero(np.diff(group, prepend=-1))
    for begin, end in zip(first, [*first[1:], len(group)], strict=True):
        creative, fold = divmod(int(group[begin]), people.folds)
        files[creative].write(fold, cells[begin:end])


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise InputError(f"{error.filename} exists", remedy="choose an empty folder") from error
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written ({error.strerror})", remedy="choose another folder, or make room"
        ) from error
