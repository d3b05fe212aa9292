"""Figures in a page, between markers."""

import pytest

from benchmarks.document import table, write_section
from causal_tasks.errors import InputError

PAGE = "# Title\n\n<!-- join:begin -->\nold\n<!-- join:end -->\n\nText that stays.\n"


def test_only_what_stands_between_the_markers_is_replaced_and_again_the_next_time(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    for content in ("first", "second"):
        write_section(page, "join", content)
        assert page.read_text() == PAGE.replace("old", content)


@pytest.mark.parametrize("name", ["pipeline", "joi"])
def test_a_page_without_the_markers_is_refused_and_stays_as_it_is(tmp_path, name):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    with pytest.raises(InputError, match=name):
        write_section(page, name, "new")
    assert page.read_text() == PAGE


def test_markers_in_the_wrong_order_are_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- join:end -->\n<!-- join:begin -->\n")
    with pytest.raises(InputError):
        write_section(page, "join", "new")


def test_a_table_has_a_line_for_every_row_and_numbers_to_the_right():
    assert table(["stage", "s"], [["mine", "1.0"]]) == "| stage | s |\n| --- | ---: |\n| mine | 1.0 |"
