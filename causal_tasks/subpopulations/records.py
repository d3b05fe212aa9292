"""What mining finds, as records that turn into JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, field_serializer

from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.rule import Rule
from causal_tasks.subpopulations.evidence import Evidence
from causal_tasks.subpopulations.grades import Grade, Interval, Reason
from causal_tasks.subpopulations.guardrails import GuardrailEffect
from causal_tasks.subpopulations.omnibus import Omnibus
from causal_tasks.subpopulations.selection import Kind
from causal_tasks.subpopulations.stability import Stability


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
        fcr_interval: Of ``effect``, adjusted for the selection of rules by their contrast; None where it was not
            selected.
        shrunken: ``effect`` pulled towards the average, as far as effects of leaves vary by chance alone; None where
            there is no second leaf to tell.
        in_sample: The same effect on the discovery users, on whom the rule was found: what it is flattered by.
        metric_share: Share of the metric's total that the covered users hold, among control users; None where the
            metric can be negative.
        q_value: Of the contrast, over all rules examined.
        stability: How often the tree finds the rule again; None where that was not measured.
        overlap: By id of every other rule: users in both divided by users in either.
        unique_share: Share of all users that this rule covers and no other one does.
        guardrails: Effects on metrics that must not get worse, inside the rule.
        sample_ratio_p: The p-value of the arms' sizes inside the rule; None without randomisation.
        actionable: Whether the business can target by every feature of the rule.
        predicted: Mean predicted effect on the covered discovery users.
        grade: How far to trust it.
        reasons: Why it is not confirmed.
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
    fcr_interval: Interval | None
    shrunken: float | None
    in_sample: Estimate | None
    metric_share: float | None
    q_value: float
    stability: Stability | None
    overlap: dict[str, float]
    unique_share: float
    guardrails: tuple[GuardrailEffect, ...]
    sample_ratio_p: float | None
    actionable: bool
    predicted: float
    grade: Grade
    reasons: tuple[Reason, ...]


class Repeat(_Record):
    """A rule that is not told, because it is about the users of a better one of another treatment.

    Attributes:
        treatment: Arm compared with control.
        kind: As that of the better rule.
        rule: Who belongs.
        words: The rule by language.
        of: Id of the better rule.
        jaccard: Users in both divided by users in either.
        grade: That it would have had.
    """

    treatment: str
    kind: Kind
    rule: Rule
    words: dict[str, str]
    of: str
    jaccard: float
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
class ExaminedRule:
    """One rule of the family, shown or not.

    Attributes:
        treatment: Arm compared with control.
        rule: Who belongs.
        kind: What its users are predicted to do.
        predicted: Mean predicted effect on the covered discovery users, in the outcome's own unit.
        evidence: On estimation users.
        q_value: Of the contrast, over the family.
        selected: Whether that is at most 10 %.
        fcr_interval: Of the effect, adjusted for the selection; None where it was not selected.
        eligible: Whether it covers neither too few nor too many users to be confirmed, whatever its effect.
    """

    treatment: str
    rule: Rule
    kind: Kind
    predicted: float
    evidence: Evidence
    q_value: float
    selected: bool
    fcr_interval: Interval | None
    eligible: bool


@dataclass(frozen=True, slots=True)
class Mining:
    """What was found, and how hard it was looked for.

    Attributes:
        subpopulations: Most positive first, then most negative.
        repeats: Rules of other treatments about the same users, which are not told.
        trees: By treatment.
        examined: Over all treatments: the family that q-values and FCR intervals answer for.
        omnibus: By treatment: whether effects differ at all.
        n_estimation: Users that gave evidence, all arms.
        trimmed: By treatment: estimation users outside the overlap of the arms, who gave none.
        detectable: By treatment: the smallest effect likely to be seen, by share of users; None where there are too few
            users to tell.
        notes: ``stability_not_measured`` where that was switched off, and no grade asks for it.
    """

    subpopulations: tuple[Subpopulation, ...]
    repeats: tuple[Repeat, ...]
    trees: Mapping[str, TreeNode]
    examined: tuple[ExaminedRule, ...]
    omnibus: Mapping[str, Omnibus]
    n_estimation: int
    trimmed: Mapping[str, int]
    detectable: Mapping[str, Mapping[float, float | None]]
    notes: tuple[str, ...]

    @property
    def rules_examined(self) -> int:
        """Size of the family."""
        return len(self.examined)

    @property
    def rules_selected(self) -> int:
        """Rules of the family whose contrast was selected."""
        return sum(rule.selected for rule in self.examined)
