"""What a grade needs, one condition at a time."""

from dataclasses import replace

import pytest

from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.subpopulations.evidence import Evidence
from causal_tasks.subpopulations.grades import Case, eligible, grade, reasons

GAIN = Estimate(estimate=2.0, standard_error=0.5, interval=(1.0, 3.0), p_value=0.001)
LOSS = Estimate(estimate=-2.0, standard_error=0.5, interval=(-3.0, -1.0), p_value=0.001)
ACROSS_ZERO = Estimate(estimate=0.5, standard_error=0.5, interval=(-0.5, 1.5), p_value=0.3)
BELOW_ZERO_ACROSS_IT = Estimate(estimate=-0.5, standard_error=0.5, interval=(-1.5, 0.5), p_value=0.3)
EVIDENCE = Evidence(
    share=0.2,
    n_control=1000,
    n_treatment=1000,
    independent_per_arm=20,
    rarer_outcomes=None,
    control_mean=5.0,
    effect=GAIN,
    rest=ACROSS_ZERO,
    contrast=GAIN,
    relative=0.4,
)
GOOD = Case(
    claimed=1,
    evidence=EVIDENCE,
    q_value=0.10,
    fcr_interval=(0.5, 3.5),
    effects_differ=True,
    stability=0.60,
    harms=False,
    sample_ratio_p=0.001,
    validity="warning",
    observational=False,
)
BINARY = {"n_control": 300, "n_treatment": 300}


def case(**changes):
    of_evidence = {name: value for name, value in changes.items() if hasattr(EVIDENCE, name)}
    others = {name: value for name, value in changes.items() if name not in of_evidence}
    return replace(GOOD, evidence=replace(EVIDENCE, **of_evidence), **others)


@pytest.mark.parametrize(
    ("changes", "expected", "why"),
    [
        ({}, "confirmed", ()),
        ({"effects_differ": False}, "promising", ("omnibus",)),
        ({"contrast": LOSS}, "not_supported", ("direction",)),
        ({"effect": LOSS}, "not_supported", ("direction",)),
        ({"effect": ACROSS_ZERO}, "not_supported", ("interval",)),
        ({"effect": BELOW_ZERO_ACROSS_IT}, "not_supported", ("direction", "interval")),
        ({"effect": None, "contrast": None}, "not_supported", ("interval", "contrast")),
        ({"contrast": None}, "not_supported", ("contrast",)),
        ({"contrast": ACROSS_ZERO, "q_value": 0.5, "fcr_interval": None}, "not_supported", ("contrast",)),
        ({"q_value": 0.101, "fcr_interval": None}, "promising", ("contrast",)),
        ({"fcr_interval": (-0.1, 4.1)}, "promising", ("fcr",)),
        ({"fcr_interval": (0.0, 4.1)}, "promising", ("fcr",)),
        ({"n_control": 999}, "promising", ("users",)),
        ({"n_treatment": 999}, "promising", ("users",)),
        ({"independent_per_arm": 19}, "promising", ("users",)),
        (BINARY | {"rarer_outcomes": 50}, "confirmed", ()),
        (BINARY | {"rarer_outcomes": 49}, "promising", ("users",)),
        ({"n_control": 299, "rarer_outcomes": 50}, "promising", ("users",)),
        ({"share": 0.03}, "confirmed", ()),
        ({"share": 0.029}, "promising", ("coverage",)),
        ({"share": 0.60}, "confirmed", ()),
        ({"share": 0.61}, "promising", ("coverage",)),
        ({"stability": None}, "confirmed", ()),
        ({"stability": 0.599}, "promising", ("stability",)),
        ({"stability": 0.40}, "promising", ("stability",)),
        ({"stability": 0.399}, "not_supported", ("stability",)),
        ({"harms": True}, "promising", ("guardrail",)),
        ({"sample_ratio_p": None}, "confirmed", ()),
        ({"sample_ratio_p": 0.00099}, "promising", ("sample_ratio",)),
        ({"validity": "valid"}, "confirmed", ()),
        ({"validity": "invalid"}, "promising", ("invalid",)),
        ({"observational": True, "sample_ratio_p": None}, "promising", ("observational",)),
        ({"share": 0.7, "harms": True, "effects_differ": False}, "promising", ("omnibus", "coverage", "guardrail")),
    ],
)
def test_a_grade_needs_every_one_of_its_conditions_and_says_which_are_missing(changes, expected, why):
    assert grade(case(**changes)) == expected
    assert reasons(case(**changes)) == why


def test_a_negative_claim_is_graded_by_its_own_direction():
    losing = case(effect=LOSS, contrast=LOSS, fcr_interval=(-3.5, -0.5))
    assert grade(replace(losing, claimed=-1)) == "confirmed"
    assert grade(losing) == "not_supported"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, True), ({"effect": ACROSS_ZERO}, True), ({"share": 0.02}, False), ({"n_treatment": 999}, False)],
)
def test_a_rule_is_eligible_by_its_size_alone(changes, expected):
    assert eligible(replace(EVIDENCE, **changes)) == expected
