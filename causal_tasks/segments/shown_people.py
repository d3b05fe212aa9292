"""Who was shown which creative, made for which segment, and how they responded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causal_tasks.errors import InputError
from causal_tasks.segments.likelihood import Family, Likelihood, likelihood_of

Vector = NDArray[np.float64]
Codes = NDArray[np.intp]

FEWEST_PEOPLE = 2
"""Who were shown a creative, below which its response cannot vary."""


@dataclass(frozen=True, slots=True)
class Creatives:
    """Which creative was made for which segment.

    Attributes:
        names: Of the K creatives, those of a segment beside each other.
        segments: Names of the m segments.
        segment_of: Position of each creative's segment, shape (K,).
    """

    names: tuple[str, ...]
    segments: tuple[str, ...]
    segment_of: Codes

    @classmethod
    def of(cls, shown: NDArray[np.object_], segment: Mapping[Any, Any] | ArrayLike) -> Self:
        """The creatives of an experiment.

        Args:
            shown: Creative that each person was shown, as text, shape (n,).
            segment: Segment by creative; or of the creative that each person was shown, shape (n,).

        Raises:
            InputError: A creative is in two segments or in none, or nobody was shown it.
        """
        stated = segment.items() if isinstance(segment, Mapping) else _stated_by_rows(shown, segment)
        by_creative: dict[str, str] = {}
        for creative, name in stated:
            if by_creative.setdefault(str(creative), str(name)) != str(name):
                raise _in_two(str(creative), [by_creative[str(creative)], str(name)])
        seen = set(shown)
        if stray := sorted(seen - set(by_creative)):
            raise InputError(
                f"creative {stray[0]!r} was shown to {int((shown == stray[0]).sum())} people and is in no segment",
                remedy="say which segment it was made for, or leave these people out",
            )
        if unseen := sorted(set(by_creative) - seen):
            raise InputError(
                f"creative {unseen[0]!r} of segment {by_creative[unseen[0]]!r} was shown to nobody",
                remedy="leave it out, or correct its name",
            )
        segments = tuple(dict.fromkeys(by_creative.values()))
        names = tuple(name for segment in segments for name, its in by_creative.items() if its == segment)
        return cls(names, segments, np.array([segments.index(by_creative[name]) for name in names], dtype=np.intp))

    def of_segment(self, position: int) -> Codes:
        """Positions of the creatives of a segment."""
        return np.flatnonzero(self.segment_of == position)


@dataclass(frozen=True, slots=True)
class ShownPeople:
    """People of an experiment, n of them, in its order.

    Attributes:
        creatives: That they were shown.
        response: Shape (n,).
        fold: Shape (n,); None where there are no folds.
        family: Of the likelihood.
        group: Shape (n,): position of the creative x ``folds`` + position of the fold.
        folds: How many there are.
    """

    creatives: Creatives
    response: Vector
    fold: NDArray[np.int8] | None
    family: Family
    group: Codes
    folds: int

    @classmethod
    def checked(
        cls,
        response: ArrayLike,
        *,
        creative: ArrayLike,
        segment: Mapping[Any, Any] | ArrayLike,
        family: str,
        fold: ArrayLike | None,
    ) -> Self:
        """The people of ``Exposures.checked``; arguments and errors as there."""
        likelihood = likelihood_of(family)
        responses, shown = checked_response(response, likelihood), labels(creative, "creative")
        own = None if fold is None else _checked_fold(fold)
        require_rows(len(responses), "the response", creative=shown, fold=own)
        creatives = Creatives.of(shown, segment)
        position = pd.Index(creatives.names).get_indexer(pd.Index(shown))
        for at, name in enumerate(creatives.names):
            require_variation(name, responses[position == at])
        if own is None:
            return cls(creatives, responses, None, likelihood.name, position, 1)
        numbers, of_person = np.unique(own, return_inverse=True)
        group = position * len(numbers) + of_person
        return cls(creatives, responses, own, likelihood.name, group, len(numbers))

    def __len__(self) -> int:
        return len(self.response)

    @property
    def creative(self) -> Codes:
        """Position of the creative that each was shown, shape (n,)."""
        return self.group // self.folds

    @property
    def sizes(self) -> Codes:
        """People by creative and fold, shape (K, folds)."""
        groups = len(self.creatives.names) * self.folds
        return np.bincount(self.group, minlength=groups).reshape(-1, self.folds)

    def by_creative(self) -> list[Codes]:
        """Of each creative the positions of its people, those of a fold beside each other."""
        order = np.argsort(self.group, kind="stable")
        return np.split(order, np.cumsum(self.sizes.sum(axis=1))[:-1])


def labels(values: ArrayLike, name: str) -> NDArray[np.object_]:
    """Labels as text, shape (n,).

    Raises:
        InputError: One is missing.
    """
    series = pd.Series(np.asarray(values, dtype=object))
    missing = series.isna().to_numpy()
    if missing.any():
        raise InputError(
            f"{name} is missing in {int(missing.sum())} rows, such as row {int(missing.argmax())}",
            remedy="leave out people who were shown nothing",
        )
    return series.astype(str).to_numpy(dtype=object)


def checked_response(values: ArrayLike, likelihood: Likelihood) -> Vector:
    """Responses as numbers, shape (n,).

    Raises:
        InputError: One is not finite, or out of the range of the likelihood.
    """
    response = np.asarray(values, dtype=np.float64)
    wrong = ~np.isfinite(response)
    if response.ndim != 1 or wrong.any():
        found = f"shape {response.shape}" if response.ndim != 1 else f"{int(wrong.sum())} values that are not finite"
        raise InputError(f"response has {found}", remedy="pass one finite number per person")
    likelihood.check(response)
    return response


def require_variation(creative: str, response: Vector) -> None:
    """Check the responses to one creative.

    Raises:
        InputError: All are equal, or there are fewer than two.
    """
    if not len(response):
        raise InputError(f"nobody was shown creative {creative!r}", remedy="leave it out, or show it to more people")
    if len(response) < FEWEST_PEOPLE or (response == response[0]).all():
        raise InputError(
            f"the response to creative {creative!r} is {response[0]:g} for all of {len(response)} people",
            remedy="leave the creative out, or show it to more people",
        )


def require_rows(rows: int, of: str, **found: Any) -> None:
    """Check that everything named has as many ``rows`` as ``of`` has, where it is not None.

    Raises:
        InputError: It has not.
    """
    for name, values in found.items():
        if values is not None and len(values) != rows:
            raise InputError(f"{name} has {len(values)} rows, {of} {rows}", remedy="pass one value per person")


def _checked_fold(values: ArrayLike) -> NDArray[np.int8]:
    given = np.asarray(values)
    with np.errstate(invalid="ignore"):
        numbers = given.astype(np.int8) if given.dtype.kind in "biuf" else None
    if numbers is None or not (numbers == given).all():
        raise InputError("fold has values that are no small whole numbers", remedy="number the folds from 0 on")
    return numbers


def _stated_by_rows(shown: NDArray[np.object_], segment: Any) -> list[tuple[str, str]]:
    of_row = labels(segment, "segment")
    require_rows(len(shown), "creative", segment=of_row)
    pairs = pd.DataFrame({"creative": shown, "segment": of_row}).drop_duplicates()
    twice = pairs[pairs["creative"].duplicated(keep=False)]
    if len(twice):
        name = twice["creative"].iloc[0]
        raise _in_two(name, sorted(twice["segment"][twice["creative"] == name]))
    return sorted(pairs.itertuples(index=False, name=None), key=lambda pair: (pair[1], pair[0]))


def _in_two(creative: str, segments: list[str]) -> InputError:
    return InputError(
        f"creative {creative!r} is in segments {segments}",
        remedy="give each creative the one segment that it was made for",
    )
