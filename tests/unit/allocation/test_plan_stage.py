"""What a budget can be spent on, and what is refused with its cause before anything is fitted."""

import pytest

from causal_tasks.errors import InputError
from tests.unit.allocation.budget_runs import METHODS, Prepared, budgeting, prepared, statement


def planned(tmp_path, experiment, users=None, **options):
    made = Prepared(tmp_path, experiment, prepared(experiment) if users is None else users, **options)
    made.stage("plan")
    return made


def test_the_methods_are_the_items_and_the_budgets_are_alike_likely(tmp_path):
    made = planned(tmp_path, statement())
    plan = made.json("plan", "plan")
    assert made.json("plan", "items") == METHODS
    assert (plan["budgets"], plan["weights"]) == ([0.2, 0.5], [0.5, 0.5])
    assert plan["spend_range"] == [0.0, 1.0]
    assert plan["notes"] == []


def test_every_user_with_outcome_and_cost_serves_one_purpose(tmp_path):
    users = prepared(statement())
    found = planned(tmp_path, statement(), users).json("plan", "plan")["users"]
    assert found["fitted"] + found["compared"] + found["measured"] == users["y__orders"].notna().sum()
    assert (found["all"], found["without_values"]) == (len(users), users["y__orders"].isna().sum())
    known, discovery = users["y__orders"].notna(), users["part"] == "discovery"
    assert found["compared"] == (known & discovery & (users["fold"] == 4)).sum()


@pytest.mark.parametrize(
    "verdict",
    [
        {"status": "invalid", "mining": True, "reason": "sample_ratio"},
        {"status": "warning", "mining": False, "reason": "arm_size"},
    ],
)
def test_an_experiment_that_failed_its_checks_gets_no_method(verdict, tmp_path):
    made = planned(tmp_path, statement(), verdict=verdict)
    assert made.json("plan", "items") == []
    assert made.json("plan", "plan")["spend_range"] is None
    assert made.json("plan", "plan")["users"]["fitted"] > 0


def test_without_a_two_stage_method_one_is_added_as_the_yardstick(tmp_path):
    made = planned(tmp_path, statement(budgeting=budgeting(methods=["decision_factor"])))
    assert made.json("plan", "items") == ["two_stage_t_lightgbm", "decision_factor"]
    assert made.json("plan", "plan")["notes"] == ["baseline_added:two_stage_t_lightgbm"]


def test_a_budget_that_money_cannot_exceed_and_a_coupon_cheaper_than_none_are_noted(tmp_path):
    experiment = statement(budgeting=budgeting(budgets=[0.4, 3.0]))
    made = planned(tmp_path, experiment, prepared(experiment, cost=(0.3, 0.1, 1.0)))
    assert made.json("plan", "plan")["notes"] == ["cheaper_than_control:small", "budget_above_dearest:3.0"]


def test_prices_replace_a_metric_and_arms_that_are_not_named_are_free(tmp_path):
    experiment = statement(budgeting=budgeting(cost=None, prices={"large": 4.0}))
    assert planned(tmp_path, experiment).json("plan", "plan")["spend_range"] == [0.0, 4.0]


def test_logs_that_no_method_reads_are_noted(tmp_path):
    (tmp_path / "logs.parquet").write_bytes(b"rows")
    experiment = statement(budgeting=budgeting(logs={"uri": f"file://{tmp_path}/logs.parquet"}))
    assert planned(tmp_path, experiment).json("plan", "plan")["notes"] == ["logs_unused"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"budgeting": None}, "states no budgeting"),
        ({"randomized": False}, "was not randomised"),
        ({"budgeting": budgeting(methods=["oracle"])}, "'oracle' is unknown"),
        ({"budgeting": budgeting(methods=["two_stage_oracle"])}, "'two_stage_oracle' is unknown"),
        ({"budgeting": budgeting(methods=["pooled"])}, "'pooled' learns from logs"),
        ({"budgeting": budgeting(logs={"uri": "file:///nowhere"})}, "no file at or under file:///nowhere"),
        (
            {
                "metrics": [
                    {"name": "orders", "role": "primary"},
                    {"name": "rate", "numerator": "n", "denominator": "d"},
                ],
                "budgeting": budgeting(cost="rate"),
            },
            "'rate' is a ratio",
        ),
        (
            {"metrics": [{"name": "orders", "role": "primary"}, {"name": "spent", "cap": {"value": 0.4}}]},
            "'spent' has a cap",
        ),
    ],
)
def test_a_statement_that_allows_no_allocation_is_refused(changes, complaint, tmp_path):
    with pytest.raises(InputError, match=complaint):
        planned(tmp_path, statement(**changes))


def test_a_negative_cost_is_refused_with_its_first_unit(tmp_path):
    users = prepared(statement())
    users.loc[7, "y__spent"] = -2.0
    with pytest.raises(InputError, match=r"'spent' is negative in 1 of 3000 rows \(first: unit 17, -2\)"):
        planned(tmp_path, statement(), users)


def test_an_arm_with_too_few_users_is_named(tmp_path):
    users = prepared(statement())
    few = (users["arm"] == "large") & (users["part"] == "estimation")
    users = users.drop(users.index[few][5:])
    with pytest.raises(InputError, match=r"arm 'large' has 5 users .* measured, fewer than 20"):
        planned(tmp_path, statement(), users)


def test_a_budget_below_the_cheapest_arm_is_refused_with_both_numbers(tmp_path):
    users = prepared(statement(), cost=(0.3, 0.5, 1.0))
    with pytest.raises(InputError, match=r"\[0\.2\] lie below 0\.3, .* 'none', the cheapest arm"):
        planned(tmp_path, statement(), users)


def test_too_few_clusters_to_compare_methods_on_are_refused_before_any_is_fitted(tmp_path):
    experiment = statement(cluster="city")
    users = prepared(experiment).assign(cluster=lambda users: users["unit"] // 20)
    assert planned(tmp_path / "enough", experiment, users).json("plan", "items") == METHODS
    few = users.assign(cluster=(users["unit"] - 10) // 200)
    with pytest.raises(InputError, match=r"'city' has 15 clusters .* compared, fewer than 20"):
        planned(tmp_path / "few", experiment, few)
