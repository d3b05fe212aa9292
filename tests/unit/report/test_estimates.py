"""Beside the headlined estimate stand all others, each with what it saves and what to mind."""

from causal_tasks.report.content import tell
from tests.unit.report import sample


def primary(**changes):
    """The primary metric's record, as ``measure`` writes it, with some fields changed."""
    numbers = (0.42, 0.35, 96.4)
    record = sample.measured("play_minutes", "primary", *numbers) | {"estimates": sample.estimates(*numbers)}
    return sample.result(changes={"effects": [record | changes]})


def test_every_estimator_is_told_with_its_precision_and_the_headlined_one_is_marked():
    rows = {row.method: row for row in tell(primary(), "zh").estimates}
    assert list(rows) == ["均值之差", "CUPED", "CUPAC", "MLRATE", "STATE（t 分布似然）", "双重差分"]
    assert [method for method, row in rows.items() if row.is_headline] == ["CUPED"]
    cuped = rows["CUPED"]
    assert (cuped.effect.estimate, cuped.variance, cuped.users) == ("+0.42 分钟", "0.64", "124,397（+56%）")
    assert (rows["均值之差"].variance, rows["均值之差"].users) == ("1.00", "79,614")


def test_what_to_mind_of_an_estimator_is_told_in_words():
    notes = {row.method: row.notes for row in tell(primary(), "en").estimates}
    assert notes["STATE (t likelihood)"] == ("3.20 degrees of freedom", "not the average effect, read CUPAC")
    assert notes["CUPED"] == ("312 users have no data before exposure and get the mean",)


def test_an_estimator_or_a_note_that_no_catalogue_knows_is_shown_as_it_is():
    odd = sample.average_effect(0.3, 0.3, 96.4, method="oracle", notes=["moon_phase: 3"])
    (row, _) = tell(primary(estimates=[odd, odd]), "zh").estimates
    assert (row.method, row.notes) == ("oracle", ("moon_phase: 3",))


def test_a_single_estimate_needs_no_comparison():
    effect = sample.average_effect(0.42, 0.35, 96.4)
    assert tell(primary(estimates=[effect]), "zh").estimates == ()


def test_with_several_treatments_each_estimate_names_its_own():
    effects = [record | {"estimates": sample.estimates(0.4, 0.3, 96.0)} for record in sample.effects(("a", "b"))[:2]]
    rows = tell(sample.several_arms(("a", "b"), {"effects": effects}), "en").estimates
    assert [row.treatment for row in rows] == ["a"] * 6 + ["b"] * 6


def test_the_overall_table_says_which_estimator_answers_for_which_metric():
    matched = tell(sample.observational(), "zh").overall
    assert (
        matched.note == "全体参与分析的用户。估计方法：倾向得分匹配（播放时长）；CUPED（活跃率、切歌次数、付费金额）。"
    )
    assert tell(sample.result(), "zh").overall.note == "全体参与分析的用户。估计方法：CUPED。"


def test_remarks_on_metrics_stand_below_the_table_once():
    effect = sample.average_effect(0.4, 0.3, 96.0, notes=["missing_outcome: 12"])
    records = [sample.measured("play_minutes", "primary", 0.4, 0.3, 96.0, treatment=arm) for arm in ("a", "b")]
    changes = {"effects": [record | {"effect": effect} for record in records]}
    overall = tell(sample.several_arms(("a", "b"), changes), "en").overall
    assert overall.remarks == ("play time: 12 users have no outcome and are left out",)


def test_effects_on_matched_users_alone_are_said_to_be():
    matched = [sample.measured("play_minutes", "primary", 1.9, 0.6, 96.4, headline="matching")]
    overall = tell(sample.observational({"effects": matched}), "zh").overall
    assert overall.note == "匹配上的用户。估计方法：倾向得分匹配。"


def test_only_a_headlined_difference_in_differences_is_said_to_be_one():
    change = sample.average_effect(0.5, 0.4, 96.4, method="difference_in_differences", notes=["did_headline"])
    record = sample.measured("play_minutes", "primary", 1.9, 0.6, 96.4, headline="matching")
    result = sample.observational({"effects": [record | {"estimates": [record["effect"], change]}]})
    assert [row.notes for row in tell(result, "zh").estimates] == [(), ()]
