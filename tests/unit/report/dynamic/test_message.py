"""The message on a feed's day says why it comes, is short, stays within the robot's limits, and lets no name speak."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.report.dynamic import day_messages
from causal_tasks.report.message import MARKDOWN_BYTES
from tests.unit.report.conftest import HOSTILE
from tests.unit.report.dynamic import sample
from tests.unit.report.test_message import names

LINK = "https://store.example.com/lake/report.html?X-Amz-Expires=86400"
NEWS = ("first", "verdict_changed", "alarm", "guard_broken")


def content(result, language="en", link=LINK, **arguments):
    (message,) = day_messages(result, language, link, **arguments)
    assert message["msgtype"] == "markdown_v2"
    return message["markdown_v2"]["content"]


def test_the_message_tells_verdict_news_treatments_checks_and_what_to_do_in_that_order():
    assert content(sample.result(), "zh", news=["first", "alarm"]).split("\n") == [
        "**有收益** · 短视频",
        "逐次请求选择时长配比，比什么都不改更好：每次请求观看时长 +4.3% ［+2.7%, +6.0%］",
        "为何现在通知：该推荐流的首次结果；阈值漂移",
        "- more_long（long）：阈值 12.5 秒，占请求的 32.0%",
        "- more_short（short）：阈值 不启用，占请求的 0.0%",
        "检查：4 项通过，1 项注意，0 项未通过（阈值仍然合适）",
        "下一步：决策已上线。请让实验继续，以便再次测量。在据此下结论之前，请另取一批用户，把这套决策本身与对照做实验："
        "它对用户之后几天的影响不在这个数字里。",
        f"[打开完整报告]({LINK}) · 报告编号 videos.r1/2026-10-31",
    ]


@pytest.mark.parametrize("code", sample.CODES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_ending_is_told_briefly_and_links_to_the_report(code, language):
    text = content(sample.result(code), language, news=NEWS)
    assert len(text) <= 1400
    assert LINK in text


@pytest.mark.parametrize("code", [code for code in sample.CODES if code != "pays"])
def test_thresholds_that_are_not_served_are_not_told(code):
    assert "\n- " in content(sample.result())
    assert "\n- " not in content(sample.result(code))


def test_without_news_nothing_is_said_of_it():
    assert "Why now" not in content(sample.result())


def test_of_many_treatments_four_are_told():
    arms = {f"arm_{position}": "long" for position in range(6)}
    result = sample.result(feed={"treatments": arms})
    thresholds = {"chosen": dict.fromkeys(arms, 1.0), "switched_share": dict.fromkeys(arms, 0.1), "curve": []}
    result["thresholds"] |= thresholds
    lines = content(result).split("\n")
    assert sum(line.startswith("- ") for line in lines) == 4
    assert "2 more treatments in the report" in lines


def test_a_changed_result_is_marked_and_a_picture_travels_along():
    assert "(updated)" in content(sample.result(), updated=True).split("\n")[0]
    kinds = [message["msgtype"] for message in day_messages(sample.result(), "en", None, picture=b"PNG")]
    assert kinds == ["markdown_v2", "image"]


def test_a_missing_picture_is_told():
    result = sample.result()
    result["run"] = result["run"] | {"notes": ["picture_left_out"]}
    assert "No picture" in content(result)


def hostile(name):
    """A result in which every name that a user gives is this one."""
    display = {"zh": name, "en": name}
    responses = [one | {"display": display, "unit": display} for one in sample.FEED["responses"]]
    result = sample.result("guard_broken", feed={"name": name, "responses": responses, "treatments": {name: name}})
    result["thresholds"] |= {"chosen": {name: 12.5}, "switched_share": {name: 0.3}, "curve": []}
    return result


def test_hostile_names_neither_mention_nor_link_nor_format():
    told = content(hostile(HOSTILE)).replace(f"({LINK})", "")
    assert not {"<", ">", "@", "`"} & set(told)
    assert "://" not in told
    assert "](" not in told
    assert told.count("**") == 2


@settings(max_examples=25, deadline=None)
@given(names.filter(lambda name: name.strip()), st.integers(0, 3000))
def test_the_limit_in_bytes_holds_whatever_the_names_and_however_long_the_link(name, link_length):
    link = "https://store.example.com/" + "x" * link_length
    text = content(hostile(name), "zh", link, news=NEWS)
    assert len(text.encode()) <= MARKDOWN_BYTES
    assert link in text
    assert "护栏未守住" in text
