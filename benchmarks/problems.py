"""Data on which learners are judged: simulated experiments and IHDP, whose effects are known, and two to be ranked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

FEATURES = 10
FOLDS = 5
TWIN_OUTCOMES = ("weight_lighter_g", "weight_heavier_g", "y0_death_lighter", "y1_death_heavier")


@dataclass(frozen=True)
class Problem:
    """Users that a learner is fitted on, and others whose effects it predicts.

    Attributes:
        features: Shape (n, p).
        arm: Shape (n,), 0 for control, 1 to K for treatments.
        outcome: Shape (n,).
        shares: Known share of every arm, shape (K + 1,); None: not known.
        new: Features of the users to predict, shape (m, p).
    """

    features: Matrix
    arm: NDArray[np.int64]
    outcome: Matrix
    shares: Matrix | None
    new: Matrix

    def write(self, path: Path) -> None:
        """As an archive of arrays; of unknown shares there are none."""
        shares = np.empty(0) if self.shares is None else self.shares
        np.savez(path, features=self.features, arm=self.arm, outcome=self.outcome, shares=shares, new=self.new)


@dataclass(frozen=True)
class KnownTruth:
    """A problem whose answer is known.

    Attributes:
        problem: What learners get.
        effect: True effects on the new users, shape (m, K).
    """

    problem: Problem
    effect: Matrix


@dataclass(frozen=True)
class Ranked:
    """A problem whose answers are scored by what happened to the new users.

    Attributes:
        problem: What learners get.
        user: Position among the new ones of every outcome that was seen, shape (s,).
        arm: In which it was seen, shape (s,).
        outcome: Shape (s,), more is better.
    """

    problem: Problem
    user: NDArray[np.intp]
    arm: NDArray[np.int64]
    outcome: Matrix


@dataclass(frozen=True)
class Design:
    """A simulated experiment.

    Attributes:
        effects: From features to shape (n, K).
        baseline: From features to the mean outcome without treatment, shape (n,).
        shares: Of all arms, control first; from features, shape (n, 2), where they decide who is treated.
    """

    effects: Callable[[Matrix], Matrix]
    baseline: Callable[[Matrix], Matrix]
    shares: tuple[float, ...] | Callable[[Matrix], Matrix]

    def draw(self, rows: int, seed: int) -> KnownTruth:
        """``rows`` users to learn from and as many others; noise in the outcome has variance 1."""
        random = np.random.default_rng(seed)
        x, new = _features(random, rows), _features(random, rows)
        shares = self.shares(x) if callable(self.shares) else np.tile(self.shares, (rows, 1))
        arm = (random.random((rows, 1)) > shares.cumsum(axis=1)[:, :-1]).sum(axis=1)
        every = np.column_stack([np.zeros(rows), self.effects(x)])
        outcome = self.baseline(x) + every[np.arange(rows), arm] + random.normal(size=rows)
        told = None if callable(self.shares) else np.array(self.shares)
        return KnownTruth(Problem(x, arm, outcome, told, new), self.effects(new))


def _features(random: np.random.Generator, rows: int) -> Matrix:
    """Standard normal columns, the last two cut to 0 and 1."""
    x = random.normal(size=(rows, FEATURES))
    x[:, -2:] = x[:, -2:] > 0
    return x


def _linear(x: Matrix) -> Matrix:
    return (0.3 + 0.3 * x[:, 2] - 0.2 * x[:, 3])[:, None]


def _interaction(x: Matrix) -> Matrix:
    return (0.8 * (x[:, 0] > 0) * (x[:, 1] > 0) + 0.4 * x[:, 2] * x[:, 9] - 0.2)[:, None]


def _curved(x: Matrix) -> Matrix:
    return np.asarray(np.sin(x[:, 3]) + 0.5 * x[:, 4] * x[:, 5] + 0.5 * x[:, 0])


def _shares(log_odds: Matrix) -> Matrix:
    treated = 1 / (1 + np.exp(-log_odds))
    return np.column_stack([1 - treated, treated])


DESIGNS: Mapping[str, Design] = {
    "linear": Design(_linear, lambda x: x[:, 0] + 0.5 * x[:, 1], (0.5, 0.5)),
    "interaction": Design(_interaction, _curved, (0.5, 0.5)),
    "no effect": Design(lambda x: np.zeros((len(x), 1)), _curved, (0.5, 0.5)),
    "confounded, linear log odds": Design(_interaction, _curved, lambda x: _shares(0.8 * x[:, 0] + 0.5 * x[:, 3])),
    "confounded, curved log odds": Design(
        _interaction, _curved, lambda x: _shares(1.6 * (x[:, 0] > 0) * (x[:, 3] > -0.5) - 0.6)
    ),
    "unbalanced, 85 % control": Design(_interaction, _curved, (0.85, 0.15)),
    "two treatments": Design(lambda x: np.column_stack([_interaction(x), _linear(x)]), _curved, (0.34, 0.33, 0.33)),
}
"""Simulated experiments by name."""


def ihdp(table: pd.DataFrame) -> Iterator[KnownTruth]:
    """Every realisation, four fifths of each arm to learn from and the rest to predict."""
    for number, units in table.groupby("realization"):
        arm = units["treatment"].to_numpy(dtype=np.int64)
        unseen = folds(arm, np.random.default_rng(int(str(number)))) == 0
        x, y = units.filter(regex=r"^x\d+$").to_numpy(dtype=np.float64), units["y_factual"].to_numpy(dtype=np.float64)
        effect = (units["mu1"] - units["mu0"]).to_numpy(dtype=np.float64)[:, None]
        yield KnownTruth(Problem(x[~unseen], arm[~unseen], y[~unseen], None, x[unseen]), effect[unseen])


def twins(table: pd.DataFrame, repeats: int) -> Iterator[Ranked]:
    """Being the heavier twin as a treatment that is tossed for; survival of the first year is the outcome.

    Learners see one twin of a pair. Both twins of the pairs that they did not learn from are scored.
    """
    x = table.drop(columns=["pair_id", *TWIN_OUTCOMES]).to_numpy(dtype=np.float64)
    survived = 1.0 - table[["y0_death_lighter", "y1_death_heavier"]].to_numpy(dtype=np.float64)
    for seed in range(repeats):
        random = np.random.default_rng(seed)
        arm = random.integers(0, 2, size=len(x))
        fold = folds(arm, random)
        for held_out in range(FOLDS):
            seen, new = np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
            problem = Problem(x[seen], arm[seen], survived[seen, arm[seen]], np.array([0.5, 0.5]), x[new])
            both = np.repeat([0, 1], len(new))
            yield Ranked(problem, np.tile(np.arange(len(new)), 2), both, survived[np.tile(new, 2), both])


def starbucks(table: pd.DataFrame, repeats: int) -> Iterator[Ranked]:
    """A promotion and whether it sold; users of a fold are scored by what each of them did."""
    x = table.filter(regex=r"^V\d$").to_numpy(dtype=np.float64)
    arm = (table["Promotion"] == "Yes").to_numpy(dtype=np.int64)
    bought = table["purchase"].to_numpy(dtype=np.float64)
    for seed in range(repeats):
        fold = folds(arm, np.random.default_rng(seed))
        for held_out in range(FOLDS):
            seen, new = np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
            problem = Problem(x[seen], arm[seen], bought[seen], np.array([0.5, 0.5]), x[new])
            yield Ranked(problem, np.arange(len(new)), arm[new], bought[new])


def folds(arm: Any, random: np.random.Generator) -> NDArray[np.intp]:
    """A fold for every row, each with the same share of every arm, shape (n,)."""
    fold = np.empty(len(arm), dtype=np.intp)
    for label in np.unique(arm):
        rows = np.flatnonzero(arm == label)
        fold[rows] = random.permutation(len(rows)) % FOLDS
    return fold
