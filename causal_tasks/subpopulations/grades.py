"""How far a rule may be trusted, decided by machine and before anybody sees it."""

from typing import Literal

from causal_tasks.subpopulations.evidence import Evidence

Grade = Literal["confirmed", "promising", "not_supported"]
Validity = Literal["valid", "warning", "invalid"]

FALSE_DISCOVERY_RATE = 0.10
COVERAGE = (0.03, 0.60)
USERS_PER_ARM = 1000
BINARY_USERS_PER_ARM = 300
BINARY_OUTCOMES_PER_ARM = 50


def grade(evidence: Evidence, *, claimed: int, q_value: float, validity: Validity) -> Grade:
    """The grade of a rule that claims an effect in one direction.

    ``confirmed`` needs all of: the interval of the effect inside lies in the claimed direction; so does the contrast
    to the rest, at a false discovery rate of 10 %; enough users; a coverage of 3 to 60 %; a valid experiment.
    ``promising`` needs the interval alone.

    Args:
        evidence: On estimation users.
        claimed: +1 for an effect above zero, -1 for one below, in the outcome's own unit.
        q_value: Of the contrast, over all rules examined.
        validity: Verdict on the experiment.
    """
    effect, contrast = evidence.effect, evidence.contrast
    if effect is None or min(claimed * bound for bound in effect.interval) <= 0:
        return "not_supported"
    confirmed = (
        contrast is not None
        and claimed * contrast.estimate > 0
        and q_value <= FALSE_DISCOVERY_RATE
        and _enough_users(evidence)
        and COVERAGE[0] <= evidence.share <= COVERAGE[1]
        and validity != "invalid"
    )
    return "confirmed" if confirmed else "promising"


def _enough_users(evidence: Evidence) -> bool:
    smaller_arm = min(evidence.n_control, evidence.n_treatment)
    if evidence.rarer_outcomes is None:
        return smaller_arm >= USERS_PER_ARM
    return smaller_arm >= BINARY_USERS_PER_ARM and evidence.rarer_outcomes >= BINARY_OUTCOMES_PER_ARM
