"""What docs/creative-segments.md shows is what happens."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "creative-segments.md"


def test_every_example_of_the_page_runs_as_shown():
    found = doctest.testfile(str(PAGE), module_relative=False)
    assert found.attempted >= 12
    assert found.failed == 0
