import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("module", ["decision", "policy_values"])
def test_the_examples_in_docstrings_give_what_they_show(module):
    result = doctest.testmod(import_module(f"causal_tasks.dynamic.{module}"))
    assert result.attempted > 0
    assert result.failed == 0
