"""The section on models: who won, whether that matters, how each candidate did, and what failed."""

import re

import pytest

from causal_tasks.report.content import tell
from causal_tasks.report.markdown import render_markdown
from causal_tasks.report.message import result_messages
from tests.unit.report import sample
from tests.unit.report import sample_models as models


def told(language="en", **changes):
    return tell(sample.result("found_positive", changes), language).models


def selected(winner, *rows, distinguishable=False):
    return models.selection(winner=winner, board=list(rows), distinguishable=distinguishable)


def test_the_winner_is_named_with_its_parameters():
    assert told("zh").title == "x_lightgbm（调参后）的排序最好，用于寻找规则"
    default = selected("t_lightgbm", models.entrant("t_lightgbm", 1.1), models.entrant("s_xgboost", 1.0, -0.1))
    assert told(selection=default).title == (
        "t_lightgbm (default parameters) ranked users best and was used to find the rules"
    )


def test_candidates_within_the_noise_are_named_and_those_below_it_are_not():
    standing = told().standing
    assert "not distinguishable from t_lightgbm, as its lead is within the noise" in standing
    assert "the choice among them hardly matters" in standing
    assert "s_xgboost" not in standing


def test_a_winner_that_beats_every_other_candidate_is_said_to():
    board = (models.entrant("x_lightgbm", 1.3), models.entrant("t_lightgbm", 0.7, -0.6))
    standing = told("zh", selection=selected("x_lightgbm", *board, distinguishable=True)).standing
    assert standing == "它对其余每个候选模型的领先都超出了随机波动，确实排得更准。"


def test_a_single_finalist_is_not_said_to_have_beaten_anybody():
    board = (models.entrant("x_lightgbm.tuned", 1.3), models.entrant("x_lightgbm", 0.7, -0.6))
    standing = told(selection=selected("x_lightgbm.tuned", *board)).standing
    assert standing == "It was the only candidate in the final comparison, so there is nothing to hold it against."


@pytest.mark.parametrize(("difference", "is_told"), [(-0.1, True), (-0.6, False)])
def test_tuning_that_made_no_difference_in_the_comparison_is_told(difference, is_told):
    board = (models.entrant("x_lightgbm.tuned", 1.3), models.entrant("x_lightgbm", 1.2, difference))
    standing = told(selection=selected("x_lightgbm.tuned", *board)).standing
    assert ("no distinguishable difference" in standing) == is_told


def test_the_board_tells_score_paired_difference_and_state_of_each_entrant():
    board = told("zh").board
    assert [(row.candidate, row.parameters, row.state) for row in board] == [
        ("x_lightgbm", "调参后", "winner"),
        ("t_lightgbm", "调参后", "close"),
        ("x_lightgbm", "默认参数", "close"),
        ("t_lightgbm", "默认参数", "close"),
        ("s_xgboost", "默认参数", "worse"),
    ]
    assert board[0].auuc == "+1.26 分钟 [+0.65, +1.87]"
    assert (board[0].to_winner, board[4].to_winner) == ("—", "−0.55 分钟 [−0.80, −0.30]")


def test_an_interval_that_could_not_be_estimated_leaves_the_difference_open():
    row = models.entrant("s_xgboost", 0.9, -0.4)
    row["difference_to_winner"]["interval"] = [None, None]
    section = told(selection=selected("x_lightgbm", models.entrant("x_lightgbm", 1.3), row))
    assert section.board[1].state == "close"
    assert "s_xgboost" in section.standing


def test_all_candidates_are_ranked_with_score_time_memory_and_device():
    rows = told().candidates
    assert [row.candidate for row in rows] == list(models.SCORES)
    assert [row.candidate for row in rows if row.is_finalist] == list(models.FINALISTS)
    first = rows[0]
    assert (first.auuc, first.spread) == ("+1.21 minutes [+0.81, +1.61]", ("3.1 minutes",))
    assert (first.seconds, first.memory, first.device) == ("33.4 s", "812 MB", "cpu")


def test_seconds_memory_and_device_come_from_the_run_and_not_from_the_result():
    result = sample.result()
    result["run"] = sample.RUN | {
        "candidates": {key: {"device": "cuda", "seconds": 2.0, "peak_memory_mb": 4000.0} for key in models.SCORES}
    }
    assert {(row.seconds, row.memory, row.device) for row in tell(result, "en").models.candidates} == {
        ("2.0 s", "4,000 MB", "cuda")
    }


def test_guards_and_notes_are_told_in_words():
    cards = models.cards()
    cards["x_lightgbm"] |= {"notes": ["small_arm", "propensity_estimated"]}
    remarks = {row.candidate: row.remarks for row in told(cards=cards).candidates}
    assert remarks["x_lightgbm"] == (
        "an arm is small, and this learner fits each arm by itself",
        "the chance of each arm was estimated by a model",
    )
    assert remarks["t_random_forest"] == (
        "predicts a mean effect of +2.9 minutes, but +0.4 minutes [−0.7, +1.6] was measured (99.9% interval)",
    )
    assert remarks["t_xgboost"] == ()


def test_with_several_treatments_scores_spreads_and_remarks_name_theirs():
    rows = tell(sample.several_arms(("a", "b")), "en").models.candidates
    assert (rows[0].auuc, rows[0].by_treatment) == (
        "+1.21 minutes",
        ("a: +1.31 minutes [+0.91, +1.71]", "b: +1.11 minutes [+0.71, +1.51]"),
    )
    assert rows[0].spread == ("a: 3.1 minutes", "b: 3.1 minutes")
    assert [remark[:3] for remark in rows[-1].remarks] == ["a: ", "b: "]


def test_failed_candidates_are_counted_named_and_listed_last_with_cause(page):
    page = page.split('lang="en"')[-1]
    assert page.count("2 of 9 candidates failed to train (s_random_forest, x_random_forest)") == 2
    table = re.search(r'<table class="candidates">.*?</table>', page, re.DOTALL)[0]
    assert re.findall(r"<code>(\w+)</code>", table) == [*models.SCORES, "s_random_forest", "x_random_forest"]
    assert "ran out of memory and left no record" in table
    assert "give the candidate more trees" in table


def test_a_failed_tuning_is_told_and_default_parameters_stand_in():
    found = models.FAILURES | {"tune/s_xgboost": models.TUNING_FAILURE}
    result = sample.result(changes={"failures": found})
    section = tell(result, "en").models
    assert "Tuning failed for s_xgboost, compared with default parameters only." in section.failures
    assert "Tuning of s\\_xgboost failed: fold 3 has no user" in render_markdown(result, "en")


def test_the_message_spends_one_short_line_on_failures():
    found = models.FAILURES | {"tune/s_xgboost": models.TUNING_FAILURE}
    (message,) = result_messages(sample.result(changes={"failures": found}), "zh", None)
    lines = message["markdown_v2"]["content"].split("\n")
    assert [line for line in lines if "失败" in line] == ["模型：9 个候选中 2 个训练失败、1 个调参失败"]


def test_a_run_without_failures_says_nothing_about_them():
    result = sample.result(changes={"failures": {}})
    (message,) = result_messages(result, "zh", None)
    assert tell(result, "zh").models.failures == ""
    assert "candidates_failed" not in result["notes"]
    assert "模型" not in message["markdown_v2"]["content"]


def test_where_every_candidate_failed_nothing_is_said_to_be_unaffected():
    section = tell(sample.result("no_model"), "zh").models
    assert section.failures.startswith("9 个候选模型全部训练失败")
    assert (section.title, section.standing, section.board, section.candidates) == ("没有模型完成训练", "", (), ())
    assert len(section.failed) == 9


def test_the_ranking_is_labelled_as_discovery(page):
    for text in (page, render_markdown(sample.result(), "zh")):
        assert "全部候选模型（发现集）" in text
        assert "不是最终的可信数字" in text
