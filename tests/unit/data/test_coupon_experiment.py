"""A simulated experiment of coupons keeps the contract of a dataset, and its truth fits it."""

import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.data.coupon_experiment import CONTROL, COST, OUTCOME, simulate_coupons
from causal_tasks.data.coupon_problems import dose_problem
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(lake=f"file://{tmp_path}")


def test_the_statement_in_the_lake_is_the_experiment_and_asks_for_budgets(settings, tmp_path):
    made = simulate_coupons(settings, users=400, arms=3, budgets=(0.2,), methods=("two_stage_network",))
    written = json.loads((tmp_path / "experiments/coupons.json").read_text())
    assert Experiment.parse(written, source="test") == made
    assert made.arms == (CONTROL, "coupon_50", "coupon_100")
    assert (made.budgeting.cost, made.budgeting.budgets) == (COST, (0.2,))
    assert made.budgeting.methods == ("two_stage_network",)


def test_users_and_truth_are_those_of_the_problem(settings, tmp_path):
    made = simulate_coupons(settings, users=400, arms=3, seed=5)
    problem = dose_problem(400, seed=5, arms=3)
    users = pd.read_parquet(tmp_path / "datasets/coupons")
    truth = pd.read_parquet(tmp_path / "truth/coupons.parquet")
    np.testing.assert_array_equal(users[OUTCOME], problem.outcome)
    np.testing.assert_array_equal(users["coupon"].map(made.arms.index), problem.treatment)
    np.testing.assert_array_equal(truth["outcome__coupon_50"], problem.true_outcome[:, 1])
    told = json.loads((tmp_path / "truth/coupons.json").read_text())
    assert told["cost"]["coupon_100"] == pytest.approx(problem.true_cost[:, 2].mean())


def test_logs_are_of_other_users_and_biased_towards_dear_coupons(settings, tmp_path):
    made = simulate_coupons(settings, users=400, arms=3, logs=2_000)
    logs, users = (pd.read_parquet(tmp_path / f"datasets/{name}") for name in ("coupons_logs", "coupons"))
    assert made.budgeting.logs.uri == f"{settings.lake}/datasets/coupons_logs"
    assert not set(logs["user_id"]) & set(users["user_id"])
    assert list(logs.columns) == list(users.columns)
    dear = logs["coupon"] == "coupon_100"
    assert logs["x0"][dear].mean() > logs["x0"][~dear].mean() + 0.2


def test_simulating_again_replaces_and_never_touches_a_real_experiment(settings, tmp_path):
    simulate_coupons(settings, users=400)
    assert simulate_coupons(settings, users=200).experiment_id == "coupons"
    assert len(pd.read_parquet(tmp_path / "datasets/coupons")) == 200
    (tmp_path / "experiments/real.json").write_text("{}")
    with pytest.raises(InputError, match="was not simulated"):
        simulate_coupons(settings, experiment_id="real", users=200)
