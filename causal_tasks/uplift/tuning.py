"""Search for the base model's parameters with which a learner ranks users best."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from causal_tasks.base_models import Range
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc

MAX_ROWS = 200_000
"""Rows of one fit: beyond them a trial costs time and changes no choice."""

_QUARTER = 0
"""Step at which a trial reports its score after fitting on a quarter of the rows."""

_STARTUP_TRIALS = 5
"""Trials before the sampler models what it has seen, and before a trial may be pruned."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of parameters and how well the learner ranked the validation users with it.

    Attributes:
        number: 0 has the learner's own parameters.
        state: ``pruned`` after the fit on a quarter of the rows was worse than the median of earlier trials.
        parameters: Of the base model, those that are searched.
        quarter_auuc: After fitting on a quarter of the rows, benefit per user.
        auuc: After fitting on all rows, benefit per user; None where pruned.
    """

    number: int
    state: Literal["complete", "pruned"]
    parameters: Mapping[str, float]
    quarter_auuc: float
    auuc: float | None


@dataclass(frozen=True, slots=True)
class Tuning:
    """The trials of one learner.

    Attributes:
        trials: In the order of their numbers.
        rows: Users that a complete trial was fitted on.
        scored: Users that it was scored on.
        stopped_early: Whether time ran out before the last trial.
    """

    trials: tuple[Trial, ...]
    rows: int
    scored: int
    stopped_early: bool = False

    @property
    def best(self) -> Trial:
        """The complete trial with the highest score; the earliest of equals."""
        return max((trial for trial in self.trials if trial.auuc is not None), key=lambda trial: trial.auuc or 0.0)


def tune(
    learner: Any,
    X: pd.DataFrame,
    outcome: ArrayLike,
    treatment: ArrayLike,
    *,
    validation: ArrayLike,
    control: Any = None,
    propensity: Mapping[Any, float] | None = None,
    propensity_scores: ArrayLike | None = None,
    sign: int = 1,
    trials: int = 20,
    seconds: float | None = None,
    max_rows: int = MAX_ROWS,
    seed: int = 0,
    finished: Sequence[Trial] = (),
    on_trial: Callable[[Trial], Trial] | None = None,
) -> Tuning:
    """Try parameters of the learner's base model: fit on some users, score the ranking of others.

    What a trial tries follows from the finished trials, the seed and its number alone, so that a search that goes on
    from finished trials ends where an uninterrupted one does.

    Args:
        learner: Unfitted uplift learner whose base model has a ``search_space``.
        X: Shape (n, p).
        outcome: Shape (n,), finite.
        treatment: Shape (n,), arm labels.
        validation: Shape (n,), boolean: users to score, the others are fitted.
        control: Label of the control arm; None: 0.
        propensity: Known share of every arm by label; None: unknown.
        propensity_scores: Shape (n,) or (n, K), modelled probability of each treatment, by which the users that are
            scored are weighed, see ``causal_tasks.evaluation.auuc``; None: it is the same for everybody.
        sign: 1 where more of the outcome is better, -1 where less is.
        trials: Number of trials, finished ones included.
        seconds: After which no further trial begins; it makes the result depend on speed.
        max_rows: Users that are fitted, at most; drawn at random where there are more.
        seed: Of sampling and search.
        finished: Trials 0, 1, … of an earlier search with the same arguments.
        on_trial: Called with each new trial; what it returns is taken in its place.

    Returns:
        Scores are AUUC per user, the mean over treatments.

    Raises:
        InputError: There is nobody to fit or to score, a parameter of the base model lies outside its search space, or
            as for the learner's ``fit``.

    Source: Bergstra, Bardenet, Bengio, Kégl (2011), tree-structured Parzen estimator, as Optuna implements it.
    """
    began = time.monotonic()
    held_out = np.asarray(validation, dtype=bool)
    if held_out.all() or not held_out.any():
        raise InputError(
            f"validation holds {int(held_out.sum())} of {len(held_out)} users",
            remedy="hold out some users and fit the others",
        )
    _require_in_space(learner.base_model)
    fitted = _sample(np.flatnonzero(~held_out), max_rows, seed)
    data = _Split(X, np.asarray(outcome, dtype=np.float64), treatment, np.flatnonzero(held_out))
    weighed_by = None if propensity_scores is None else np.asarray(propensity_scores, dtype=np.float64)[held_out]
    rungs = data.rows(_sample(fitted, max(1, len(fitted) // 4), seed)), data.rows(fitted)

    def score(parameters: Mapping[str, float], rows: _Rows) -> float:
        model = clone(learner).set_params(**{f"base_model__{name}": value for name, value in parameters.items()})
        model.fit(rows.X, rows.outcome, rows.treatment, control=control, propensity=propensity)
        scored = data.scored
        return float(
            auuc(
                sign * scored.outcome,
                sign * model.predict(scored.X),
                scored.treatment,
                control=control,
                propensity=weighed_by,
            )
        )

    done = list(finished)
    while len(done) < trials and not _over(seconds, began, done):
        trial = _next_trial(learner.base_model, done, seed, lambda parameters, rung: score(parameters, rungs[rung]))
        done.append(on_trial(trial) if on_trial else trial)
    return Tuning(tuple(done), rows=len(fitted), scored=int(held_out.sum()), stopped_early=len(done) < trials)


def _require_in_space(base_model: Any) -> None:
    """Trial 0 has the base model's own parameters, so they must be some that a trial may have."""
    for name, bounds in base_model.search_space.items():
        value = getattr(base_model, name)
        if not bounds.low <= value <= bounds.high:
            raise InputError(
                f"{type(base_model).__name__}: {name} is {value}, tuning tries {bounds.low} to {bounds.high}",
                remedy="begin with a value in that range",
            )


@dataclass(frozen=True, slots=True)
class _Rows:
    X: pd.DataFrame
    outcome: NDArray[np.float64]
    treatment: Any


class _Split:
    """The users' data, cut by row positions."""

    def __init__(self, X: pd.DataFrame, outcome: NDArray[np.float64], treatment: ArrayLike, scored: Any) -> None:
        self._X, self._outcome = X, outcome
        self._treatment = treatment.array if isinstance(treatment, pd.Series) else np.asarray(treatment)
        self.scored = self.rows(scored)

    def rows(self, positions: NDArray[np.intp]) -> _Rows:
        return _Rows(self._X.iloc[positions], self._outcome[positions], self._treatment[positions])


def _sample(positions: NDArray[np.intp], size: int, seed: int) -> NDArray[np.intp]:
    """At most ``size`` of the positions, in their order."""
    if len(positions) <= size:
        return positions
    return np.sort(np.random.default_rng(seed).choice(positions, size, replace=False))


def _over(seconds: float | None, began: float, done: Sequence[Trial]) -> bool:
    """Whether time has run out; one trial is always made, since something must be best."""
    return seconds is not None and bool(done) and time.monotonic() - began > seconds


def _next_trial(
    base_model: Any, done: Sequence[Trial], seed: int, score: Callable[[Mapping[str, float], int], float]
) -> Trial:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = _distributions(base_model.search_space)
    number = len(done)
    # A study of its own for every trial: nothing but the finished trials and the number can decide what it tries.
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=_seed_of(seed, number), n_startup_trials=_STARTUP_TRIALS),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS),
    )
    study.add_trials([_as_optuna(trial, space) for trial in done])
    if number == 0:
        study.enqueue_trial({name: getattr(base_model, name) for name in space})
    asked = study.ask(fixed_distributions=space)
    parameters = dict(asked.params)
    quarter = score(parameters, 0)
    asked.report(quarter, _QUARTER)
    if number and asked.should_prune():
        return Trial(number, "pruned", parameters, quarter, None)
    return Trial(number, "complete", parameters, quarter, score(parameters, 1))


def _seed_of(seed: int, number: int) -> int:
    """A seed for each trial, in the 32 bits that the sampler takes."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def _distributions(space: Mapping[str, Range]) -> dict[str, Any]:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        name: IntDistribution(int(bounds.low), int(bounds.high), log=bounds.log)
        if bounds.whole
        else FloatDistribution(bounds.low, bounds.high, log=bounds.log)
        for name, bounds in space.items()
    }


def _as_optuna(trial: Trial, space: Mapping[str, Any]) -> Any:
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState.COMPLETE if trial.state == "complete" else TrialState.PRUNED,
        value=trial.auuc if trial.state == "complete" else trial.quarter_auuc,
        params=dict(trial.parameters),
        distributions=dict(space),
        intermediate_values={_QUARTER: trial.quarter_auuc},
    )
