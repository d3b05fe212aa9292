"""Whether effects differ at all is said before any rule, with its numbers."""

import re

import pytest

from causal_tasks.report.charts import TILE, calibration_chart, groups_chart, to_svg, toc_chart
from causal_tasks.report.content import tell
from tests.unit.report import sample
from tests.unit.report.sample_effects import estimate_of


def heterogeneity(language="zh", *, flat=False, **changes):
    evidence = sample.evidence(flat=flat)
    evidence["heterogeneity"] = {"treatment": evidence["heterogeneity"]["treatment"] | changes}
    (told,) = tell(sample.result(changes={"evidence": evidence}), language).heterogeneity
    return told


def test_effects_that_differ_are_told_in_plain_words_with_the_omnibus_p():
    told = heterogeneity()
    assert told.sentence.startswith("效果因人而异，并非偶然（p < 0.001）")
    assert told.is_shown


def test_effects_that_do_not_differ_are_told_as_no_evidence():
    told = heterogeneity("en", flat=True)
    assert told.sentence.startswith("Nothing shows that effects differ among users (p = 0.510)")
    assert told.toc.title.startswith("The 20% of users ranked first can't be told from the average user")
    assert told.groups.title.startswith("Measured, the predicted best and worst fifths can't be told apart")
    assert told.calibration.title.startswith("Predicted differences do not show in what was measured")


def test_what_could_not_be_tested_is_left_out_and_said():
    evidence = sample.evidence() | {"autoc": {"treatment": None}, "toc": {"treatment": []}}
    evidence["heterogeneity"] = {
        "treatment": {
            "omnibus": {"p_value": None, "passed": False, "tests": {}},
            "blp": None,
            "calibration": None,
            "groups": [],
            "top_minus_bottom": None,
            "monotone": None,
        }
    }
    (told,) = tell(sample.result(changes={"evidence": evidence}), "zh").heterogeneity
    assert told.sentence.startswith("用户太少或预测没有差别，无法检验效果是否因人而异")
    assert (told.toc, told.groups, told.calibration, told.tests) == (None, None, None, ())


def test_tests_are_listed_with_estimate_and_p_value():
    tests = {name: (value, p) for name, value, p in heterogeneity().tests}
    assert tests["AUTOC（单侧）"][0] == "+2.4 分钟 [+1.3, +3.5]"
    assert tests["BLP 斜率（异质性）"] == ("0.86 [0.55, 1.17]", "<0.001")
    assert tests["BLP 平均效应"] == ("+0.41 分钟 [−0.30, +1.12]", "0.250")
    assert tests["预测最好五分之一减最差五分之一"][0] == "+11.0 分钟 [+8.8, +13.2]"


def test_groups_run_from_the_predicted_best_with_measured_and_predicted_effects():
    groups = heterogeneity().groups
    assert groups.title == "预测最好的五分之一比最差的五分之一多 +11.0 分钟 [+8.8, +13.2]"
    assert [bar.estimate for bar in groups.bars] == [6.1, 2.2, 0.6, -1.1, -4.9]
    assert [bar.tone for bar in groups.bars] == ["good", "good", "unclear", "unclear", "bad"]
    assert groups.rows[0] == ("1", "6,408", "+7.2 分钟", "+6.1 分钟", "[+4.5, +7.7]")


@pytest.mark.parametrize(
    ("spread", "words"),
    [((0.9, 0.1), "幅度与实测相符"), ((0.3, 0.1), "幅度与实测不符"), ((0.1, 0.2), "在实测中看不出来")],
)
def test_calibration_says_whether_predictions_have_the_right_size(spread, words):
    calibration = sample.evidence()["heterogeneity"]["treatment"]["calibration"] | {"spread": estimate_of(*spread)}
    assert words in heterogeneity(calibration=calibration).calibration.title


def test_scores_of_a_share_are_percentage_points():
    metrics = [sample.STATEMENT["metrics"][1] | {"role": "primary"}]
    effects = [sample.measured("active", "primary", 0.004, 0.0016, 0.713)]
    rule = sample.segment(sample.YOUNG_NIGHT, 1, "positive", 0.02, 0.004, 0.1, "confirmed", guardrails=[])
    changes = {"effects": effects, "subpopulations": [rule], "did": [], "checks": []}
    told = tell(sample.result("found_positive", changes, metrics=metrics), "en")
    assert told.heterogeneity[0].tests[0][1].startswith("+241 pp")
    assert told.heterogeneity[0].toc.y_title == "Effect above average (percentage points)"


def test_each_treatment_has_its_own_verdict():
    told = tell(sample.several_arms(("a", "b")), "en").heterogeneity
    assert [found.treatment for found in told] == ["a", "b"]
    assert [found.treatment for found in tell(sample.result(), "en").heterogeneity] == [None]


def test_the_charts_draw_every_group_and_point():
    told = heterogeneity()
    groups = to_svg(groups_chart(told.groups, TILE, "safe"), TILE)
    assert all(f">{label}<" in groups for label in "12345")
    calibration = to_svg(calibration_chart(told.calibration, TILE, "safe"), TILE)
    assert len(re.findall(r'<path transform="translate[^>]+d="M\d\.\d+,0A', calibration)) == 20
    assert "比平均多出的效果（分钟）" in to_svg(toc_chart(told.toc, TILE, "safe"), TILE)


def test_a_handful_of_users_does_not_set_the_scale_of_the_toc_curve():
    evidence = sample.evidence()
    evidence["toc"]["treatment"][1] |= {"low": -900.0, "high": 900.0}
    (told,) = tell(sample.result(changes={"evidence": evidence}), "zh").heterogeneity
    drawn = toc_chart(told.toc, TILE, "safe").to_dict(validate=False)
    domains = [layer["encoding"]["y"]["scale"]["domain"] for layer in drawn["layer"]]
    assert max(max(domain) for domain in domains) < 20
