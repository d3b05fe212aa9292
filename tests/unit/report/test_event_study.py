"""Difference in differences is told with the proof, or the doubt, that the arms ran alike before."""

import re

import pytest

from causal_tasks.report.charts import NARROW, WIDE, event_study_chart, to_svg
from causal_tasks.report.content import tell
from causal_tasks.report.html import render_html
from tests.unit.report import sample

HEADLINED = [sample.measured("play_minutes", "primary", 0.47, 0.2, 96.4, headline="did")]


def study(language="zh", **changes):
    (record, *_) = sample.did(trend=changes.pop("trend", 0.0))
    record |= {"event_study": record["event_study"] | changes}
    (told,) = tell(sample.result(changes={"did": [record]}), language).differences.studies
    return told


def test_arms_on_parallel_paths_are_said_to_be():
    told = study()
    assert told.title == "实验前两组走势一致（检验 p = 0.520）"
    assert told.y_title == "播放时长之差，每人每日（分钟）"


def test_arms_that_parted_before_the_start_are_told_with_the_slope():
    told = study("en", trend=-0.02)
    assert "already on different paths (p < 0.001)" in told.title
    assert "Slope before exposure −0.0200 minutes per day [−0.0278, −0.0122]" in told.caption


@pytest.mark.parametrize(
    "trend", [None, {"p_value": None, "statistic": None, "degrees": 1, "slope": {"estimate": None, "interval": None}}]
)
def test_a_trend_that_could_not_be_tested_is_left_open(trend):
    told = study(pre_trend=trend)
    assert told.title == "实验前时段太少，无法检验两组走势是否一致"


def test_periods_lie_where_their_days_are_and_the_reference_is_zero():
    told = study()
    assert [(point.first_day, point.last_day) for point in told.points][:2] == [(-14, -13), (-12, -11)]
    (reference,) = (point for point in told.points if point.is_reference)
    assert (reference.last_day, reference.estimate, reference.low, reference.high) == (-1, 0.0, 0.0, 0.0)
    assert [point.first_day for point in told.points if point.is_after] == list(range(7))
    assert told.rows[6] == ("−2 至 −1", "基期", "—")
    assert told.rows[7] == ("0", "+0.06 分钟", "[−0.08, +0.20]")


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_the_chart_marks_the_start_and_every_period(layout):
    svg = to_svg(event_study_chart(study(), layout, "safe"), layout)
    assert "首次曝光" in svg
    assert len(re.findall(r'<path transform="translate[^>]+d="M\d\.\d+,0A', svg)) == 14


def test_without_a_pre_window_there_is_no_section():
    assert tell(sample.result(changes={"did": []}), "zh").differences is None


def test_a_metric_without_an_event_study_is_in_the_table_alone():
    differences = tell(sample.result(), "zh").differences
    assert [row.metric for row in differences.rows] == ["播放时长", "活跃率"]
    assert len(differences.studies) == 1


def test_a_headlined_difference_in_differences_is_told_before_the_number_and_shown_up_front():
    changes = {"effects": HEADLINED, "subpopulations": None, "tree": None, "evidence": None, "tuning": {}}
    result = sample.result("too_small", changes, delivery={"languages": ["zh"]})
    assert result["notes"] == ["did_headline"]
    content = tell(result, "zh")
    assert content.overall.method == "实验前两组已有差异，整体效果为双重差分估计（已扣除实验前的差异）。"
    main, appendix = render_html(result).split('<section class="appendix">')
    assert "实验前两组走势一致" in main
    assert appendix.count("<picture>") == 0


def test_otherwise_the_event_study_is_for_data_scientists(page):
    main, appendix = page.split("</article>")[0].split('<section class="appendix">')
    assert "事件研究图" not in main
    assert "事件研究图" in appendix


@pytest.mark.parametrize("note", ["did_refused", "pre_trend_untested"])
def test_a_doubt_about_the_difference_in_differences_heads_the_report(note):
    (record,) = HEADLINED
    effect = record["effect"] | {"notes": [note]}
    result = sample.result(changes={"effects": [record | {"effect": effect}]})
    assert note in result["notes"]
