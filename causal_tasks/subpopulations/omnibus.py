"""Do effects differ between users at all? Asked once for each treatment, before any single rule is believed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_tasks.effects.arguments import finite
from causal_tasks.evaluation.heterogeneity import BestLinearPredictor, best_linear_predictor
from causal_tasks.evaluation.rate import RankTest, autoc
from causal_tasks.subpopulations.evidence import Vector
from causal_tasks.subpopulations.scored import Scored

LEVEL = 0.05

FEWEST = 20
"""Users, or clusters, below which neither test's normal approximation is to be trusted: of an arm, and of those whose
prediction is not the commonest one."""


@dataclass(frozen=True, slots=True)
class Omnibus:
    """Two tests that the model's ranking of estimation users finds anything, and their verdict.

    Both are on the benefit scale and one-sided. AUTOC is strong where few users respond, the best linear predictor
    where many do.

    Attributes:
        autoc: Area under the TOC curve; None where there are too few users, or nearly all predictions are equal.
        blp: Best linear predictor of the effect; None likewise.
    """

    autoc: RankTest | None = None
    blp: BestLinearPredictor | None = None

    @property
    def tests(self) -> dict[str, float]:
        """One-sided p-values by test."""
        if self.autoc is None or self.blp is None:
            return {}
        return {"autoc": self.autoc.p_value, "blp": self.blp.heterogeneity.one_sided_p_value}

    @property
    def p_value(self) -> float | None:
        """Of effects that do not differ, Bonferroni over both tests; None where there is none."""
        tests = self.tests
        return min(1.0, len(tests) * min(tests.values())) if tests else None

    @property
    def passed(self) -> bool:
        """Whether effects are shown to differ, at the 5 % level."""
        return self.p_value is not None and self.p_value < LEVEL


def omnibus(scored: Scored, *, seed: int) -> Omnibus:
    """The tests for one treatment.

    Args:
        scored: Its estimation users.
        seed: Of the half samples.

    Raises:
        InputError: A prediction for one of these users is missing.
    """
    predicted = finite(scored.uplift, name="uplift of estimation users")
    if scored.independent_per_arm < FEWEST or _told_apart(predicted, scored.clusters) < FEWEST:
        return Omnibus()
    return Omnibus(
        autoc=autoc(scored.effect, predicted, clusters=scored.clusters, seed=seed),
        blp=best_linear_predictor(
            scored.outcome,
            predicted,
            scored.treated,
            # Beside an intercept a shift changes nothing, but a large mean would drown what varies around it.
            mean_control=scored.mean_control - scored.mean_control.mean(),
            propensity=scored.propensity,
            clusters=scored.clusters,
        ),
    )


def _told_apart(predicted: Vector, clusters: NDArray[np.intp] | None) -> int:
    """Users, or their clusters, whose prediction is not the commonest one."""
    _, value, users = np.unique(predicted, return_inverse=True, return_counts=True)
    apart = value != users.argmax()
    return int(apart.sum()) if clusters is None else len(np.unique(clusters[apart]))
