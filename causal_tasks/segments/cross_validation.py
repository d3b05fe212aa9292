"""Which penalty predicts best the responses of people whom nothing was learned from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.fitted_paths import FittedPaths, Groups, Search, shared_and_apart
from causal_tasks.segments.path import PenaltyForm, penalties
from causal_tasks.segments.row_blocks import Part
from causal_tasks.segments.shown_people import require_variation

Vector = NDArray[np.float64]

Rule = Literal["one_standard_error", "best"]
RULES = get_args(Rule)

EXPLORING_TOLERANCE = 1e-6
"""Relative duality gap that is enough to compare penalties."""

GIVEN_UP = 0.1
"""Share of what the best penalty gains that is given up, at most, for a simpler model."""

PATIENCE = 10
"""Penalties in a row without a better prediction after which nobody goes further down the path."""

TENTHS = np.linspace(0, 1, 11)


@dataclass(frozen=True, slots=True)
class PathGrid:
    """Penalties to compare.

    Attributes:
        forms: Of the penalty.
        n_lams: Values of lambda for each form.
        lam_ratio: The smallest of them as a share of the largest.

    Raises:
        InputError: ``lam_ratio`` is no share.
    """

    forms: tuple[PenaltyForm, ...]
    n_lams: int
    lam_ratio: float

    def __post_init__(self) -> None:
        if not 0 < self.lam_ratio < 1:
            raise InputError(f"lam_ratio is {self.lam_ratio}", remedy="use a number between 0 and 1")

    def lams(self, largest: float) -> Vector:
        """Values of lambda from ``largest`` down; one where it penalises nothing."""
        return penalties(largest, self.lam_ratio, self.n_lams) if largest else np.zeros(1)


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """How well each penalty predicts.

    Attributes:
        results: One row for each penalty: ``alpha``; ``lam``, for everybody; ``lam_share`` of the largest;
            ``log_likelihood`` of people left out, per person, less that of a model that foresees every response;
            ``standard_error`` over folds; ``difference`` from the best row and ``difference_se``, paired by fold;
            ``shared`` and ``apart``, mean numbers over folds.
        best: Position of the row that predicts best.
        chosen: Position of the row that the rule takes.
        form: Of the chosen penalty.
    """

    results: pd.DataFrame
    best: int
    chosen: int
    form: PenaltyForm

    @property
    def lam(self) -> float:
        """The chosen lambda, for everybody."""
        return float(self.results["lam"].iloc[self.chosen])


def cross_validate(
    exposures: Exposures, groups: Groups, grid: PathGrid, search: Search, *, rule: str = "one_standard_error"
) -> CrossValidation:
    """Compare penalties by the log-likelihood of the fold that was left out.

    Losses are sums: what lambda is for everybody is, for the people outside of a fold, as much less as they are fewer.

    Args:
        exposures: With folds.
        groups: Creatives of each problem that is solved by itself.
        grid: What to compare.
        search: How solutions are computed.
        rule: ``best``; or ``one_standard_error``: of the form of the best one, the largest lambda whose log-likelihood
            falls behind by no more than the best one's standard error, or a tenth of what the best one gains over the
            largest lambda, whichever is less; that largest one where the gain is within its own standard error.

    Raises:
        InputError: There are no folds, or a creative's response does not vary outside of one.
    """
    if rule not in RULES:
        raise InputError(f"rule {rule!r} is unknown", remedy=f"use one of {', '.join(RULES)}")
    folds = _folds(exposures, np.concatenate(groups))
    search = replace(search, tol=max(search.tol, EXPLORING_TOLERANCE))
    compared = [(form, *_by_fold(exposures, groups, form, grid, search, folds)) for form in grid.forms]
    people = compared[0][2].people
    gains = np.concatenate([held.log_likelihood for _, _, held in compared])
    mean = gains @ people / people.sum()
    best = int(mean.argmax())
    difference = gains - gains[best]
    results = pd.DataFrame(
        {
            "alpha": np.concatenate([np.full(len(held), form.alpha) for form, _, held in compared]),
            "lam": np.concatenate([lams for _, lams, _ in compared]),
            "lam_share": np.concatenate([lams / max(lams[0], np.finfo(float).tiny) for _, lams, _ in compared]),
            "log_likelihood": mean,
            "standard_error": _standard_error(gains, people),
            "difference": mean - mean[best],
            "difference_se": _standard_error(difference, people),
            "shared": np.concatenate([held.shared.mean(axis=1) for _, _, held in compared]),
            "apart": np.concatenate([held.apart.mean(axis=1) for _, _, held in compared]),
        }
    )
    form_of = np.concatenate([np.full(len(held), at) for at, (_, _, held) in enumerate(compared)])
    of_form = np.flatnonzero(form_of == form_of[best])
    chosen = best if rule == "best" else int(of_form[_first_as_good(results.iloc[of_form])])
    return CrossValidation(results, best, chosen, grid.forms[form_of[chosen]])


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Of penalties that every fold has reached, by fold.

    Attributes:
        log_likelihood: Per person, shape (penalties, folds).
        shared: Number of coefficients, likewise.
        apart: Number of creatives, likewise.
        people: Left out, shape (folds,).
    """

    log_likelihood: Vector
    shared: Vector
    apart: Vector
    people: Vector

    def __len__(self) -> int:
        return len(self.log_likelihood)


def _by_fold(
    exposures: Exposures, groups: Groups, form: PenaltyForm, grid: PathGrid, search: Search, folds: Sequence[int]
) -> tuple[Vector, _HeldOut]:
    everybody = FittedPaths.of(exposures, groups, form, search)
    lams = grid.lams(everybody.largest_lam)
    left_out = [_LeftOut(exposures, groups, form, search, fold) for fold in folds]
    people = np.array([fold.people for fold in left_out], dtype=np.float64)
    lams_of = [lams * (1 - share) for share in people / everybody.people]
    found = [_until_no_better(fold.walk(its)) for fold, its in zip(left_out, lams_of, strict=True)]
    # A fold may have given up where the mean of all, which decides, still gets better.
    while (wanted := _wanted(found, people, len(lams))) > min(map(len, found)):
        for rows, fold, its in zip(found, left_out, lams_of, strict=True):
            rows.extend(fold.walk(its[len(rows) : wanted]) if len(rows) < wanted else [])
    reached = min(map(len, found))
    by_fold = np.array([rows[:reached] for rows in found], dtype=np.float64)
    likelihood, shared, apart = np.moveaxis(by_fold, 2, 0)
    return lams[:reached], _HeldOut(likelihood.T, shared.T, apart.T, people)


_Row = tuple[float, int, int]
"""Log-likelihood per person of a fold, and what is shared and apart without it."""


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """A fold.

    Attributes:
        exposures: See ``cross_validate``.
        groups: Likewise.
        form: Of the penalty.
        search: See ``cross_validate``.
        fold: Its number.
    """

    exposures: Exposures
    groups: Groups
    form: PenaltyForm
    search: Search
    fold: int

    @property
    def people(self) -> int:
        """How many were shown a creative of the groups."""
        return sum(len(response) for group in self.groups for _, response in self._parts(group))

    def walk(self, lams: Vector) -> Iterator[_Row]:
        """Down the path that is fitted without the fold."""
        # Nobody in the fold may have been shown a creative of some group.
        held = [
            self.search.rows(self.exposures, group, self.fold, inside=True) if self._parts(group) else None
            for group in self.groups
        ]
        paths = FittedPaths.of(self.exposures, self.groups, self.form, self.search, without_fold=self.fold)
        for solutions in paths.solve(lams):
            points = [solution.point for solution in solutions]
            losses = (rows.loss(at.intercept, at.beta) for rows, at in zip(held, points, strict=True) if rows)
            yield -sum(losses) / self.people, *shared_and_apart(solutions)

    def _parts(self, group: NDArray[np.intp]) -> list[Part]:
        return [part for at in group for part in self.exposures.people[at].parts(self.fold, inside=True)]


def _until_no_better(walk: Iterator[_Row]) -> list[_Row]:
    found: list[_Row] = []
    for row in walk:
        found.append(row)
        best = max(range(len(found)), key=lambda at: found[at][0])
        if len(found) - 1 - best >= PATIENCE:
            break
    return found


def _wanted(found: Sequence[Sequence[_Row]], people: Vector, most: int) -> int:
    """Penalties that all folds have to reach, as far as is known."""
    reached = min(map(len, found))
    likelihood = np.array([[row[0] for row in rows[:reached]] for rows in found])
    return min(int((people @ likelihood).argmax()) + PATIENCE + 1, most)


def _first_as_good(along: pd.DataFrame) -> int:
    """Position of the largest lambda that predicts nearly as well as the best of one form.

    At the penalty that predicts best, deltas of creatives that do act alike are not zero. One standard error of the
    log-likelihood itself, most of which all penalties share, clears them away; where covariates tell little it would
    clear away everything, for which the limit of a tenth is.

    Source: Hastie, Tibshirani, Friedman (2009), "The elements of statistical learning", section 7.10, for the rule.
    """
    gain = -along["difference"].iloc[0]
    if gain <= along["difference_se"].iloc[0]:
        return 0
    best = int(along["difference"].to_numpy().argmax())
    allowed = min(along["standard_error"].iloc[best], GIVEN_UP * gain)
    return int(np.flatnonzero(along["difference"] >= -allowed)[0])


def _folds(exposures: Exposures, creatives: NDArray[np.intp]) -> list[int]:
    """Numbers of the folds of those who were shown these creatives, each of which can be left out."""
    of_people = [exposures.people[at].fold for at in creatives]
    if any(fold is None for fold in of_people):
        raise InputError("the exposures have no folds", remedy="pass fold where they are made")
    folds: list[int] = np.unique(np.concatenate(of_people)).tolist()
    if len(folds) < 2:
        raise InputError(f"all people are in fold {folds[0]}", remedy="deal them to two folds or more")
    for at in creatives:
        for fold in folds:
            outside = [response for _, response in exposures.people[at].parts(fold, inside=False)]
            name = f"{exposures.creatives.names[at]} outside of fold {fold}"
            require_variation(name, np.concatenate([np.empty(0), *outside]))
    return folds


def dealt_folds(creative: NDArray[np.object_], response: Vector, folds: int, seed: int) -> NDArray[np.int8]:
    """Folds in which every creative and every response to it are as frequent as among everybody, shape (n,).

    Of many different responses it is their tenths that are: dealt in full order they would leave nothing to chance.

    Raises:
        InputError: ``folds`` is below 2 or above 100.
    """
    if not 2 <= folds <= 100:
        raise InputError(f"folds is {folds}", remedy="use 2 to 100")
    chance = np.random.default_rng(seed).random(len(response))
    tenth = np.searchsorted(np.unique(np.quantile(response, TENTHS)), response)
    order = np.lexsort((chance, tenth, creative.astype(str)))
    dealt = np.empty(len(response), dtype=np.int8)
    dealt[order] = np.arange(len(response)) % folds
    return dealt


def _standard_error(by_fold: Vector, people: Vector) -> Vector:
    """Of means weighted by the people of each fold, shape (penalties,)."""
    share, folds = people / people.sum(), len(people)
    deviation = share * (by_fold - (by_fold @ share)[:, None])
    return np.asarray(np.sqrt((deviation**2).sum(axis=1) * folds / (folds - 1)))
