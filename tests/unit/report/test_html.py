"""The page is whole by itself, runs nothing, and shows every ending in full."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from causal_tasks.report.content import tell
from causal_tasks.report.html import render_html
from tests.unit.report import sample
from tests.unit.report.conftest import HOSTILE

ZH = {"languages": ["zh"]}
UNMINED = {"did": [], "subpopulations": None, "tree": None, "evidence": None, "follow_up": [], "tuning": {}}
"""Findings of a run with few charts, for tests that look at other parts of the page."""

VOID = {"meta", "input", "img", "source", "link", "br"}


class Elements(HTMLParser):
    """Every element with its attributes, all text, and whether elements are closed in order."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text, self.open = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def pictures(page):
    addresses = re.findall(r'(?:src|srcset)="data:image/svg\+xml;base64,([^"]+)"', page)
    return [base64.b64decode(address).decode() for address in addresses]


def assert_names_are_text(page):
    """A page whose names are hostile markup has none of it as elements, attributes or in its pictures."""
    found = Elements(page).found
    assert not {"script", "a", "iframe"} & {tag for tag, _ in found}
    assert not any(name.startswith("on") for _, attributes in found for name in attributes)
    assert "<img src=x" not in page
    for picture in pictures(page):
        assert "<script" not in picture
        assert "<img" not in picture


def test_the_page_is_well_formed_and_light(page):
    elements = Elements(page)
    assert elements.open == []
    assert len(page.encode()) < 1_000_000
    assert page.lstrip().startswith("<!doctype html>")


def test_the_page_loads_nothing_from_outside_and_runs_nothing(page):
    for tag, attributes in Elements(page).found:
        assert tag not in {"script", "iframe", "object", "embed", "form", "base", "link", "a"}
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        for name in ("src", "srcset", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert not re.search(r"(?:https?:)?//[a-z]", page)
    assert "url(" not in page
    assert "@import" not in page


def test_the_policy_allows_only_this_style_and_inline_pictures(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_hostile_names_are_text_everywhere(hostile_result):
    page = render_html(hostile_result)
    elements = Elements(page)
    assert {"script"} & {tag for tag, _ in elements.found} == set()
    assert not any("onerror" in attributes for _, attributes in elements.found)
    assert "<script" not in page
    assert "<img src=x" not in page
    shown = "".join(elements.text)
    assert shown.count(HOSTILE) >= 40
    for picture in pictures(page):
        assert "<script" not in picture
        assert "<img" not in picture


def test_chinese_comes_first_and_english_is_one_click_away_without_script(page):
    inputs = [attributes for tag, attributes in Elements(page).found if tag == "input"]
    assert [(attributes["id"], "checked" in attributes) for attributes in inputs] == [
        ("show-zh", True),
        ("show-en", False),
    ]
    assert "#show-en:checked ~ .edition-en { display: block; }" in page
    assert [attributes["lang"] for tag, attributes in Elements(page).found if tag in {"html", "article"}] == [
        "zh-CN",
        "zh-CN",
        "en",
    ]


def test_a_single_language_needs_no_switch():
    page = render_html(sample.result("too_small", UNMINED, delivery={"languages": ["en"]}))
    assert "<input" not in page
    assert '<html lang="en">' in page
    assert ".edition { display: block; }" in page
    assert "整体效果" not in page


def test_sections_come_in_the_readers_order(page):
    headings = re.findall(r"<h2>([^<]+)</h2>", page)
    assert headings[:7] == [
        "整体效果",
        "谁受益，谁受损",
        "各人群的效果",
        "不同放量方案值多少",
        "下一步：后续实验",
        "数据可信性检查",
        "用户是怎样筛选出来的",
    ]
    assert page.index("怎么做") < page.index("整体效果")


def test_what_only_a_data_scientist_reads_is_folded_away_at_the_end(page):
    article = page.split('<article class="edition edition-zh"')[1].split("</article>")[0]
    before, appendix = article.split('<section class="appendix">')
    assert re.findall(r'<details class="part"><summary><h2>([^<]+)</h2>', appendix) == [
        "其他估计方法",
        "双重差分",
        "效果是否因人而异",
        "什么决定效果的差别",
        "按模型排序投放的收益",
        "每条规则的证据明细",
        "偶然能得到几条规则（安慰剂检验）",
        "模型",
        "规则的 SQL",
        "规则的来历",
        "怎样读这份报告",
    ]
    assert "发现集上的效果" not in before
    assert before.count("<picture>") <= 5


def test_a_card_tells_rule_size_effect_and_everyone_else(page):
    card = re.search(r'<section class="card card-good">.*?</section>', page, re.DOTALL)[0]
    text = " ".join(" ".join(Elements(card).text).split())
    assert text == (
        "受益人群 证据充分 年龄 ≤ 25 且 夜间收听占比 > 0.3 ▲ +7.9 分钟 [+5.7, +10.1] 变好 预计复现的效果 +6.3 分钟 "
        "用户占比 16.4% 占播放时长总量 14.8% 相对对照 +9.0% 其余用户 ◆ +0.10 分钟 [−0.88, +1.08] "
        "与其余用户之差 ▲ +7.8 分钟 [+5.2, +10.4] 护栏 · 活跃率 ▲ +1.10 个百分点 [+0.32, +1.88] 能否定向 可以直接定向 "
        "证据明细 检验人数 对照 2,624 / 策略 2,631 95% 区间 [+5.7, +10.1] 多选校正区间（FCR） [+5.3, +10.5] "
        "校正后 q 值 <0.001 人群内分流 p 值 0.410 独有用户 15.9% "
        "与其他规则重叠 会员等级属于 silver、gold 且 注册天数 ≤ 90：7% "
        "稳定性 稳定（重抽样重合 83%，92% 的树找到它，换种子重合 79%）"
    )


def test_less_is_good_where_the_metric_should_fall(page):
    row = re.search(r"<tr><td[^>]*>切歌次数.*?</tr>", page, re.DOTALL)[0]
    assert 'class="word bad">变差' in row
    assert "▲ +0.83 次" in row


def test_shares_move_by_percentage_points(page):
    assert "▲ +0.41 个百分点" in page
    assert "▲ +0.41 pp" in page


def test_failed_checks_come_before_those_that_passed():
    page = render_html(sample.result("invalid", UNMINED, delivery=ZH))
    assert re.findall(r"light-(fail|warn|pass)\"", page)[:5] == ["fail", "warn", "warn", "warn", "pass"]


def test_failed_candidates_are_listed_with_cause_and_remedy():
    page = render_html(sample.result("no_model", delivery={"languages": ["en"]}))
    assert page.count("constant prediction: every user of arm") == 8
    assert "The process was killed or ran out of memory" in page
    assert "leave it out of mining.candidates" in page


def test_nothing_found_is_a_whole_answer():
    untuned = {"tuning": {}, "did": [], "drivers": {}}
    page = render_html(sample.result("nothing_found", untuned, delivery=ZH))
    assert "没有看出效果因人而异：检验过的 14 条规则里，没有一条可信" in page
    for share, effect in (("10%", "3.5 分钟"), ("20%", "2.5 分钟"), ("30%", "2.0 分钟")):
        assert f'<td>{share}</td><td class="n">{effect}</td>' in page
    assert "模型排序没有可靠地优于随机投放" in page


def test_effects_that_differ_without_a_rule_that_holds_are_told_as_such():
    content = tell(sample.result("no_rule"), "zh")
    assert content.badge == "有差异，无可信规则"
    assert content.segments.nothing_title == "效果因人而异，但检验过的 14 条规则里，没有一条经得起独立检验"


def test_leads_are_not_denied_where_nothing_is_confirmed():
    content = tell(sample.result("leads_only"), "zh")
    assert content.segments.nothing_title == "检验过的 14 条规则里，没有一条达到「证据充分」，有 1 条有苗头"
    assert content.forest.title == "有苗头的人群区间不跨零，但证据尚不充分（空心点）"


def test_too_few_users_still_see_overall_effect_checks_and_waterfall():
    page = render_html(sample.result("too_small", UNMINED, delivery=ZH))
    for part in ("整体效果", "本次没有进行人群细分", "样本偏少（最小值 612，要求 1,000）", "进入分析"):
        assert part in page
    assert "按模型排序投放的收益" not in page


@pytest.mark.parametrize(("theme", "good"), [("safe", "#0b5cad"), ("cn_market", "#c0182b"), ("intl", "#16703c")])
def test_the_theme_decides_what_good_looks_like(theme, good):
    page = render_html(sample.result("too_small", UNMINED, delivery=ZH | {"theme": theme}))
    assert f".good {{ color: {good}; }}" in page


def test_an_effect_that_could_not_be_estimated_reads_as_a_dash_with_its_reason():
    nothing = dict.fromkeys(("estimate", "standard_error", "p_value", "relative", "relative_interval", "control_mean"))
    effect = sample.average_effect(1.0, 1.0, 1.0, notes=["too_few_units"]) | nothing | {"interval": [None, None]}
    measured = {
        "metric": "play_minutes",
        "treatment": "treatment",
        "role": "primary",
        "effect": effect,
        "unadjusted": effect,
        "estimates": [effect],
        "headline": "cuped",
    }
    page = render_html(sample.result("too_small", UNMINED | {"effects": [measured]}, delivery=ZH))
    assert "某组用户太少，无法估计" in page
    assert "None" not in "".join(Elements(page).text)


def test_equal_results_give_equal_pages():
    first, second = (render_html(sample.result("too_small", UNMINED, delivery=ZH)) for _ in range(2))
    assert first == second
