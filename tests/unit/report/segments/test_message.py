"""The message on creative segments is short, stays within the robot's limits, and lets no name speak for it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.report.message import MARKDOWN_BYTES
from causal_tasks.report.segments import segment_messages
from tests.unit.report.conftest import HOSTILE
from tests.unit.report.segments import sample
from tests.unit.report.test_message import names

LINK = "https://store.example.com/lake/segments.html?X-Amz-Expires=86400"
CODES = (
    "segments_pay",
    "segments_not_shown",
    "segments_harm",
    "nothing_found",
    "one_segment",
    "invalid",
    "not_possible",
)


def content(result, language="en", link=LINK, **arguments):
    (message,) = segment_messages(result, language, link, **arguments)
    assert message["msgtype"] == "markdown_v2"
    return message["markdown_v2"]["content"]


def test_the_message_tells_verdict_segments_checks_and_what_to_do_in_that_order():
    assert content(sample.result(), "zh").split("\n") == [
        "**分人群投放更好** · 推送文案",
        "按合适的人群给每名用户看对应的创意，比人人看最好的那条创意（当年今日）更好：每人打开率 +1.24 个百分点 ［+0.83, +1.65］；"
        "创意作用一致的人群：怀旧；大体一致但有例外的人群：发现",
        "- 怀旧：作用一致；占用户 33%；打动的是：年龄偏高、会员不是 premium、地区未知、night_share偏高",
        "- 发现：大体一致，有例外；占用户 33%；打动的是：年龄偏低、new_songs偏高、会员为 premium",
        "- 优惠：特征区分不出用户；占用户 33%",
        "检查：15 项通过，3 项注意，0 项未通过（跨组用户、取值不变的特征、像编号的特征）",
        "下一步：按分配文件确定每名用户的人群，给他看该人群的任一条创意。请随机留出一小部分用户照旧看所有创意，以便再次测量收益。",
        f"[打开完整报告]({LINK}) · 报告编号 push_messages.r1",
    ]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_ending_is_told_briefly_and_links_to_the_report(code, language):
    text = content(sample.result(code), language)
    assert len(text) <= 1400
    assert LINK in text


def test_of_many_segments_four_are_told():
    named = {f"segment {position}": (f"creative {position}",) for position in range(7)}
    lines = content(sample.result(named=named)).split("\n")
    assert sum(line.startswith("- ") for line in lines) == 4
    assert "3 more segments in the report" in lines


def test_nothing_learned_pushes_no_segment():
    assert "- " not in content(sample.result("invalid"))


def test_a_changed_result_is_marked_and_a_picture_travels_along():
    assert "(updated)" in content(sample.result(), updated=True).split("\n")[0]
    kinds = [m["msgtype"] for m in segment_messages(sample.result(), "en", None, picture=b"PNG")]
    assert kinds == ["markdown_v2", "image"]


def test_a_missing_picture_is_told():
    result = sample.result()
    result["run"] = result["run"] | {"notes": ["picture_left_out"]}
    assert "No picture" in content(result)


def test_hostile_names_neither_mention_nor_link_nor_format():
    display = {"zh": HOSTILE, "en": HOSTILE}
    metrics = [metric | {"display": display} for metric in sample.STATEMENT["metrics"]]
    features = {"dictionary": {"age": {"display": display}}}
    named = {HOSTILE[:100]: (HOSTILE[:110], HOSTILE[1:111]), HOSTILE[2:100]: (HOSTILE[2:112],)}
    result = sample.result(named=named, statement={"name": HOSTILE, "metrics": metrics, "features": features})
    told = content(result).replace(f"({LINK})", "")
    assert not {"<", ">", "@", "`"} & set(told)
    assert "://" not in told
    assert "](" not in told
    assert told.count("**") == 2


@settings(max_examples=25, deadline=None)
@given(names.filter(lambda name: name.strip()), st.integers(0, 3000))
def test_the_limit_in_bytes_holds_whatever_the_names_and_however_long_the_link(name, link_length):
    metrics = [metric | {"display": {"zh": name}} for metric in sample.STATEMENT["metrics"]]
    features = {"dictionary": {"age": {"display": {"zh": name}}}}
    link = "https://store.example.com/" + "x" * link_length
    named = {name[:100] + str(row): (f"{name[:100]}{row}a", f"{name[:100]}{row}b") for row in range(6)}
    statement = {"name": name, "metrics": metrics, "features": features}
    text = content(sample.result(named=named, statement=statement), "zh", link)
    assert len(text.encode()) <= MARKDOWN_BYTES
    assert link in text
    assert "分人群投放更好" in text
