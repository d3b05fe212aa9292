"""A budget spent from the command line, as a person does it: simulate, allocate, allocate others."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.integration.test_cli import causal_tasks

DEAR = ("--price", "no_coupon=0.4", "--price", "coupon_50=1", "--price", "coupon_100=2")
METHODS = ("two_stage_s_lightgbm", "two_stage_network", "clusters_uplift")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = tmp_path_factory.mktemp("lake")
    named = [part for name in METHODS for part in ("--method", name)]
    causal_tasks("simulate-coupons", "--users", 4000, "--arms", 3, "--seed", 3, *named, lake=lake)
    return lake


@pytest.fixture(scope="module")
def printed(lake):
    return causal_tasks("allocate", "coupons", "--budget", 0.2, "--budget", 0.45, lake=lake).stdout


@pytest.fixture(scope="module")
def result(lake, printed):
    return json.loads((lake / "runs/coupons/r1/allocation.json").read_text())


def allocation(lake, result):
    return pd.read_parquet(lake / "runs/coupons/r1" / result["run"]["allocation"])


def test_all_methods_are_compared_and_the_choice_is_explained(result):
    assert {row["method"] for row in result["methods"]["board"]} == set(METHODS)
    assert result["methods"]["failed"] == {}
    assert result["methods"]["chosen"] in METHODS
    assert result["methods"]["baseline"].startswith("two_stage")


def test_budgets_given_to_the_command_replace_those_stated(result):
    assert [(row["budget"], row["weight"]) for row in result["budgets"]] == [(0.2, 0.5), (0.45, 0.5)]
    assert result["experiment"]["budgeting"]["methods"] == list(METHODS)


def test_what_is_estimated_holds_what_is_true(lake, result):
    """The outcome of the chosen method, whose truth is known user by user, lies in its interval, widened for chance."""
    truth, given = pd.read_parquet(lake / "truth/coupons.parquet"), allocation(lake, result)
    for row in result["budgets"]:
        arm = given[row["column"]].map(result["arms"].index).to_numpy()
        rows = np.arange(len(arm))
        outcome = truth[[f"outcome__{label}" for label in result["arms"]]].to_numpy()[rows, arm].mean()
        estimate = row["policies"]["chosen"]["outcome"]
        assert abs(outcome - estimate["estimate"]) < 4 * estimate["standard_error"]
        control = truth[f"outcome__{result['arms'][0]}"].mean()
        gain = row["differences"]["vs_control"]
        assert abs(outcome - control - gain["estimate"]) < 4 * gain["standard_error"]


def test_a_larger_budget_buys_more_at_a_falling_price(result):
    price = [row["shadow_price"] for row in result["budgets"]]
    assert price == sorted(price, reverse=True)
    assert price[-1] > 0


def test_the_page_the_table_and_the_message_are_there(lake, printed, result):
    page = (lake / "runs/coupons/r1/allocation.html").read_text()
    assert all(arm in page for arm in result["arms"])
    assert "allocation.html" in printed
    assert result["methods"]["chosen"] in printed
    message = causal_tasks("message", "coupons", "--pipeline", "allocate_budget", lake=lake).stdout
    assert "allocation.html" in message


def test_the_same_users_allocated_by_hand_get_the_same_arms(lake, result, tmp_path):
    row = result["budgets"][1]
    arguments = ("coupons.r1", lake / "datasets/coupons", tmp_path / "out.parquet")
    done = causal_tasks("reallocate", *arguments, "--budget-per-user", row["budget"], lake=lake)
    assert "4,000 rows" in done.stdout
    again, before = pd.read_parquet(tmp_path / "out.parquet"), allocation(lake, result)
    assert list(again["user_id"]) == list(before["unit"])
    assert list(again["arm"]) == list(before[row["column"]])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("allocate", "nobody"), "experiments/nobody.json"),
        (("allocate", "coupons", "--method", "magic"), "'magic' is unknown"),
        (("allocate", "coupons", "--price", "coupon_50"), "is not ARM=NUMBER"),
        (("allocate", "coupons", "--price", "huge=1"), "unknown arms"),
        (("allocate", "coupons", "--budget", "0.1", *DEAR), "the cheapest arm"),
        (("allocate", "coupons", "--method", "pooled"), "learns from logs"),
        (("allocate", "coupons", "--logs", "nowhere.parquet", "--method", "pooled"), "nowhere.parquet"),
        (("reallocate", "coupons.r7", "t.parquet", "o.parquet", "--budget", "1"), "there is no run at"),
        (("reallocate", "coupons.r1", "t.parquet", "o.parquet"), "give either --budget or --budget-per-user"),
        (("reallocate", "coupons.r1", "t.parquet", "o.parquet", "--budget", "1", "--capacity", "a=2.7"), "whole"),
        (("reallocate", "coupons.r1", "t.parquet", "o.parquet", "--budget", "1", "--capacity", "a=nan"), "whole"),
    ],
)
def test_wrong_input_ends_with_2_and_its_cause(arguments, complaint, lake, result):
    done = causal_tasks(*arguments, lake=lake, check=False)
    assert done.returncode == 2, done.stderr
    assert complaint in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
