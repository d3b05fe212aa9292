"""Search for the parameters with which a learner ranks users best."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causal_tasks.base_models import DesignMatrix, Range
from causal_tasks.effects.arguments import read_arms
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc
from causal_tasks.uplift.learner import UpliftLearner
from causal_tasks.uplift.tuning.halving import drawing_order, goes_on, rung_divisors
from causal_tasks.uplift.tuning.sampling import Sampler, default_outside, next_parameters
from causal_tasks.uplift.tuning.trials import Trial, Tuning

MAX_ROWS = 200_000
"""Rows of one fit: beyond them a trial costs time and changes no choice."""


def tune(
    learner: UpliftLearner,
    X: Any,
    outcome: ArrayLike,
    treatment: ArrayLike,
    fold: ArrayLike,
    *,
    held_out: Sequence[int] | None = None,
    control: Any = None,
    propensity: Mapping[Any, float] | None = None,
    propensity_scores: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    sign: int = 1,
    search_space: Mapping[str, Range] | None = None,
    sampler: Sampler = "tpe",
    trials: int = 20,
    seconds: float | None = None,
    max_rows: int = MAX_ROWS,
    seed: int = 0,
    finished: Sequence[Trial] = (),
    on_trial: Callable[[Trial], Trial] | None = None,
) -> Tuning:
    """Try parameters of a learner: fit on some folds, score the ranking of another.

    Trial 0 has the learner's own parameters and is never given up, so the best is never worse than they are on the
    users that are scored. Others are fitted on a ninth of the rows, the best third of them on a third, and the best
    third of those on all (``halving``). What a trial tries, and whether it is given up, follows from the finished
    trials, the seed and its number alone, so that a search that goes on from finished trials ends where an
    uninterrupted one does.

    Args:
        learner: Unfitted.
        X: Shape (n, p), as for the learner's ``fit``. It is binned once for all trials.
        outcome: Shape (n,), finite.
        treatment: Shape (n,), arm labels.
        fold: Shape (n,), integers.
        held_out: Folds of which each in turn is scored, after fitting on all others; None: all of them.
        control: Label of the control arm; None: 0.
        propensity: Known share of every arm by label; None: unknown.
        propensity_scores: Shape (n,) or (n, K), modelled probability of each treatment, by which the users that are
            scored are weighed, see ``causal_tasks.evaluation.auuc``; None: it is the same for everybody.
        clusters: Shape (n,), as for the learner's ``fit``.
        sign: 1 where more of the outcome is better, -1 where less is.
        search_space: Ranges by parameter; None: the learner's own.
        sampler: ``tpe`` or ``gp``, see ``sampling``.
        trials: Number of trials, finished ones included. There are no more than differ where every value is fixed.
        seconds: After which no further trial begins; it makes the result depend on speed.
        max_rows: Users that are fitted, at most; drawn at random, each arm at its share, where there are more.
        seed: Of drawing and search.
        finished: Trials 0, 1, … of an earlier search with the same arguments.
        on_trial: Called with each new trial; what it returns is taken in its place.

    Returns:
        Scores are AUUC per user, the mean over treatments, then over the folds that were held out.

    Raises:
        InputError: There is nothing to search, nobody in a fold or outside of it, or as for the learner's ``fit``.
    """
    began = time.monotonic()
    space = learner.search_space if search_space is None else search_space
    if not space:
        raise InputError(f"{type(learner).__name__} has nothing to tune", remedy="pass a search_space")
    default = {name: learner.parameters[name] for name in space}
    outside = default_outside(space, default)
    wanted = trials if any(bounds.low < bounds.high for bounds in space.values()) else min(trials, 1 + bool(outside))
    data = _Data(
        design=DesignMatrix.of(X),
        outcome=np.asarray(outcome, dtype=np.float64),
        labels=_array(treatment),
        clusters=None if clusters is None else _array(clusters),
        propensity_scores=None if propensity_scores is None else np.asarray(propensity_scores, dtype=np.float64),
        control=control,
        propensity=propensity,
        sign=sign,
    )
    splits = _splits(read_arms(treatment, control=control).codes, np.asarray(fold), held_out, max_rows, seed)
    divisors = rung_divisors(min(split.smallest_arm for split in splits))
    done = list(finished)
    while len(done) < wanted and not _over(seconds, began, done):
        parameters = next_parameters(space, default, done, sampler=sampler, seed=seed)
        trial = _trial(learner.with_parameters(parameters), parameters, data, splits, divisors, done)
        done.append(on_trial(trial) if on_trial else trial)
    return Tuning(
        tuple(done),
        rungs=tuple(min(len(split.fitted(divisor)) for split in splits) for divisor in divisors),
        scored=sum(len(split.scored) for split in splits),
        default_outside=outside,
        stopped_early=len(done) < wanted,
    )


def _trial(
    learner: UpliftLearner,
    parameters: Mapping[str, float],
    data: "_Data",
    splits: Sequence["_Split"],
    divisors: Sequence[int],
    done: Sequence[Trial],
) -> Trial:
    """Climb the rungs until there is none, or too many earlier trials were better."""
    number = len(done)
    reached: list[float] = []
    by_fold: dict[str, float] = {}
    for rung, divisor in enumerate(divisors):
        by_fold = {str(split.fold): data.score(learner, split.fitted(divisor), split.scored) for split in splits}
        reached.append(sum(by_fold.values()) / len(by_fold))
        earlier = [trial.rung_auucs[rung] for trial in done if len(trial.rung_auucs) > rung]
        if number and divisor > 1 and not goes_on(reached[-1], earlier):
            return Trial(number, "pruned", parameters, tuple(reached), by_fold, None)
    return Trial(number, "complete", parameters, tuple(reached), by_fold, reached[-1])


class _Split:
    """Who is fitted and who is scored where one fold is held out."""

    def __init__(self, fold: int, drawn: NDArray[np.intp], scored: NDArray[np.intp], smallest_arm: int) -> None:
        self.fold, self.scored, self.smallest_arm = fold, scored, smallest_arm
        self._drawn = drawn

    def fitted(self, divisor: int) -> NDArray[np.intp]:
        """Positions of the users of the rung, in their order; those of a smaller rung are among them."""
        return np.sort(self._drawn[: len(self._drawn) // divisor])


def _splits(
    arm: NDArray[np.intp], fold: NDArray[Any], held_out: Sequence[int] | None, max_rows: int, seed: int
) -> list[_Split]:
    splits = []
    for number in np.unique(fold).tolist() if held_out is None else held_out:
        scored, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        if not len(scored) or not len(others):
            raise InputError(
                f"fold {number} holds {len(scored)} of {len(fold)} users",
                remedy="hold out some users and fit the others",
            )
        drawn = others[drawing_order(arm[others], seed)][:max_rows]
        smallest_arm = int(np.bincount(arm[drawn], minlength=arm.max() + 1).min())
        splits.append(_Split(number, drawn, scored, smallest_arm))
    return splits


class _Data:
    """The users' data, of which a learner is fitted on some rows and scored on others."""

    def __init__(
        self,
        *,
        design: DesignMatrix,
        outcome: NDArray[np.float64],
        labels: Any,
        clusters: Any,
        propensity_scores: NDArray[np.float64] | None,
        control: Any,
        propensity: Mapping[Any, float] | None,
        sign: int,
    ) -> None:
        self._design, self._outcome, self._labels, self._clusters = design, outcome, labels, clusters
        self._propensity_scores, self._control, self._propensity = propensity_scores, control, propensity
        self._sign = sign

    def score(self, learner: UpliftLearner, fitted: NDArray[np.intp], scored: NDArray[np.intp]) -> float:
        """AUUC of ``scored`` by the learner fitted on ``fitted``, benefit per user."""
        learner.fit(
            self._design.take(fitted),
            self._outcome[fitted],
            self._labels[fitted],
            control=self._control,
            propensity=self._propensity,
            clusters=None if self._clusters is None else self._clusters[fitted],
        )
        return float(
            auuc(
                self._sign * self._outcome[scored],
                self._sign * learner.predict(self._design.take(scored)),
                self._labels[scored],
                control=self._control,
                propensity=None if self._propensity_scores is None else self._propensity_scores[scored],
            )
        )


def _array(labels: ArrayLike) -> Any:
    """``labels`` in a form that positions select from; categories stay categories."""
    return labels.array if isinstance(labels, pd.Series) else np.asarray(labels)


def _over(seconds: float | None, began: float, done: Sequence[Trial]) -> bool:
    """Whether time has run out; one trial is always made, since something must be best."""
    return seconds is not None and bool(done) and time.monotonic() - began > seconds
