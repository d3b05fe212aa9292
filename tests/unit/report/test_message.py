"""Messages stay within the robot's limits and say nothing on behalf of whoever chose a name."""

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.errors import InputError
from causal_tasks.report.message import (
    MARKDOWN_BYTES,
    TEXT_BYTES,
    failure_message,
    fit_lines,
    neutral,
    result_messages,
)
from tests.unit.report import sample
from tests.unit.report.conftest import HOSTILE

LINK = "https://store.example.com/lake/report.html?X-Amz-Signature=abc&X-Amz-Expires=86400"


def content(result, language="zh", link=LINK, **arguments):
    (message,) = result_messages(result, language, link, **arguments)
    assert message["msgtype"] == "markdown_v2"
    return message["markdown_v2"]["content"]


def test_the_message_tells_verdict_effect_segments_checks_next_step_and_link_in_that_order():
    assert content(sample.result("found_both")).split("\n") == [
        "**发现受益与受损人群** · 自动连播下一张专辑",
        "整体：播放时长 ◆ +0.42 分钟 [−0.27, +1.11]，尚不能区分",
        "- ▲ 年龄 ≤ 25 且 夜间收听占比 ＞ 0.3 ｜ 16.4% ｜ +7.9 分钟 [+5.7, +10.1] ｜ 证据充分",
        "- ▲ 会员等级属于 silver、gold 且 注册天数 ≤ 90 ｜ 11.8% ｜ +3.6 分钟 [+1.8, +5.4] ｜ 证据充分",
        "- ▼ 会员等级属于 vip 且 注册天数 ＞ 730（或缺失） ｜ 12.7% ｜ −6.2 分钟 [−8.6, −3.8] ｜ 证据充分",
        "安慰剂检验：预计偶然得到 0.3 条，实际 3 条",
        "检查：15 项通过，3 项注意，0 项未通过（跨组用户、取值不变的特征、像编号的特征）",
        "模型：9 个候选中 2 个训练失败",
        "下一步：建议对「年龄 ≤ 25 且 夜间收听占比 ＞ 0.3」的用户（约占 16.4%）等 2 类人群做一次后续实验，"
        "同时排除「会员等级属于 vip 且 注册天数 ＞ 730（或缺失）」的用户（约占 12.7%）；效果复现后再放量。",
        "后续实验：「年龄 ≤ 25 且 夜间收听占比 ＞ 0.3」每组 4,120 人，约 9 天，能看到 6.3 分钟以上的效果；另有 2 项见报告",
        f"[打开完整报告]({LINK}) · 报告编号 music_autoplay.r1",
    ]


@pytest.mark.parametrize("ending", sample.ENDINGS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_ending_is_told_briefly(ending, language):
    text = content(sample.result(ending), language)
    assert len(text) <= 1200
    assert LINK in text


def test_an_experiment_that_is_not_valid_pushes_no_segment():
    text = content(sample.result("invalid"))
    assert "证据充分" not in text
    assert "有苗头" not in text
    assert "暂不能用于决策" in text
    assert "1 项未通过（分流比例 SRM）" in text


def test_of_many_segments_three_are_told_and_both_kinds_among_them():
    many = [sample.segment(sample.YOUNG_NIGHT, n, "positive", 9.0 - n, 0.5, 0.1, "confirmed") for n in range(4)] + [
        sample.segment(sample.LONG_VIP, n, "negative", -6.0, 0.5, 0.1, "confirmed") for n in range(3)
    ]
    lines = content(sample.result("found_both", {"subpopulations": many})).split("\n")
    assert [line[2] for line in lines if line.startswith("- ")] == ["▲", "▲", "▼"]
    assert "另有 4 条见报告" in lines


def test_an_observational_comparison_is_marked_in_the_first_line_and_names_its_estimator():
    lines = content(sample.observational()).split("\n")
    assert lines[0] == "**有苗头，待验证** · 观察性比较 · 自动连播下一张专辑"
    assert lines[2] == "整体：播放时长 ▲ +1.9 分钟 [+0.7, +3.1]，变好（倾向得分匹配）"
    assert "请先做一次随机实验" in lines[-2]
    assert "观察性比较" not in content(sample.result())


def test_a_follow_up_tells_first_whether_the_rule_was_confirmed():
    lines = content(sample.follow_up_result(), "en").split("\n")
    assert lines[0].startswith("**Follow-up confirms** · ")
    assert lines[1].startswith("The follow-up experiment confirms that users where age ≤ 25")
    assert "measured +5.2 minutes" in lines[1]


def test_a_run_without_rules_says_nothing_about_chance_or_a_follow_up():
    text = content(sample.result("nothing_found"))
    assert "安慰剂检验" not in text
    assert "后续实验：" not in text


def test_a_follow_up_of_unknown_length_is_told_without_days():
    planned = [plan | {"days": None} for plan in sample.findings("found_positive").follow_up]
    lines = content(sample.result("found_positive", {"follow_up": planned})).split("\n")
    assert "后续实验：「年龄 ≤ 25 且 夜间收听占比 ＞ 0.3」每组 4,120 人，能看到 6.3 分钟以上的效果" in lines


def test_promising_rules_are_pushed_as_leads_and_not_as_findings():
    text = content(sample.result("leads_only"))
    assert text.startswith("**有苗头，待验证**")
    assert "不宜据此放量" in text
    assert not [line for line in text.split("\n") if line.startswith("- ")]


def test_a_changed_result_is_marked_as_updated():
    assert "（已更新）" in content(sample.result(), updated=True).split("\n")[0]
    assert "（已更新）" not in content(sample.result())


def test_a_local_path_is_given_as_text_and_no_link_at_all_is_allowed():
    assert "\nfile:///lake/report.html\n" in content(sample.result(), link="file:///lake/report.html")
    assert "打开完整报告" not in content(sample.result(), link=None)


def test_a_link_cannot_end_its_own_brackets():
    text = content(sample.result(), link="https://store.example.com/a (1).html?x=)(")
    assert "(https://store.example.com/a%20%281%29.html?x=%29%28)" in text


def test_the_missing_picture_is_told():
    result = sample.result()
    result["run"] = result["run"] | {"notes": ["picture_left_out"]}
    assert "未附图片" in content(result)


def test_a_picture_travels_as_base64_with_the_md5_of_its_bytes():
    _, image = result_messages(sample.result(), "zh", LINK, picture=b"\x89PNG123")
    assert base64.b64decode(image["image"]["base64"]) == b"\x89PNG123"
    assert image["image"]["md5"] == hashlib.md5(b"\x89PNG123").hexdigest()


def test_a_picture_above_two_mebibytes_is_refused():
    with pytest.raises(InputError, match="2097152"):
        result_messages(sample.result(), "zh", LINK, picture=b"x" * (2 * 1024 * 1024 + 1))


def test_hostile_names_neither_mention_nor_link_nor_format(hostile_result):
    for language in ("zh", "en"):
        text = content(hostile_result, language)
        told = text.replace(f"({LINK})", "")
        assert not {"<", ">", "@", "`"} & set(told)
        assert "://" not in told
        assert "www." not in told
        assert "](" not in told
        assert told.count("**") == 2


def test_a_link_that_leaves_no_room_is_refused():
    with pytest.raises(InputError, match="shorter address"):
        content(sample.result(), link="https://store.example.com/" + "x" * MARKDOWN_BYTES)


names = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("<>@[]()`|*_~\\#音🎵\u202e\u200d\n"), max_size=200
)


@settings(max_examples=40, deadline=None)
@given(names.filter(lambda name: name.strip()), names, st.integers(0, 3000))
def test_the_limit_in_bytes_holds_whatever_the_names_and_however_long_the_link(name, unit, link_length):
    metrics = [sample.STATEMENT["metrics"][0] | {"display": {"zh": name}, "unit": {"zh": unit}}]
    rule = sample.segment(sample.YOUNG_NIGHT, 1, "positive", 7.9, 1.1, 0.164, "confirmed")
    changes = {
        "subpopulations": [rule | {"words": {"zh": name * 9, "en": name * 9}, "guardrails": []}] * 3,
        "effects": sample.effects()[:1],
        "did": [],
        "checks": sample.checks("invalid")[:1],
    }
    link = "https://store.example.com/" + "x" * link_length
    text = content(sample.result("found_positive", changes, name=name, metrics=metrics), link=link)
    assert len(text.encode()) <= MARKDOWN_BYTES
    assert link in text
    assert "发现受益人群" in text


@given(
    st.lists(names.filter(bool), min_size=1), st.lists(st.text("abc", max_size=50), max_size=3), st.integers(600, 4096)
)
def test_lines_are_kept_whole_or_left_out_and_never_cut_inside_a_character(body, tail, limit):
    text = fit_lines(body, tail, limit)
    assert len(text.encode()) <= limit
    whole = "\n".join(body)
    head = text[: len(text) - sum(len(line) + 1 for line in tail)]
    assert whole.startswith(head.removesuffix("…")) or head == whole
    assert text.endswith("".join(f"\n{line}" for line in tail))


def test_a_line_of_exactly_the_limit_fits_and_one_byte_more_is_cut():
    assert fit_lines(["音" * 100], [], 300) == "音" * 100
    assert fit_lines(["音" * 100 + "x"], [], 300) == "音" * 99 + "…"


@given(names)
def test_neutral_text_is_one_line_of_visible_harmless_characters(name):
    text = neutral(name)
    assert len(text) <= 60
    assert not set(text) & set("<>@[]`|*~\\#\n\r\u202e\u200d\u2028")


def test_neutral_text_keeps_names_readable():
    assert neutral("play_minutes > 30 且 age ≤ 25") == "play_minutes ＞ 30 且 age ≤ 25"
    assert neutral("_em_ __strong__") == "＿em＿ ＿＿strong＿＿"


def failures():
    record = {"message": "metrics table: column 'play' is text in 3 of 14 files", "remedy": "cast it to a number"}
    return {"prepare": record, "train/t_forest": None}


def test_a_failure_names_stage_cause_and_remedy_and_what_left_no_record():
    message = failure_message("music_autoplay", failures(), "zh", "https://airflow.example.com/run")
    assert message["msgtype"] == "text"
    assert message["text"]["content"].split("\n") == [
        "【运行失败】music_autoplay",
        "prepare：metrics table: column 'play' is text in 3 of 14 files",
        "处理：cast it to a number",
        "train/t_forest：进程被终止或内存不足，没有留下记录",
        "处理：查看该任务日志，增大内存或减少并行任务后重跑。",
        "详情：https://airflow.example.com/run",
    ]


def test_a_failure_with_hostile_names_mentions_nobody():
    record = {"message": HOSTILE, "remedy": HOSTILE}
    text = failure_message(HOSTILE, {HOSTILE: record}, "en")["text"]["content"]
    assert not {"<", ">", "@"} & set(text)


@settings(max_examples=50, deadline=None)
@given(
    names, st.dictionaries(names, st.none() | st.fixed_dictionaries({"message": names, "remedy": names}), max_size=12)
)
def test_a_failure_message_stays_within_its_limit(name, found):
    text = failure_message(name, found, "zh", "https://airflow.example.com/run")["text"]["content"]
    assert len(text.encode()) <= TEXT_BYTES
    assert text.endswith("详情：https://airflow.example.com/run")
