"""How a run changes what an experiment says about its budget."""

import pytest

from causal_tasks.allocation.statement import restated, stated_budgeting
from causal_tasks.errors import InputError
from tests.unit.allocation.budget_runs import budgeting, statement


def test_a_run_that_asks_for_nothing_changes_nothing():
    experiment = statement()
    asked = {"experiment": "coupons", "budgets": None, "methods": None, "prices": None, "logs": None}
    assert restated(experiment, asked) is experiment


def test_what_a_run_asks_for_replaces_what_is_stated_and_nothing_else():
    experiment = statement(budgeting=budgeting(weights=[0.9, 0.1], seed=5))
    asked = stated_budgeting(restated(experiment, {"budgets": [1, 2, 3], "methods": ["pooled"]}))
    assert (asked.budgets, asked.weights) == ((1, 2, 3), None)
    assert asked.methods == ("pooled",)
    assert (asked.cost, asked.seed) == ("spent", 5)


def test_prices_replace_the_cost_metric():
    asked = stated_budgeting(restated(statement(), {"prices": {"small": 2}}))
    assert (asked.cost, asked.prices) == (None, {"small": 2.0})


def test_logs_have_their_arms_in_the_column_of_the_experiment():
    dataset = {"uri": "s3://lake/d.parquet", "arm_column": "coupon"}
    asked = stated_budgeting(restated(statement(dataset=dataset), {"logs": "s3://lake/logs.parquet"}))
    assert asked.logs is not None
    assert (asked.logs.uri, asked.logs.arm_column) == ("s3://lake/logs.parquet", "coupon")


def test_an_experiment_without_budgeting_can_be_given_one_by_the_run():
    asked = stated_budgeting(restated(statement(budgeting=None), {"budgets": [1], "prices": {"small": 2}}))
    assert (asked.budgets, asked.prices) == ((1,), {"small": 2.0})


def test_half_a_budgeting_is_refused_with_what_is_missing():
    with pytest.raises(InputError, match="state either cost"):
        restated(statement(budgeting=None), {"budgets": [1]})


def test_an_unknown_arm_among_prices_is_refused():
    with pytest.raises(InputError, match="unknown arms"):
        restated(statement(), {"prices": {"huge": 2}})


def test_logs_of_an_experiment_without_ids_need_none_either():
    dataset = {"uri": "s3://lake/d.parquet", "row_numbers": True}
    asked = stated_budgeting(restated(statement(dataset=dataset), {"logs": "s3://lake/logs.parquet"}))
    assert asked.logs is not None
    assert asked.logs.row_numbers
