import doctest
from importlib import import_module
from pathlib import Path

import pytest

import causal_tasks.effects
from causal_tasks.data import caps

MODULES = [path.stem for path in Path(causal_tasks.effects.__file__).parent.glob("*.py") if ">>>" in path.read_text()]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_examples_in_the_docstrings_give_what_they_show(module):
    outcome = doctest.testmod(import_module(f"causal_tasks.effects.{module}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_the_example_of_a_cap_gives_what_it_shows():
    assert doctest.testmod(caps).failed == 0


def test_the_estimators_have_examples():
    assert {"means", "ratio", "cupac", "mlrate", "student_t"} <= set(MODULES)
