import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("module", ["means", "ratio"])
def test_the_examples_in_the_docstrings_give_what_they_show(module):
    outcome = doctest.testmod(import_module(f"causal_tasks.effects.{module}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0
