"""What mining finds, as records that turn into JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, field_serializer

from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.rule import Rule
from causal_tasks.subpopulations.grades import Grade
from causal_tasks.subpopulations.selection import Kind


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return self.model_dump(mode="json", by_alias=True)


class Subpopulation(_Record):
    """A group of users, described by a rule, whose response differs from that of the others.

    All effects are in the outcome's own unit, from estimation users in control or ``treatment``.

    Attributes:
        id: ``s1``, ``s2``, … in order of appearance.
        treatment: Arm compared with control.
        kind: ``positive`` is what is good, whatever the metric's direction.
        rule: Who belongs.
        words: The rule by language.
        sql: The rule as a predicate.
        share: Of users.
        n_control: Control users covered.
        n_treatment: Treated users covered.
        control_mean: Outcome that the covered users would have without treatment.
        effect: Average effect on the covered users.
        rest: Average effect on all others.
        contrast: ``effect`` minus ``rest``.
        relative: ``effect`` / ``control_mean``; None where that mean is within four standard errors of zero.
        q_value: Of the contrast, over all rules examined.
        predicted: Mean predicted effect on the covered discovery users.
        grade: How far to trust it.
    """

    id: str
    treatment: str
    kind: Kind
    rule: Rule
    words: dict[str, str]
    sql: str
    share: float
    n_control: int
    n_treatment: int
    control_mean: float
    effect: Estimate
    rest: Estimate
    contrast: Estimate
    relative: float | None
    q_value: float
    predicted: float
    grade: Grade


class TreeNode(_Record):
    """A node of a tree with what the estimation users say about it.

    Attributes:
        rule: Who belongs.
        words: The rule by language.
        n: Estimation users in control or the treatment.
        share: Of all of them.
        predicted: Mean predicted effect on its discovery users.
        effect: Average effect; None, in JSON a record of nulls, where an arm has fewer than two users.
        children: Two, or none.
    """

    rule: Rule
    words: dict[str, str]
    n: int
    share: float
    predicted: float
    effect: Estimate | None
    children: tuple["TreeNode", ...] = ()

    @field_serializer("effect")
    def _nulls_where_undefined(self, effect: Estimate | None) -> dict[str, Any]:
        if effect is None:
            return {"estimate": None, "standard_error": None, "interval": [None, None], "p_value": None}
        return effect.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class Mining:
    """What was found, and how hard it was looked for.

    Attributes:
        subpopulations: Most positive first, then most negative.
        trees: By treatment.
        rules_examined: Over all treatments: the family that the q-values answer for.
        n_estimation: Users that gave evidence, all arms.
        detectable: By treatment: the smallest effect likely to be seen, by share of users; None where there are too few
            users to tell.
    """

    subpopulations: tuple[Subpopulation, ...]
    trees: Mapping[str, TreeNode]
    rules_examined: int
    n_estimation: int
    detectable: Mapping[str, Mapping[float, float | None]]
