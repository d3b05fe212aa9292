"""The Markdown says what the page says, and names stay text."""

import re

from causal_tasks.report.markdown import escaped, render_markdown
from tests.unit.report import sample


def test_it_tells_the_same_story_as_the_page():
    text = render_markdown(sample.result("found_both"), "en")
    assert text.startswith(
        "# This experiment suggests a benefit for users where age ≤ 25 and share of night listening &gt; 0.3"
    )
    for part in ("## Overall effect", "## Who benefits, who is harmed", "### member level is vip", "## Rules as SQL"):
        assert part in text
    assert '"age" <= 25 AND "night_share" > 0.3' in text
    assert "| 进入分析" not in text


def test_every_table_row_has_as_many_cells_as_its_heading():
    for ending in sample.ENDINGS:
        for table in re.findall(r"(?:^\|.*\n)+", render_markdown(sample.result(ending), "zh"), re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
            assert len(widths) == 1


def test_hostile_names_are_escaped(hostile_result):
    text = render_markdown(hostile_result, "en")
    prose = re.sub(r"(`{3,})(?:sql|json)\n.*?\n\1", "", text, flags=re.DOTALL)
    assert not re.search(r"<[a-z@/]", prose)
    assert not re.search(r"(?<!\\)\]\(", prose)
    assert "://" not in prose


def test_a_rule_with_backticks_stays_inside_its_block(hostile_result):
    fences = re.findall(r"^(`{3,})", render_markdown(hostile_result, "en"), re.MULTILINE)
    assert len(fences) == 2 * 3
    rule = sample.segment(sample.TABLET, 1, "positive", 7.9, 1.1, 0.1, "confirmed") | {"sql": "a ```` b"}
    text = render_markdown(sample.result("found_positive", {"subpopulations": [rule]}), "en")
    assert "`````sql\na ```` b\n`````" in text


def test_escaped_text_is_one_line():
    assert escaped("a\n# b\r\n- c") == r"a \# b - c"
