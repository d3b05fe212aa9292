"""A rule is told with what to expect of it, why it may not be trusted, and what it costs its users."""

import pytest

from causal_tasks.report.content import tell
from causal_tasks.report.markdown import render_markdown
from tests.unit.report import sample
from tests.unit.report.sample_effects import estimate_of
from tests.unit.report.sample_rules import REASONS


def rule(language="zh", grade="confirmed", **changes):
    record = sample.segment(sample.YOUNG_NIGHT, 1, "positive", 7.9, 1.1, 0.164, grade) | changes
    (told,) = tell(sample.result("found_positive", {"subpopulations": [record]}), language).segments.shown
    return told


def test_the_shrunken_effect_and_the_wider_interval_stand_beside_the_plain_ones():
    told = rule()
    assert (told.effect.estimate, told.effect.interval) == ("+7.9 分钟", "[+5.7, +10.1]")
    assert (told.shrunken, told.fcr) == ("+6.3 分钟", "[+5.3, +10.5]")


def test_the_forest_plot_has_both_intervals_and_the_shrunken_effect():
    row = tell(sample.result("found_positive"), "zh").forest.rows[0]
    assert (row.low, row.high) == pytest.approx((7.9 - 1.96 * 1.1, 7.9 + 1.96 * 1.1))
    assert row.adjusted == pytest.approx((7.9 - 2.4 * 1.1, 7.9 + 2.4 * 1.1))
    assert row.shrunken == pytest.approx(0.8 * 7.9)


@pytest.mark.parametrize(("jaccard", "word"), [(0.83, "稳定"), (0.5, "不够稳定"), (0.2, "不稳定")])
def test_stability_is_a_word_with_its_numbers(jaccard, word):
    stability = {"jaccard": jaccard, "frequency": 0.92, "seeds": None, "features": {}, "cuts": {}}
    assert rule(stability=stability).stability == f"{word}（重抽样重合 {jaccard:.0%}，92% 的树找到它）"


def test_cut_points_are_told_with_how_many_trees_use_the_feature():
    assert rule("en").cuts == (
        "age: used by 96% of trees, cut at 22.5 / 25 / 30",
        "share of night listening: used by 96% of trees, cut at 0.27 / 0.3 / 0.36",
    )


def test_what_was_not_measured_is_left_out():
    told = rule(
        stability=None, fcr_interval=None, shrunken=None, metric_share=None, sample_ratio_p=None, in_sample=None,
        guardrails=[{"metric": "active", "effect": None, "tone": "unclear"}],
    )  # fmt: skip
    assert (told.stability, told.fcr, told.shrunken, told.metric_share, told.sample_ratio) == ("", "", "", "", "")
    assert (told.in_sample, told.fcr_bounds, told.guardrails, told.cuts) == (None, None, (), ())


def test_every_reason_against_a_rule_has_its_words():
    codes = [
        "omnibus", "direction", "interval", "contrast", "fcr", "users", "coverage", "stability", "guardrail",
        "sample_ratio", "invalid", "observational",
    ]  # fmt: skip
    assert rule(grade="not_supported", reasons=codes).reasons.count("；") == len(codes) - 1
    assert rule(grade="promising").reasons == "多选校正后的区间含零；换一批用户就不一定能再找到"
    assert rule(reasons=REASONS["confirmed"]).reasons == ""


def test_a_guardrail_inside_is_good_or_bad_in_its_own_direction():
    guardrail = {"metric": "skips", "effect": estimate_of(2.0, 0.3), "tone": "bad"}
    ((name, effect),) = rule(guardrails=[guardrail]).guardrails
    assert (name, effect.tone, effect.arrow) == ("切歌次数", "bad", "▲")


def test_a_rule_that_cannot_be_targeted_says_so_and_the_report_warns():
    record = sample.segment(sample.YOUNG_NIGHT, 1, "positive", 7.9, 1.1, 0.1, "confirmed", actionable=False)
    result = sample.result("found_positive", {"subpopulations": [record]})
    (told,) = tell(result, "zh").segments.shown
    assert told.targeting == "含不能直接定向的特征"
    assert "not_actionable" in result["notes"]


def test_only_a_notable_overlap_with_another_rule_is_told():
    records = [
        sample.segment(sample.YOUNG_NIGHT, 1, "positive", 7.9, 1.1, 0.1, "confirmed", overlap={"s2": 0.31, "s3": 0.02}),
        sample.segment(sample.NEW_MEMBER, 2, "positive", 3.6, 0.9, 0.1, "confirmed", overlap={}),
        sample.segment(sample.TABLET, 3, "positive", 2.4, 0.9, 0.1, "confirmed", overlap={}),
    ]
    told = tell(sample.result("found_positive", {"subpopulations": records}), "en").segments.shown
    assert told[0].overlaps == ("member level is silver / gold and days since sign-up ≤ 90: 31%",)


def test_the_flattering_effect_is_for_data_scientists(page):
    main, appendix = page.split("</article>")[0].split('<section class="appendix">')
    assert "+11.1 分钟 [+9.3, +12.8]" in appendix
    assert "+11.1 分钟" not in main


def test_a_rule_left_out_because_another_treatment_has_it_too_is_named():
    repeat = {
        "treatment": "b", "kind": "positive", "rule": {}, "words": {"zh": "年龄 ≤ 26", "en": "age ≤ 26"}, "of": "s1",
        "jaccard": 0.83, "grade": "confirmed",
    }  # fmt: skip
    evidence = sample.evidence(treatments=("a", "b")) | {"repeats": [repeat]}
    result = sample.several_arms(("a", "b"), {"evidence": evidence})
    (sentence,) = tell(result, "zh").segments.repeats
    assert sentence == "年龄 ≤ 26（b）与「年龄 ≤ 25 且 夜间收听占比 > 0.3」覆盖的用户基本相同（重合 83%），不另列出。"
    assert "年龄 ≤ 26（b）" in render_markdown(result, "zh")
