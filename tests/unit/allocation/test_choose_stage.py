"""Which method is chosen: the best two-stage one, unless another beats it by a standard error."""

import numpy as np
import pytest

from causal_tasks.allocation.comparison import CONTROL, SAME_MIX, Comparison
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.stages.choose import choice_of, nuisance_of
from causal_tasks.errors import InputError
from tests.unit.allocation.budget_runs import METHODS, Prepared, budgeting, prepared, statement

T, S = "two_stage_t_lightgbm", "two_stage_s_lightgbm"
DRAWS = 400


def comparison(**methods):
    """Methods by (value, standard error of their noise against a noise that all of them share)."""
    random = np.random.default_rng(1)
    shared = random.normal(size=(DRAWS, 1))

    def drawn(value, error):
        noise = random.normal(size=(DRAWS, 1))
        noise = error * (noise - noise.mean()) / noise.std(ddof=1)
        return np.vstack([[[value]], value + shared + noise])

    outcomes = {name: drawn(*found) for name, found in methods.items()}
    names = (*methods, SAME_MIX, CONTROL)
    outcomes |= {name: np.zeros((DRAWS + 1, 1)) for name in (SAME_MIX, CONTROL)}
    return Comparison(
        names=names,
        baseline=names[0],
        budgets=np.array([1.0]),
        weights=np.array([1.0]),
        outcomes=outcomes,
        costs=outcomes,
        shadow_prices={},
        notes={},
        same_mix_shares=np.array([[1.0]]),
        level=0.95,
    )


def chosen(**methods):
    return choice_of(comparison(**methods), list(methods))


def test_a_method_that_beats_the_best_two_stage_one_by_a_standard_error_is_chosen():
    choice = chosen(**{T: (5.0, 0.0), S: (5.2, 0.0)}, decision_focused=(6.0, 0.1))
    assert (choice["chosen"], choice["baseline"], choice["reason"]) == ("decision_focused", S, "better")
    assert [row["method"] for row in choice["board"]] == ["decision_focused", S, T]


def test_one_that_only_looks_better_is_not():
    choice = chosen(**{T: (5.0, 0.0)}, decision_focused=(5.09, 0.1))
    assert (choice["chosen"], choice["reason"]) == (T, "not_distinguishable")


def test_a_smaller_gain_that_is_certain_goes_before_a_larger_one_that_is_not():
    choice = chosen(**{T: (5.0, 0.0)}, clusters=(6.0, 2.0), decision_focused=(5.5, 0.1))
    assert (choice["chosen"], choice["reason"]) == ("decision_focused", "better")


def test_the_more_methods_are_held_against_the_yardstick_the_wider_the_intervals_that_are_shown():
    alone = chosen(**{T: (5.0, 0.0)}, clusters=(5.21, 0.1))
    many = chosen(
        **{T: (5.0, 0.0)},
        clusters=(5.21, 0.1),
        decision_focused=(4.0, 0.1),
        decision_factor=(4.0, 0.1),
        bilevel=(4.0, 0.1),
    )
    assert alone["chosen"] == many["chosen"] == "clusters"
    assert (alone["level"], many["level"]) == (0.95, pytest.approx(1 - 0.05 / 4))


def test_the_margin_is_in_standard_errors_of_the_difference():
    found = comparison(**{T: (5.0, 0.0)}, clusters=(5.15, 0.1))
    picks = [choice_of(found, (T, "clusters"), margin=margin)["chosen"] for margin in (0.0, 1.4, 1.6)]
    assert picks == ["clusters", "clusters", T]


def test_where_nothing_looks_better_the_yardstick_is_kept_as_the_best():
    assert chosen(**{T: (5.0, 0.0)}, clusters=(4.0, 0.1))["reason"] == "baseline_best"
    assert chosen(**{T: (5.0, 0.0), S: (4.0, 0.0)})["reason"] == "only_two_stage"


def test_where_no_two_stage_method_is_left_the_best_of_the_rest_is_taken():
    choice = chosen(clusters=(5.0, 0.1), decision_focused=(6.0, 0.1))
    assert (choice["chosen"], choice["baseline"], choice["reason"]) == ("decision_focused", None, "no_two_stage")
    assert all(row["difference"] is None for row in choice["board"])


def test_differences_are_those_to_the_best_two_stage_method():
    choice = chosen(**{T: (5.0, 0.0), S: (5.2, 0.0)}, clusters=(4.0, 0.1))
    by_method = {row["method"]: row["difference"] for row in choice["board"]}
    assert by_method[S] is None
    assert by_method["clusters"]["estimate"] == pytest.approx(-1.2)
    assert by_method[T]["estimate"] == pytest.approx(-0.2)


def forecast(own):
    outcome = np.full((2, 2), 9.0, dtype=np.float32)
    outcome[[0, 1], [0, 1]] = own
    return Forecast(outcome, np.zeros((2, 2), dtype=np.float32))


def test_the_two_stage_forecast_that_predicts_best_speaks_for_users_in_other_arms():
    forecasts = {T: forecast([1.5, 2.5]), S: forecast([1.1, 2.1]), "clusters": forecast([1.0, 2.0])}
    outcome, arm = np.array([1.0, 2.0]), np.array([0, 1])
    assert nuisance_of(outcome, arm, forecasts) == S
    assert nuisance_of(outcome, arm, {"clusters": forecast([1.0, 2.0])}) is None


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Prepared(tmp_path_factory.mktemp("lake"), statement(), prepared(statement())).until("evaluate")


def test_the_stage_compares_on_the_last_fold_and_names_each_method_s_class(run):
    choice = run.json("choose", "choice")
    assert choice["chosen"] in METHODS
    assert choice["reason"] == "only_two_stage"
    assert {row["kind"] for row in choice["board"]} == {"TwoStage"}
    assert all(len(row["values"]) == 2 for row in choice["board"])


def test_the_forecast_of_a_method_is_of_users_that_it_was_not_fitted_on(run):
    forecast = run.table("fit", "forecast")
    users = run.table("prepare", "users")
    fitted = (users["part"] == "discovery") & (users["fold"] < 4) & users["y__orders"].notna()
    assert set(forecast["unit"]) == set(users["unit"][~fitted])
    assert list(forecast.columns[1:4]) == ["outcome__none", "outcome__small", "outcome__large"]


def test_coupons_for_those_who_order_more_by_them_beat_the_same_for_all(run):
    evaluation = run.json("evaluate", "evaluation")
    gain = evaluation["overall"]["vs_constant"]
    assert gain["interval"][0] > 0
    # At 0.2 a small coupon for 40 % of users brings 0.4 among those who gain by it, and 0.2 among all; at 0.5 it is 0.7
    # against 0.5.
    assert gain["estimate"] == pytest.approx(0.2, abs=0.06)
    at = evaluation["budgets"][0]
    assert at["policies"]["chosen"]["cost"]["estimate"] == pytest.approx(0.2, abs=0.02)
    assert at["policies"]["control"]["cost"]["estimate"] == 0
    assert at["policies"]["two_stage"] is at["differences"]["vs_two_stage"] is None
    assert sum(at["constant_shares"].values()) == pytest.approx(1)


def test_the_curves_begin_where_everybody_is_in_control(run):
    curve = run.json("evaluate", "evaluation")["curve"]
    assert curve.keys() == {"chosen", "constant"}
    for points in curve.values():
        assert points[0] == {"spend": 0.0, "gain": 0.0, "low": 0.0, "high": 0.0}
        assert len(points) == 11
        assert all(point["low"] <= point["gain"] <= point["high"] for point in points)


def test_where_a_coupon_costs_less_than_none_the_curves_do_not_return_to_control(tmp_path):
    experiment = statement(budgeting=budgeting(budgets=[0.5], methods=METHODS[:1]))
    made = Prepared(tmp_path, experiment, prepared(experiment, cost=(0.6, 0.1, 1.0))).until("evaluate")
    for points in made.json("evaluate", "evaluation")["curve"].values():
        spends = [point["spend"] for point in points]
        assert spends[0] < 0.3
        assert spends == pytest.approx(sorted(spends), abs=0.02)


def test_a_method_that_failed_is_left_out_and_the_others_carry_the_result(tmp_path):
    made = Prepared(tmp_path, statement(), prepared(statement())).until("plan")
    made.stage("fit", "two_stage_s_lightgbm")
    made.stage("choose")
    assert [row["method"] for row in made.json("choose", "choice")["board"]] == ["two_stage_s_lightgbm"]


def test_where_every_method_failed_the_choice_fails_with_every_reason(tmp_path):
    made = Prepared(tmp_path, statement(), prepared(statement())).until("plan")
    with pytest.raises(InputError, match=r"fit/two_stage_s_lightgbm: killed or out of memory"):
        made.stage("choose")


def test_arms_whose_costs_hardly_differ_are_evaluated_and_their_curve_drawn(tmp_path):
    """The points of the curve are nobody's budgets: noise may put the lowest below what the cheapest arm costs."""
    experiment = statement(budgeting=budgeting(budgets=[1.2], methods=METHODS[:1]))
    users = prepared(experiment, cost=(1.0, 1.005, 1.01))
    users["y__spent"] *= np.where(users["part"] == "discovery", 1.0, 1.02)
    made = Prepared(tmp_path, experiment, users).until("evaluate")
    assert len(made.json("evaluate", "evaluation")["curve"]["chosen"]) == 11


def test_a_file_that_costs_otherwise_than_forecast_is_told(tmp_path):
    experiment = statement(budgeting=budgeting(budgets=[0.3], methods=METHODS[:1]))
    users = prepared(experiment)
    told = {}
    for name, dearer in (("alike", 1.0), ("dearer", 1.5)):
        changed = users.assign(y__spent=users["y__spent"] * np.where(users["part"] == "discovery", 1.0, dearer))
        (told[name],) = (
            Prepared(tmp_path / name, experiment, changed).until("evaluate").json("evaluate", "evaluation")["budgets"]
        )
    assert told["alike"]["allocated_cost"]["estimate"] == pytest.approx(0.3, abs=0.02)
    assert told["dearer"]["allocated_cost"]["estimate"] == pytest.approx(0.45, abs=0.03)
    assert told["dearer"]["policies"]["chosen"]["cost"]["estimate"] == pytest.approx(0.3, abs=0.02)
    assert "file_overspends" not in told["alike"]["notes"]
    assert told["dearer"]["notes"] == ["file_overspends"]
