"""The table of what the estimators of average effects take."""

import pytest

from benchmarks.effects import Timing, timing_table
from benchmarks.estimators import ESTIMATORS


def test_every_estimator_has_a_row_with_seconds_and_memory():
    best = {"CUPAC": Timing(0.5, 0.61, 10**9), "STATE": Timing(12.34, 13.0, 2 * 10**9)}
    assert timing_table(1000, best).splitlines() == [
        "| 1,000 users | wall s | CPU s | peak GB |",
        "| --- | ---: | ---: | ---: |",
        "| CUPAC | 0.50 | 0.61 | 1.00 |",
        "| STATE | 12.3 | 13.0 | 2.00 |",
    ]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_answers_on_few_users(name):
    answer = ESTIMATORS[name](400)()
    assert getattr(answer, "standard_error", 1) > 0
