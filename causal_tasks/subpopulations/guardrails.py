"""What a rule's users pay for it: the effect on metrics that must not get worse, inside the rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict

from causal_tasks.effects.means import difference_in_means
from causal_tasks.effects.ratio import ratio_of_means
from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.subpopulations.evidence import Mask, Scores, Vector
from causal_tasks.subpopulations.users import Users

Tone = Literal["good", "bad", "unclear"]


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that must not get worse.

    Attributes:
        outcome: Shape (n,), NaN for users without one; of a ratio its numerator.
        sign: +1 where more is better, -1 where less is.
        denominator: Shape (n,), of a ratio, NaN likewise; None: the metric is a mean.
    """

    outcome: ArrayLike
    sign: int = 1
    denominator: ArrayLike | None = None


class GuardrailEffect(BaseModel):
    """The effect on one guardrail metric of treating the users of a rule.

    Attributes:
        metric: Its name.
        effect: Treatment minus control in the metric's own unit; None where an arm has fewer than two users or
            clusters, or a ratio has no denominator in it.
        tone: ``bad`` and ``good`` where the whole interval lies on that side of zero.
    """

    model_config = ConfigDict(frozen=True)

    metric: str
    effect: Estimate | None
    tone: Tone


def guardrail_effects(
    guardrails: Mapping[str, Guardrail], users: Users, inside: Mask, treatment: Any
) -> tuple[GuardrailEffect, ...]:
    """The effect on every guardrail metric, from estimation users in control or ``treatment``.

    A difference in means, or in ratios of the covered users' totals, where arms were dealt at random; otherwise arms
    are weighted by the inverse of their propensities.

    Args:
        guardrails: By name.
        users: All.
        inside: Shape (n,), who is covered by the rule.
        treatment: Label of the arm.
    """
    comparable = users.comparable(treatment) & inside
    found = []
    for name, guardrail in guardrails.items():
        above = np.asarray(guardrail.outcome, dtype=np.float64)
        below = None if guardrail.denominator is None else np.asarray(guardrail.denominator, dtype=np.float64)
        known = ~np.isnan(above) if below is None else ~np.isnan(above + below)
        effect = _effect(above, below, users, comparable & known, treatment)
        found.append(GuardrailEffect(metric=name, effect=effect, tone=_tone(effect, guardrail.sign)))
    return tuple(found)


def _effect(above: Vector, below: Vector | None, users: Users, rows: Mask, treatment: Any) -> Estimate | None:
    if min(users.independent(rows, treatment)) < 2:
        return None
    values, treated, clusters = above[rows], users.treated(treatment)[rows], users.clusters_of(rows)
    denominator = None if below is None else below[rows]
    if denominator is not None and min(denominator[treated].sum(), denominator[~treated].sum()) <= 0:
        return None
    if not users.randomized:
        return _weighted(values, denominator, treated, users.probability(treatment, rows), clusters)
    effect = (
        difference_in_means(values, treated, clusters=clusters)
        if denominator is None
        else ratio_of_means(values, denominator, treated, clusters=clusters)
    )
    return Estimate(
        estimate=effect.estimate,
        standard_error=effect.standard_error,
        interval=effect.interval,
        p_value=effect.p_value,
    )


def _weighted(
    values: Vector,
    denominator: Vector | None,
    treated: Mask,
    propensity: float | Vector,
    clusters: ArrayLike | None,
) -> Estimate | None:
    """The difference of means weighted by inverse propensities: doubly robust scores around those very means."""
    control_mean = float(np.average(values, weights=~treated / (1 - np.asarray(propensity))))
    treatment_mean = float(np.average(values, weights=treated / propensity))
    scores = Scores.of(
        values,
        treated,
        np.full(len(values), control_mean),
        np.full(len(values), treatment_mean),
        propensity,
        clusters=clusters,
        denominator=denominator,
    )
    return scores.assess(np.ones(len(values), dtype=bool)).effect


def _tone(effect: Estimate | None, sign: int) -> Tone:
    if effect is None:
        return "unclear"
    worst, best = sorted(sign * bound for bound in effect.interval)
    return "bad" if best < 0 else "good" if worst > 0 else "unclear"
