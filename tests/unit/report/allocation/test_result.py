"""What the stages wrote becomes one result: the metric's own sign, one verdict, what failed and why."""

from datetime import UTC, datetime

import pytest

from causal_tasks.report.allocation.result import AllocationFindings, assemble_allocation
from causal_tasks.run_folder import Failure
from tests.unit.allocation.budget_runs import budgeting, statement

DOWN = [{"name": "orders", "role": "primary", "direction": "down"}, {"name": "spent"}]


def estimate(value, half=0.1):
    return {"estimate": value, "standard_error": half / 2, "interval": [value - half, value + half], "p_value": 0.5}


PLAN = {
    "methods": ["two_stage_t_lightgbm"],
    "notes": ["logs_unused"],
    "users": {"fitted": 4, "compared": 1, "measured": 5, "without_values": 0, "all": 10},
    "spend_range": [0.0, 1.0],
    "budgets": [0.2, 0.5],
    "weights": [0.25, 0.75],
}
POLICIES = {"chosen": {"outcome": estimate(3.0), "cost": estimate(0.2)}, "two_stage": None}
MEASURED = {
    "policies": POLICIES,
    "differences": {"vs_constant": estimate(0.3), "vs_two_stage": None},
    "constant_shares": {"none": 1.0},
    "allocated_cost": estimate(0.21),
    "notes": ["budget_not_binding"],
}
SPENT = {"shadow_price": 1.5, "marginal_return": 1.4, "ten_percent_more": 0.1, "shares": {"none": 1.0}}
SPENT |= {"notes": ["budget_not_binding", "gap:0.1"]}
SPENDING = {"rows": 10, "columns": ["arm__0.2", "arm__0.5"], "by_column": {"arm__0.2": SPENT, "arm__0.5": SPENT}}
EVALUATION = {
    "overall": {"vs_constant": estimate(0.3)},
    "budgets": [MEASURED, MEASURED],
    "curve": {"chosen": [{"spend": 0.2, "gain": 1.0, "low": 0.9, "high": 1.3}]},
}
CHOICE = {"chosen": "two_stage_t_lightgbm", "baseline": "two_stage_t_lightgbm", "reason": "only_two_stage"}
CHOICE |= {"level": 0.95, "board": [{"method": "two_stage_t_lightgbm", "value": estimate(3.0), "difference": None}]}


def assembled(experiment=None, **changes):
    found = {
        "checks": [],
        "validity": {"status": "valid", "mining": True, "reason": None},
        "plan": PLAN,
        "choice": CHOICE,
        "spending": SPENDING,
        "evaluation": EVALUATION,
    }
    return assemble_allocation(experiment or statement(), AllocationFindings(**found | changes), {"notes": []})


def test_budgets_join_what_was_planned_spent_and_measured():
    first, second = assembled()["budgets"]
    assert (first["budget"], first["weight"], first["total"], first["column"]) == (0.2, 0.25, 2.0, "arm__0.2")
    assert (first["shadow_price"], first["policies"]) == (1.5, POLICIES)
    assert second["total"] == 5.0


def test_notes_of_a_budget_are_told_once_and_without_the_solver_s_rounding():
    assert assembled()["budgets"][0]["notes"] == ["budget_not_binding"]


def test_of_a_metric_that_should_fall_outcomes_are_turned_back_and_costs_and_prices_are_not():
    up, down = assembled(), assembled(statement(metrics=DOWN))
    assert down["budgets"][0]["policies"]["chosen"]["outcome"]["estimate"] == -3.0
    assert down["budgets"][0]["policies"]["chosen"]["outcome"]["interval"] == [-3.1, -2.9]
    assert down["budgets"][0]["policies"]["chosen"]["cost"] == estimate(0.2)
    assert down["overall"]["vs_constant"]["interval"] == pytest.approx([-0.4, -0.2])
    assert down["curve"]["chosen"] == [{"spend": 0.2, "gain": -1.0, "low": -1.3, "high": -0.9}]
    assert down["methods"]["board"][0]["value"]["estimate"] == -3.0
    for key in ("shadow_price", "ten_percent_more", "shares"):
        assert down["budgets"][0][key] == up["budgets"][0][key]
    assert down["verdict"] == up["verdict"] == {"code": "targeting_pays", "reason": None}


@pytest.mark.parametrize(
    ("gain", "code"),
    [(0.3, "targeting_pays"), (0.05, "targeting_not_shown"), (-0.3, "targeting_harms")],
)
def test_the_verdict_is_read_off_the_interval_over_the_same_for_all(gain, code):
    evaluation = EVALUATION | {"overall": {"vs_constant": estimate(gain)}}
    assert assembled(evaluation=evaluation)["verdict"]["code"] == code


@pytest.mark.parametrize(
    ("validity", "code"),
    [
        ({"status": "invalid", "mining": True, "reason": "sample_ratio"}, "invalid"),
        ({"status": "warning", "mining": False, "reason": "arm_size"}, "not_possible"),
    ],
)
def test_an_experiment_that_failed_its_checks_has_that_verdict_and_empty_budgets(validity, code):
    nothing = {"choice": None, "spending": None, "evaluation": None}
    result = assembled(validity=validity, plan=PLAN | {"methods": [], "spend_range": None}, **nothing)
    assert result["verdict"] == {"code": code, "reason": validity["reason"]}
    assert result["budgets"][0] == {"budget": 0.2, "weight": 0.25, "total": 2.0}
    assert (result["methods"]["chosen"], result["overall"], result["curve"]) == (None, None, {})
    assert result["users"]["allocated"] is None


def test_a_method_that_failed_is_named_with_its_reason():
    told = Failure(stage="fit", item="clusters", error="InputError", message="m", remedy="r", at=datetime.now(UTC))
    result = assembled(failures={"fit/clusters": told, "fit/bilevel": None})
    assert result["methods"]["failed"] == {
        "bilevel": None,
        "clusters": {"error": "InputError", "message": "m", "remedy": "r"},
    }
    assert [row["item"] for row in result["failures"]] == ["bilevel", "clusters"]


def test_prices_are_told_for_every_arm():
    result = assembled(statement(budgeting=budgeting(cost=None, prices={"large": 2.0})))
    assert (result["cost"], result["prices"]) == (None, {"none": 0.0, "small": 0.0, "large": 2.0})
