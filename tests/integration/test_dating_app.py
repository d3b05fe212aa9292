"""Real data with a published answer: the price test of a dating app, from raw tables to rules."""

import pytest

from causal_tasks import Experiment, RunFolder, Settings, run_experiment
from tests.integration.dating_app import DAYS, statement, write_tables


def mined(test_data, lake, arms, experiment_id, control, treatment):
    write_tables(test_data, lake, arms, experiment_id=experiment_id)
    experiment = Experiment.parse(statement(experiment_id, control, [treatment]), source="test")
    settings = Settings(lake=f"file://{lake}")
    return run_experiment(experiment, settings), RunFolder.open(experiment, settings)


@pytest.fixture(scope="module")
def price_test(test_data, tmp_path_factory):
    arms = {"control_1": "control", "control_2": "control", "test": "test"}
    return mined(test_data, tmp_path_factory.mktemp("dating"), arms, "dating_price", "control", "test")


@pytest.fixture(scope="module")
def a_a_test(test_data, tmp_path_factory):
    arms = {"control_1": "control_1", "control_2": "control_2"}
    return mined(test_data, tmp_path_factory.mktemp("dating_aa"), arms, "dating_aa", "control_1", "control_2")


def effect_of(result, metric):
    (row,) = [row for row in result["effects"] if row["metric"] == metric]
    return row["effect"]


def test_paying_share_and_revenue_per_user_are_the_published_ones(price_test):
    """Published: 4.417 % and 526.8 in control, with the one payer whose payment lies 696 days after sign-up."""
    result, _ = price_test
    paying, revenue = effect_of(result, "paying"), effect_of(result, "revenue")
    users, late_payers, late_revenue = 8604, 1, 806
    assert (paying["n_control"], paying["n_treatment"]) == (users, 4308)
    assert round(100 * paying["control_mean"], 3) == 4.405
    assert round(100 * (paying["control_mean"] + late_payers / users), 3) == 4.417
    assert round(100 * (paying["control_mean"] + paying["estimate"]), 3) == 3.389
    assert round(revenue["control_mean"], 1) == 526.7
    assert round(revenue["control_mean"] + late_revenue / users, 1) == 526.8
    assert round(revenue["control_mean"] + revenue["estimate"], 1) == 544.3


def test_the_loss_of_payers_is_significant_and_the_change_in_revenue_is_not(price_test):
    result, _ = price_test
    assert effect_of(result, "paying")["p_value"] < 0.01
    assert effect_of(result, "revenue")["p_value"] > 0.5


def test_rows_after_the_window_are_dropped_and_counted(price_test, test_data):
    import pandas as pd

    daily = pd.read_csv(test_data / "dating_aab_daily.csv.gz")
    result, _ = price_test
    dropped = result["profile"]["dropped_metrics_rows"]
    assert sum(dropped.values()) == int((daily["day"] > DAYS).sum()) > 0


def test_the_two_control_groups_differ_in_no_subpopulation(a_a_test):
    result, _ = a_a_test
    assert result["evidence"]["rules_examined"] > 0
    assert [row["rule"] for row in result["subpopulations"] if row["q_value"] <= 0.10] == []
    assert result["verdict"]["code"] == "nothing_found"
