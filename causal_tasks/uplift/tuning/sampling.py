"""Which parameters the next trial tries: a function of the finished trials, the seed and its number alone."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from causal_tasks.base_models import Range
from causal_tasks.uplift.tuning.trials import Trial

Sampler = Literal["tpe", "gp"]

STARTUP_TRIALS = 5
"""Trials, the default among them, before the sampler models what it has seen."""


def next_parameters(
    space: Mapping[str, Range], default: Mapping[str, float], done: Sequence[Trial], *, sampler: Sampler, seed: int
) -> dict[str, float]:
    """What trial number ``len(done)`` tries: the default first, and what lies next to it where it is out of range.

    Args:
        space: Ranges by parameter.
        default: A value for each of them.
        done: Trials 0, 1, …
        sampler: ``tpe``, the tree-structured Parzen estimator of Bergstra, Bardenet, Bengio, Kégl (2011), section 4; or
            ``gp``, Bayesian optimisation: a Gaussian process with a Matérn kernel, smoothness 5/2, and the logarithm of
            the expected improvement of Ament, Daulton, Eriksson, Balandat, Bakshy (2023). Both as Optuna has them.
        seed: Of the search.
    """
    import optuna

    if not done:
        return dict(default)
    outside = default_outside(space, default)
    if len(done) == 1 and outside:
        return {name: bounds.nearest(default[name]) for name, bounds in space.items()}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = _distributions(space)
    # A study of its own for every trial: nothing but the finished trials and the number can decide what it tries.
    study = optuna.create_study(direction="maximize", sampler=_sampler(sampler, _seed_of(seed, len(done))))
    for trial, value in zip(done, values(done), strict=True):
        if trial.number or not outside:
            study.add_trial(
                optuna.create_trial(value=value, params=dict(trial.parameters), distributions=distributions)
            )
    return dict(study.ask(fixed_distributions=distributions).params)


def default_outside(space: Mapping[str, Range], default: Mapping[str, float]) -> tuple[str, ...]:
    """The parameters whose default lies outside their range."""
    return tuple(name for name, bounds in space.items() if bounds.nearest(default[name]) != default[name])


def values(done: Sequence[Trial]) -> list[float]:
    """What each trial is worth to the sampler: its gain over the default, fitted on the same rows.

    The gain is that at the last rung it reached. A pruned trial is worth no more than the worst complete one: it was
    judged on fewer rows, where the best of many scores are high by chance.

    Args:
        done: Trials 0, 1, …; trial 0, the default, is complete.
    """
    default = done[0].rung_auucs
    gains = [trial.rung_auucs[-1] - default[len(trial.rung_auucs) - 1] for trial in done]
    worst = min(gain for gain, trial in zip(gains, done, strict=True) if trial.state == "complete")
    return [gain if trial.state == "complete" else min(gain, worst) for gain, trial in zip(gains, done, strict=True)]


def _sampler(name: Sampler, seed: int) -> Any:
    from optuna.samplers import GPSampler, TPESampler

    return {"tpe": TPESampler, "gp": GPSampler}[name](seed=seed, n_startup_trials=STARTUP_TRIALS)


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
