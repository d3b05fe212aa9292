"""Charts show the numbers of the result, and labels stay whole and harmless."""

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.report.charts import NARROW, WIDE, curve_chart, forest_chart, to_svg
from causal_tasks.report.content import tell
from causal_tasks.report.line_breaking import broken, display_width
from causal_tasks.report.palette import PALETTES, STATUS_COLOURS
from tests.unit.report import sample


def texts(svg):
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.fixture(scope="module")
def story():
    return tell(sample.result("found_both"), "zh")


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_the_forest_plot_writes_every_group_with_effect_and_interval(story, layout):
    shown = texts(to_svg(forest_chart(story.forest, layout, "safe"), layout))
    assert "▲ +7.9 分钟 [+5.7, +10.1]" in shown
    assert "▼ −6.2 分钟 [−8.6, −3.8]" in shown
    assert "全部用户" in shown
    assert "播放时长：策略 − 对照（分钟）" in shown


def test_groups_run_from_most_helped_to_most_harmed_and_all_users_come_last(story):
    estimates = [row.estimate for row in story.forest.rows]
    assert estimates == [7.9, 3.6, 2.4, -6.2, 0.42]
    assert story.forest.rows[-1].label == "全部用户"
    assert [row.is_solid for row in story.forest.rows] == [True, True, False, True, True]


def test_where_less_is_better_the_most_negative_effect_leads_and_is_good():
    metrics = [sample.STATEMENT["metrics"][0] | {"direction": "down"}, *sample.STATEMENT["metrics"][1:]]
    rules = [
        sample.segment(sample.YOUNG_NIGHT, 1, "positive", -5.0, 1.0, 0.1, "confirmed"),
        sample.segment(sample.LONG_VIP, 2, "negative", 4.0, 1.0, 0.1, "confirmed"),
    ]
    forest = tell(sample.result("found_both", {"subpopulations": rules}, metrics=metrics), "zh").forest
    assert [(row.estimate, row.tone) for row in forest.rows[:2]] == [(-5.0, "good"), (4.0, "bad")]
    assert forest.rows[0].numbers.startswith("▼ −5.0")


def test_points_lie_where_their_effects_are(story):
    chart = forest_chart(story.forest, WIDE, "safe")
    svg = to_svg(chart, WIDE)
    round_point = r'<path transform="translate\(([\d.]+),[\d.]+\)" d="M4\.\d+,0A'
    places = [float(x) for x in re.findall(round_point, svg)]
    effects = [row.estimate for row in story.forest.rows]
    slopes = [(places[i] - places[0]) / (effects[i] - effects[0]) for i in range(1, len(effects))]
    assert len(places) == 5
    assert max(slopes) - min(slopes) < 0.01 * slopes[0]


def test_the_title_of_the_curve_is_what_it_shows(story):
    (curve,) = story.curves
    assert curve.title == "只投放模型排序前 20% 的用户，人均收益 +0.92 分钟；随机投放同样多的人为 +0.08 分钟"
    assert "AUUC +1.08 分钟 [+0.59, +1.57]，随机为 +0.21 分钟" in curve.caption


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_both_lines_of_the_curve_are_labelled_directly(story, layout):
    shown = texts(to_svg(curve_chart(story.curves[0], layout, "safe"), layout))
    assert {"模型排序", "随机投放", "人均收益（分钟）", "100%"} <= set(shown)


def test_a_ranking_that_is_no_better_than_random_is_said_to_be():
    (curve,) = tell(sample.result("nothing_found"), "en").curves
    assert curve.title == "The model's ranking is not reliably better than random"


def test_a_label_with_markup_is_drawn_as_text():
    rule = sample.segment(sample.YOUNG_NIGHT, 1, "positive", 7.9, 1.1, 0.1, "confirmed")
    rule |= {"words": {"zh": "<b onclick=x>粗</b>", "en": "x"}}
    forest = tell(sample.result("found_positive", {"subpopulations": [rule]}), "zh").forest
    svg = to_svg(forest_chart(forest, WIDE, "safe"), WIDE)
    assert "<b " not in svg
    assert any("<b onclick=x>粗</b>" in text for text in texts(svg))


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    "colour",
    [colour for p in PALETTES.values() for colour in (p.good, p.bad, p.unclear)] + list(STATUS_COLOURS.values()),
)
def test_every_colour_is_readable_as_text_on_white(colour):
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


@given(st.text(st.sampled_from("abc 年龄≤>0.3（）、…")), st.integers(6, 60), st.integers(1, 4))
def test_labels_never_exceed_their_width_or_lines(text, width, lines):
    result = broken(text, width, lines=lines)
    assert 1 <= len(result) <= lines
    assert all(display_width(line) <= width for line in result)


@given(st.lists(st.text(st.sampled_from("abcde"), min_size=1, max_size=6), min_size=1, max_size=12))
def test_a_label_that_fits_loses_nothing(words):
    text = " ".join(words)
    assert " ".join(broken(text, 30, lines=20)) == text


def test_a_comparison_is_not_torn_apart():
    assert broken("注册天数 > 730", 12) == ["注册天数", "> 730"]
    assert broken("会员等级（或缺失）", 12) == ["会员等级（或", "缺失）"]
