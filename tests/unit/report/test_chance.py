"""Rules expected by chance stand beside the rules that were found."""

from causal_tasks.report.content import tell
from tests.unit.report import sample


def test_rules_expected_by_chance_are_told_beside_rules_found():
    chance = tell(sample.result("found_both"), "zh").chance
    assert chance.sentence == (
        "用同样的流程在没有人群差异的数据上挖掘了 3 次，平均每次偶然得到 0.3 条「证据充分」的规则；本次实际得到 3 条。"
    )
    assert chance.brief == "预计偶然得到 0.3 条，实际 3 条"


def test_every_placebo_run_is_listed():
    assert tell(sample.result(), "en").chance.rows == (
        ("Primary metric before exposure as the outcome", "13", "1", "2", "0"),
        ("Arms dealt anew, run 1", "15", "1", "0", "1"),
        ("Arms dealt anew, run 2", "12", "0", "1", "0"),
    )


def test_a_run_that_finds_no_more_than_chance_is_warned_of():
    placebo = sample.placebo(sample.subpopulations("found_positive"))
    assert "chance" in sample.result("found_positive", {"placebo": placebo | {"expected": 1.0}})["notes"]
    assert "chance" not in sample.result("found_positive")["notes"]
    assert "chance" not in sample.result("nothing_found")["notes"]


def test_placebo_runs_that_failed_are_told_and_without_any_nothing_is_said():
    none_done = sample.placebo([]) | {"items": [], "missing": ["permuted_1"], "expected": None}
    result = sample.result(changes={"placebo": none_done})
    assert "placebos_failed" in result["notes"]
    assert tell(result, "zh").chance is None
    assert tell(sample.result(changes={"placebo": None}), "zh").chance is None
