"""The message on an allocation is short, stays within the robot's limits, and lets no name speak for it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.report.allocation import allocation_messages
from causal_tasks.report.message import MARKDOWN_BYTES
from tests.unit.report.allocation import sample
from tests.unit.report.conftest import HOSTILE
from tests.unit.report.test_message import names

LINK = "https://store.example.com/lake/allocation.html?X-Amz-Expires=86400"
CODES = ("targeting_pays", "targeting_not_shown", "targeting_harms", "invalid", "not_possible")


def content(result, language="en", link=LINK, **arguments):
    (message,) = allocation_messages(result, language, link, **arguments)
    assert message["msgtype"] == "markdown_v2"
    return message["markdown_v2"]["content"]


def test_the_message_tells_verdict_budgets_method_checks_and_what_to_do_in_that_order():
    assert content(sample.result(), "zh").split("\n") == [
        "**因人而异更划算** · 午间红包",
        "人均预算 0.40 元 至 1.25 元（3 档预算平均），因人而异地分配比人人相同更划算：每人午间下单 +0.118 单 "
        "［+0.077, +0.159］；人均 0.40 元 的分配：无券 占 51%、满30减10 占 33%、满30减5 占 16%",
        "- 人均 0.40 元：比人人相同 ▲ +0.130 单 [+0.079, +0.181]；再多花 1 元，约换来 0.71 单",
        "- 人均 0.80 元：比人人相同 ▲ +0.119 单 [+0.068, +0.170]；再多花 1 元，约换来 0.52 单",
        "- 人均 1.25 元：比人人相同 ▲ +0.106 单 [+0.055, +0.157]；再多花 1 元，约换来 0.30 单",
        "方法：decision_focused；6 个方法中 2 个失败",
        "检查：15 项通过，3 项注意，0 项未通过（跨组用户、取值不变的特征、像编号的特征）",
        "下一步：按分配文件发放（方法 decision_focused）。请随机留出一小部分用户采用人人相同的方案，以便再次测量收益；"
        "预算变化时重新求解即可，无须重新训练。",
        f"[打开完整报告]({LINK}) · 报告编号 lunch_coupons.r1",
    ]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_ending_is_told_briefly_and_links_to_the_report(code, language):
    text = content(sample.result(code), language)
    assert len(text) <= 1400
    assert LINK in text


def test_of_many_budgets_four_are_told():
    many = tuple(round(0.1 * step, 1) for step in range(1, 13))
    lines = content(sample.result(budgets=many)).split("\n")
    assert sum(line.startswith("- ") for line in lines) == 4
    assert "8 more budgets in the report" in lines


def test_nothing_allocated_pushes_no_budget_and_no_method():
    text = content(sample.result("invalid"))
    assert "- " not in text
    assert "Method:" not in text


def test_a_changed_result_is_marked_and_a_picture_travels_along():
    assert "(updated)" in content(sample.result(), updated=True).split("\n")[0]
    kinds = [m["msgtype"] for m in allocation_messages(sample.result(), "en", None, picture=b"PNG")]
    assert kinds == ["markdown_v2", "image"]


def test_a_missing_picture_is_told():
    result = sample.result()
    result["run"] = result["run"] | {"notes": ["picture_left_out"]}
    assert "No picture" in content(result)


def test_hostile_names_neither_mention_nor_link_nor_format():
    display = {"zh": HOSTILE, "en": HOSTILE}
    metrics = [metric | {"display": display, "unit": display} for metric in sample.STATEMENT["metrics"]]
    result = sample.result(arms=(HOSTILE[:120], HOSTILE[1:121]), statement={"name": HOSTILE, "metrics": metrics})
    told = content(result).replace(f"({LINK})", "")
    assert not {"<", ">", "@", "`"} & set(told)
    assert "://" not in told
    assert "](" not in told
    assert told.count("**") == 2


@settings(max_examples=25, deadline=None)
@given(names.filter(lambda name: name.strip()), names, st.integers(0, 3000))
def test_the_limit_in_bytes_holds_whatever_the_names_and_however_long_the_link(name, unit, link_length):
    metrics = [metric | {"display": {"zh": name}, "unit": {"zh": unit}} for metric in sample.STATEMENT["metrics"]]
    link = "https://store.example.com/" + "x" * link_length
    arms = (name[:100] + "a", name[:100] + "b", name[:100] + "c")
    text = content(sample.result(arms=arms, statement={"name": name, "metrics": metrics}), "zh", link)
    assert len(text.encode()) <= MARKDOWN_BYTES
    assert link in text
    assert "因人而异更划算" in text
