"""What acting on the findings is worth, against treating nobody, everybody, or as many users at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from causal_tasks.effects.arguments import Floats, Mask
from causal_tasks.evaluation.estimate import LEVEL
from causal_tasks.evaluation.policy import policy_value
from causal_tasks.subpopulations.selection import Kind

Policy = Literal["all", "rules", "avoid", "model"]


@dataclass(frozen=True, slots=True)
class TargetRule:
    """A rule as something to act on.

    Attributes:
        id: Of the subpopulation; of a rule that is not told, that of the one which it repeats.
        kind: ``positive`` is predicted to gain.
        predicted: Mean predicted effect on the discovery users that it covers, benefit scale.
        inside: Shape (n,), which of the users that policies are judged on it covers.
    """

    id: str
    kind: Kind
    predicted: float
    inside: Mask


def treatment_cost(costs: Mapping[str, float], treatment: str, control: str) -> float:
    """What a treated user costs more than one in control, by ``mining.costs``; an arm that it does not name costs 0."""
    return costs.get(treatment, 0.0) - costs.get(control, 0.0)


def policies(rules: Sequence[TargetRule], uplift: Floats, *, cost: float) -> dict[Policy, Mask]:
    """Whom each policy treats, by what discovery users taught alone, so that estimation users can judge it honestly.

    - ``all``: everybody.
    - ``rules``: whoever is covered by a positive rule whose predicted benefit exceeds the cost.
    - ``avoid``: everybody but those whom a negative rule covers.
    - ``model``: whoever's own predicted benefit exceeds the cost.

    A policy that would treat nobody, or that spares nobody and is therefore ``all``, is left out. How well rules did on
    estimation users, their grades included, plays no part.

    Args:
        rules: The shown rules of one treatment, and those that are not told because they repeat another treatment's.
        uplift: Shape (n,), predicted, benefit scale.
        cost: Of treating a user, on that scale.
    """
    nobody = np.zeros(len(uplift), dtype=bool)
    covered = {
        kind: np.logical_or.reduce([nobody, *(rule.inside for rule in acted_on if rule.kind == kind)])
        for kind, acted_on in (("positive", worth_their_cost(rules, cost=cost)), ("negative", rules))
    }
    treated: dict[Policy, Mask] = {
        "rules": covered["positive"],
        "avoid": ~covered["negative"],
        "model": np.asarray(uplift > cost, dtype=bool),
    }
    everybody: dict[Policy, Mask] = {"all": ~nobody}
    return everybody | {policy: mask for policy, mask in treated.items() if mask.any() and not mask.all()}


def worth_their_cost(rules: Sequence[TargetRule], *, cost: float) -> list[TargetRule]:
    """The positive rules whose predicted benefit exceeds the cost."""
    return [rule for rule in rules if rule.kind == "positive" and rule.predicted > cost]


def policy_evidence(
    scores: Floats,
    uplift: Floats,
    rules: Sequence[TargetRule],
    *,
    cost: float = 0.0,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
) -> dict[str, Any]:
    """What every policy of one treatment gains, by estimation users in control or that treatment.

    Args:
        scores: Shape (n,), ``dr_scores`` on the benefit scale: ``Metric.benefit`` of ``Scores.effect``.
        uplift: Shape (n,), predicted for the same users, benefit scale.
        rules: Of the treatment, as for ``policies``.
        cost: Of treating a user, from ``treatment_cost``, in the primary metric's unit.
        clusters: Shape (n,), units that are not independent; None: all are.
        level: Of the intervals.

    Returns:
        ``{"cost", "policies": [{"policy", "share", "vs_none": E, "vs_all": E|null, "vs_random": E|null, "spend"}, …],
        "rules"}``: the evidence on ``policy``. Values are per user of the whole population, benefit scale, cost taken
        off. ``spend`` is share times cost. ``vs_random`` is against as many users at random, who cost as much. The two
        comparisons are null for ``all``. ``rules`` are the ids behind the policy of that name.

    Raises:
        InputError: As for ``policy_value``.
    """

    def row(policy: Policy, treated: Mask) -> dict[str, Any]:
        share = float(treated.mean())
        values = {
            f"vs_{against}": None
            if policy == "all" and against != "none"
            else policy_value(scores, treated, cost=cost, against=against, clusters=clusters, level=level).model_dump(
                mode="json"
            )
            for against in _AGAINST
        }
        return {"policy": policy, "share": share, **values, "spend": share * cost}

    return {
        "cost": cost,
        "policies": [row(policy, treated) for policy, treated in policies(rules, uplift, cost=cost).items()],
        "rules": [rule.id for rule in worth_their_cost(rules, cost=cost)],
    }


_AGAINST: tuple[Literal["none", "all", "random"], ...] = ("none", "all", "random")
