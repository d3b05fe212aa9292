"""What a model must not get wrong: held against the experiment after every fit, before anybody relies on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.effects import Effect, difference_in_means
from causal_tasks.effects.matched_effect import matched_effect
from causal_tasks.effects.matched_units import match_in_buckets
from causal_tasks.effects.matching import BUCKETS
from causal_tasks.errors import InputError
from causal_tasks.evaluation import best_linear_predictor
from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.uplift.cross_fitting import OutOfFold
from causal_tasks.uplift.stages.users import Users

LEVEL = 0.999
"""Of the intervals beyond which a model is wrong, not unlucky: dozens of models are tried on every experiment."""


CROSS_FITTED = 2.0
"""Variance of a slope beside that of predictions made elsewhere: of two folds each has taught the other's model."""

TOLERANCE = 0.25
"""Share of the measured effect by which a mean may be off: models shrink, and that alone makes no ranking worse."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Predictions for one treatment beside what the experiment says, on scored users, benefit scale.

    Attributes:
        spread: Standard deviation of the predicted effects.
        mean: Their mean.
        measured: The effect by comparing arms.
        slope: Measured differences between effects as a multiple of the predicted ones; 1 is right, below 0 users are
            ranked the wrong way round.
        treatment_used: Whether the model of every fold tells the arms apart.
    """

    spread: float
    mean: float
    measured: Effect
    slope: Estimate
    treatment_used: bool

    @property
    def agrees(self) -> bool:
        """Whether the mean prediction lies within the interval of the measured effect, or misses it by little."""
        low, high = self.measured.interval
        return low <= self.mean <= high or abs(self.mean - self.measured.estimate) < TOLERANCE * abs(
            self.measured.estimate
        )

    def to_dict(self) -> dict[str, Any]:
        """What the model card holds of it."""
        return {
            "spread": self.spread,
            "mean": self.mean,
            "measured": {"estimate": self.measured.estimate, "interval": list(self.measured.interval)},
            "agrees": self.agrees,
            "slope": {"estimate": self.slope.estimate, "interval": list(self.slope.interval)},
            "treatment_used": self.treatment_used,
        }

    def faults(self, *, randomized: bool) -> Iterator[str]:
        """What speaks against relying on the model.

        Where arms were not randomised the mean is no fault: what it is held against depends on how users are matched.
        """
        if not self.treatment_used:
            yield "the model of at least one fold does not tell the arms apart"
        if randomized and not self.agrees:
            low, high = self.measured.interval
            yield (
                f"its mean effect is {self.mean:.4g}, the measured one {self.measured.estimate:.4g} "
                f"({LEVEL:.1%} interval {low:.4g} to {high:.4g})"
            )
        if self.slope.interval[1] < 0:
            yield f"it ranks users the wrong way round (slope {self.slope.estimate:.3g})"


def guards(name: str, users: Users, uplift: pd.DataFrame, means: pd.DataFrame, fitted: OutOfFold) -> dict[str, Guard]:
    """Every treatment's guard.

    Args:
        name: Of the candidate.
        users: Whom it was fitted on.
        uplift: Predicted effects of all users, out of fold for those that were fitted, benefit scale.
        means: Their predicted mean outcomes.
        fitted: The learner of each fold.

    Raises:
        InputError: Predictions are missing, infinite or constant, or a guard has a fault; names all of them.
    """
    _require_variation(name, users, uplift, means)
    used = all(learner.uses_treatment() for learner in fitted.learners.values())
    found = {
        treatment: _guard(users, position, uplift[treatment].to_numpy(), means, treatment_used=used)
        for position, treatment in enumerate(users.experiment.treatments, start=1)
    }
    faults = [
        f"treatment {treatment!r}: {fault}"
        for treatment, guard in found.items()
        for fault in guard.faults(randomized=users.experiment.randomized)
    ]
    if faults:
        raise InputError(f"{name}: {'; '.join(faults)}", remedy="rely on the other candidates, or cap extreme outcomes")
    return found


def _require_variation(name: str, users: Users, uplift: pd.DataFrame, means: pd.DataFrame) -> None:
    """Refuse predictions that are not finite, or alike for all users of a fold: each fold has its own model."""
    finite = np.isfinite(means.to_numpy())
    if not finite.all():
        raise InputError(
            f"{name}: {int((~finite).sum())} predictions are missing or infinite",
            remedy="look for extreme values of the primary metric; cap it",
        )
    folds = uplift[users.discovery].groupby(users.frame["fold"].to_numpy()[users.discovery])
    for treatment, spread in (folds.max() - folds.min()).items():
        if (spread == 0).all():
            raise InputError(
                f"{name}: constant prediction: {uplift[treatment].mean():g} for every user of treatment {treatment!r}",
                remedy="it learned nothing from these features; add users or features",
            )


def _guard(
    users: Users, position: int, uplift: NDArray[np.floating], means: pd.DataFrame, *, treatment_used: bool
) -> Guard:
    measured, affected = _measured(users, position)
    return Guard(
        spread=float(uplift[users.scored].astype(np.float64).std()),
        mean=float(uplift[affected].astype(np.float64).mean()),
        measured=measured,
        slope=_slope(users, position, uplift, means),
        treatment_used=treatment_used,
    )


def _slope(users: Users, position: int, uplift: NDArray[np.floating], means: pd.DataFrame) -> Estimate:
    rows, experiment = users.compared(position), users.experiment
    arguments = users.ranking_arguments(rows, position=position)
    if users.propensity_scores is None:
        shares = [experiment.expected_shares[arm] for arm in (experiment.control, experiment.arms[position])]
        propensity: Any = shares[1] / sum(shares)
    else:
        propensity = users.propensity_scores[rows, position - 1]
    slope = best_linear_predictor(
        arguments["outcome"],
        _within_folds(uplift[rows], users.frame["fold"].to_numpy()[rows]),
        (arguments["treatment"] == position).astype(np.int8),
        mean_control=experiment.primary.benefit(means[experiment.control].to_numpy()[rows]),
        propensity=propensity,
        clusters=arguments["clusters"],
        level=LEVEL,
    ).heterogeneity
    return Estimate.of(slope.estimate, slope.standard_error * CROSS_FITTED**0.5, level=LEVEL)


def _within_folds(uplift: NDArray[np.floating], fold: NDArray[Any]) -> NDArray[np.float64]:
    """Predicted effects less the mean of their fold, shape (n,).

    A fold in which the effect is large by chance leaves a smaller one to the models that predict it: between folds
    predictions always run against the outcomes.
    """
    values = pd.Series(uplift, dtype=np.float64)
    within: NDArray[np.float64] = (values - values.groupby(fold).transform("mean")).to_numpy()
    return within


def _measured(users: Users, position: int) -> tuple[Effect, NDArray[np.bool_]]:
    """The effect by comparing arms, benefit scale, and the users whose average effect it is, shape (n,)."""
    rows = users.compared(position)
    arguments = users.ranking_arguments(rows, position=position)
    outcome, clusters = arguments["outcome"], arguments["clusters"]
    if users.propensity_scores is None:
        measured = difference_in_means(outcome, arguments["treatment"], clusters=clusters, level=LEVEL)
        return measured, users.scored
    treated = users.arm[rows] == position
    units = match_in_buckets(users.propensity_scores[rows, position - 1], treated, buckets=BUCKETS, overlap=(0.0, 1.0))
    measured = matched_effect(
        outcome,
        treated,
        units.stratum,
        clusters=None if clusters is None else pd.factorize(clusters)[0],
        level=LEVEL,
    )
    if np.isnan(measured.estimate):
        raise InputError(
            f"treatment {users.experiment.treatments[position - 1]!r}: too few discovery users have any like them in "
            "the other arm",
            remedy="compare users who could have been in either arm",
        )
    affected = np.zeros(len(users.arm), dtype=bool)
    affected[rows] = units.matched & treated
    return measured, affected
