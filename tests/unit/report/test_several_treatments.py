"""With several treatments every part names the one that it speaks of; with one nothing is named."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.report.charts import NARROW, WIDE, forest_chart, to_svg
from causal_tasks.report.content import tell
from causal_tasks.report.html import render_html
from causal_tasks.report.markdown import render_markdown
from causal_tasks.report.message import MARKDOWN_BYTES, READABLE_CHARACTERS, result_messages
from tests.unit.report import sample

MAILS = ("Mens E-Mail", "Womens E-Mail", "Kids E-Mail", "Sale E-Mail")
LINK = "https://store.example.com/lake/report.html?X-Amz-Signature=abc"


@pytest.fixture(scope="module")
def result():
    return sample.several_arms(MAILS[:3], delivery={"languages": ["en"]})


@pytest.fixture(scope="module")
def content(result):
    return tell(result, "en")


@pytest.fixture(scope="module")
def grouped(result):
    """The page with three treatments."""
    return render_html(result)


def message(result, language="en"):
    return result_messages(result, language, LINK)[0]["markdown_v2"]["content"]


def section(page, heading):
    return page.split(f"<h2>{heading}</h2>")[1].split("<h2>")[0]


def test_the_overall_effect_is_told_once_for_each_treatment_and_the_metric_once(grouped):
    overall = section(grouped, "Overall effect")
    tiles = re.search(r'<div class="tiles">.*?</div>\n<div', overall, re.DOTALL)[0]
    assert [tiles.count(f"<h3>{arm}</h3>") for arm in MAILS[:3]] == [1, 1, 1]
    assert overall.count("Each treatment against control, play time:") == 1
    assert overall.count('rowspan="3">play time') == 1
    assert "this experiment can't tell" not in overall


def test_cards_stand_under_their_treatment_in_the_order_of_the_experiment(grouped):
    cards = section(grouped, "Who benefits, who is harmed")
    assert re.findall(r'<h3 class="arm">([^<]+)</h3>', cards) == [*MAILS[:2], MAILS[1], MAILS[2]]
    assert cards.count('<span class="tag">Mens E-Mail</span>') == 2


def test_the_forest_plot_groups_rows_by_treatment_and_ends_each_group_with_all_users(content):
    rows = content.forest.rows
    assert [row.treatment for row in rows] == [MAILS[0]] * 3 + [MAILS[1]] * 3 + [MAILS[2]] * 2
    assert [i for i, row in enumerate(rows) if row.label == "All users"] == [2, 5, 7]
    assert content.forest.reference is None


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_the_forest_plot_writes_each_treatment_once_and_above_its_rows(content, layout):
    chart = forest_chart(content.forest, layout, "safe")
    assert "Kids E-Mail" in to_svg(chart, layout)
    drawn = chart.to_dict(validate=False)
    *_, rows, headings = (drawn["datasets"][layer["data"]["name"]] for layer in drawn["layer"])
    assert [heading["label"] for heading in headings] == list(MAILS[:3])
    tops = [heading["y"] for heading in headings]
    assert tops[0] < rows[0]["label_y"] < rows[2]["y"] < tops[1] < rows[3]["label_y"] < rows[5]["y"] < tops[2]


def test_the_picture_for_the_chat_leaves_out_rules_without_support(content):
    assert len(content.forest.brief().rows) == len(content.forest.rows) - 1
    one = tell(sample.result("found_positive"), "en").forest
    assert one.brief() == one


def test_gain_curves_share_one_scale_and_their_boilerplate(grouped, content):
    assert len({curve.y_range for curve in content.curves}) == 1
    assert content.curves[0].y_range[1] == pytest.approx(max(high for c in content.curves for *_, high in c.points))
    curves = section(grouped, "Gain from targeting by the model")
    assert curves.count("The band is a 95% interval") == 1
    assert [curves.count(f'<h3 class="arm">{arm}</h3>') for arm in MAILS[:3]] == [2, 2, 2]


def test_sql_and_tree_name_their_treatment(grouped, result):
    assert "<p>Womens E-Mail: device is pad" in grouped
    assert grouped.count('<h3 class="arm">Kids E-Mail</h3>\n\n<ul class="tree">') == 1
    markdown = render_markdown(result, "en")
    assert "Treatment Kids E-Mail\n\n```sql" in markdown


def test_the_message_groups_rules_under_their_treatment(result):
    lines = message(result).split("\n")
    assert lines[1] == "Primary metric: play time"
    assert [line[:20] for line in lines[2:8]] == [
        "**Mens E-Mail** over",
        "- ▲ age ≤ 25 and sha",
        "- ▼ member level is ",
        "**Womens E-Mail** ov",
        "- ▲ member level is ",
        "**Kids E-Mail** over",
    ]


def test_the_message_of_four_treatments_with_long_rules_keeps_checks_and_next_step():
    rule = sample.segment(sample.LONG_VIP, 1, "positive", 7.9, 1.1, 0.164, "confirmed")
    words = dict.fromkeys(("zh", "en"), "会员等级属于 vip 且 注册天数大于两年的老用户" * 9)
    rules = [
        rule | {"treatment": arm, "kind": kind, "words": words} for kind in ("positive", "negative") for arm in MAILS
    ]
    told = message(sample.several_arms(MAILS, {"subpopulations": rules}), "zh")
    assert len(told.encode()) <= MARKDOWN_BYTES
    assert len(told.replace(LINK, "")) <= READABLE_CHARACTERS + 100
    assert [told.count(f"**{arm}**") for arm in MAILS] == [1, 1, 1, 1]
    assert "另有 4 条见报告" in told
    assert "下一步：" in told
    assert told.split("\n")[-1].startswith("[打开完整报告]")


labels = st.lists(st.text("音🎵a*_<@[`|", min_size=1, max_size=128), min_size=2, max_size=4, unique=True)


@settings(max_examples=15, deadline=None)
@given(labels.filter(lambda arms: "control" not in arms))
def test_labels_of_treatments_neither_break_the_limit_nor_mark_up_the_message(arms):
    told = message(sample.several_arms(tuple(arms)), "zh")
    assert len(told.encode()) <= MARKDOWN_BYTES
    assert not {"<", "@", "`"} & set(told.replace(LINK, ""))
    assert told.count("**") % 2 == 0


def test_with_one_treatment_nothing_is_grouped(page):
    for mark in ('class="arm"', 'class="tiles"', "rowspan", "by-arm"):
        assert mark not in page.split("</style>")[1]
    assert all(row.treatment is None for row in tell(sample.result(), "en").forest.rows)
