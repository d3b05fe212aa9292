import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from causal_tasks.allocation.decision_focused import DecisionFocused
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack.lagrangian import best_arms
from causal_tasks.allocation.networks.forecaster import Forecaster
from causal_tasks.allocation.networks.prices import prices_of
from causal_tasks.allocation.oracle import oracle_gain
from causal_tasks.allocation.two_stage import TwoStage
from causal_tasks.data.coupon_problems import dose_problem
from causal_tasks.errors import ConfigurationError, InputError
from causal_tasks.uplift.networks.trainer import threads

LOSSES = ("policy_learning", "maximum_entropy", "finite_difference", "doubly_robust")
NOTE = "decision_loss_did_not_help"


def small(loss="doubly_robust", **arguments):
    return DecisionFocused(
        loss, **{"hidden": (8,), "epochs": 4, "warm_epochs": 20, "batch_size": 128, "warm_batch_size": 64} | arguments
    )


def mixed(n=1500, seed=0):
    """Numbers with gaps, a category, three arms named by text; outcome x0 + arm * (x0 > 0), cost by arm and city."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame({"x0": random.normal(size=n), "city": pd.Categorical(random.choice(["a", "b"], n))})
    X.loc[random.random(n) < 0.1, "x0"] = np.nan
    arm = random.choice(3, n, p=[0.5, 0.3, 0.2])
    known = X["x0"].fillna(0.0).to_numpy()
    outcome = known + arm * (known > 0) + 0.3 * random.normal(size=n)
    cost = arm * (1 + 0.5 * (X["city"] == "b").to_numpy()) * random.gamma(4, 0.25, n)
    return X, outcome, np.array(["a_none", "b_small", "c_big"], dtype=object)[arm], cost


def fitted(model, *, n=1500, **arguments):
    X, outcome, treatment, cost = mixed(n)
    return model.fit(X, outcome, treatment, **{"cost": cost, "control": "a_none"} | arguments)


def assert_equal_forecasts(found, expected):
    for values, others in zip(found, expected, strict=True):
        np.testing.assert_array_equal(values, others)


@pytest.fixture(scope="module", params=LOSSES)
def model(request):
    return fitted(small(request.param, keep="last"))


def test_a_saved_model_predicts_the_same(model, tmp_path):
    new = mixed(seed=1)[0]
    model.save(tmp_path)
    loaded = DecisionFocused.load(tmp_path)
    assert_equal_forecasts(loaded.predict(new), model.predict(new))
    assert json.loads(json.dumps(loaded.get_params())) == json.loads(json.dumps(model.get_params()))
    assert (loaded.arms_, loaded.notes_) == (model.arms_, model.notes_)


def test_a_clone_of_the_same_seed_learns_the_same(model):
    again = fitted(clone(model))
    assert_equal_forecasts(again.predict(mixed(seed=1)[0]), model.predict(mixed(seed=1)[0]))


def test_every_loss_changes_the_forecast_of_the_warm_start(model):
    warm = fitted(TwoStage("network", settings={"hidden": (8,), "epochs": 20, "batch_size": 64}))
    new = mixed(seed=1)[0]
    assert np.abs(model.predict(new).outcome - warm.predict(new).outcome).max() > 1e-3


def test_decisions_follow_from_the_forecast_and_reach_those_who_respond(model):
    X = mixed(seed=1)[0]
    forecast = model.predict(X)
    (price,) = prices_of(forecast, np.array([0.4]))
    treated = best_arms(forecast, float(price)) > 0
    responds = X["x0"].fillna(0.0).to_numpy() > 0
    assert treated[responds].mean() > treated[~responds].mean() + 0.3


def test_where_no_epoch_is_better_the_two_stage_forecast_stays_and_a_note_says_so():
    """An outcome without any effect leaves nothing to decide: whatever is learned is noise."""
    X, _, treatment, cost = mixed(800)
    noise = np.random.default_rng(3).normal(size=800)
    kept = []
    for seed in range(4, 7):
        found = small(learning_rate=1e-2, random_state=seed).fit(X, noise, treatment, cost=cost, control="a_none")
        settings = {"hidden": (8,), "epochs": 20, "batch_size": 64}
        warm = TwoStage("network", settings=settings, random_state=seed).fit(
            X, noise, treatment, cost=cost, control="a_none"
        )
        same = bool((found.predict(X).outcome == warm.predict(X).outcome).all())
        assert same == (found.training_.best == 0) == (NOTE in found.notes_)
        assert found.training_.values[found.training_.best] == max(found.training_.values)
        kept.append(same)
    assert any(kept)


def test_the_last_epoch_is_kept_on_request_whatever_its_value():
    found = fitted(small(keep="last", epochs=3, patience=1))
    assert (found.training_.best, len(found.training_.values)) == (3, 4)
    assert NOTE not in found.notes_


def test_known_prices_are_the_forecast_s_costs_and_no_unit_has_to_tell_them():
    prices = {"a_none": 0.0, "b_small": 1.0, "c_big": 3.0}
    found = fitted(small(), cost=prices)
    forecast = found.predict(mixed(seed=1)[0])
    np.testing.assert_array_equal(forecast.cost, np.tile([0.0, 1.0, 3.0], (1500, 1)))
    np.testing.assert_allclose(found.prices_.budgets, 3.0 * np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), rtol=1e-6)


def test_budgets_with_their_weights_are_those_declared():
    found = fitted(small(budgets=[0.2, 0.5], budget_weights=[3, 1]))
    np.testing.assert_allclose(found.prices_.budgets, [0.2, 0.5])
    np.testing.assert_allclose(found.prices_.weights, [0.75, 0.25])
    assert found.prices_.prices[0] > found.prices_.prices[1]


def test_yes_or_no_outcomes_have_forecasts_between_0_and_1():
    X, outcome, treatment, cost = mixed()
    found = small().fit(X, outcome > 0.5, treatment, cost=cost, control="a_none")
    forecast = found.predict(X)
    assert 0 < forecast.outcome.min() < forecast.outcome.max() < 1


def test_predicted_costs_stay_near_true_ones_with_the_prediction_loss_and_drift_without():
    problem, new = dose_problem(3000, seed=0), dose_problem(4000, seed=1)
    error = {}
    for alpha in (0.0, 10.0):
        model = DecisionFocused("policy_learning", alpha=alpha, keep="last", epochs=20, batch_size=256)
        model.fit(problem.X, problem.outcome, problem.treatment, cost=problem.cost)
        error[alpha] = np.abs(model.predict(new.X).cost - new.true_cost).mean()
    assert error[10.0] < 0.6 * error[0.0]


def test_a_warm_start_beats_a_cold_one():
    problem, new = dose_problem(3000, seed=0), dose_problem(4000, seed=1)
    truth = Forecast.checked(new.true_outcome, new.true_cost)
    budgets = truth.cost.max(axis=1).mean() * np.array([0.2, 0.4, 0.6])
    gains = {}
    for warm_start in (True, False):
        model = DecisionFocused("maximum_entropy", alpha=0.0, warm_start=warm_start)
        model.fit(problem.X, problem.outcome, problem.treatment, cost=problem.cost)
        gains[warm_start] = oracle_gain(model.predict(new.X), truth, budgets)
    assert gains[True] > gains[False] + 0.03


@pytest.mark.parametrize(
    "arguments",
    [
        {"loss": "spo"},
        {"baseline": "none"},
        {"keep": "first"},
        {"temperature": 0.0},
        {"alpha": -1.0},
        {"learning_rate": 0.0},
        {"epochs": 0},
        {"patience": 0},
        {"hidden": (0,)},
        {"validation_share": 1.0},
    ],
)
def test_parameters_that_make_no_sense_are_told_by_name(arguments):
    (name,) = arguments
    with pytest.raises(InputError, match="hidden layers have" if name == "hidden" else f"has {name}="):
        fitted(small(**arguments))


def test_a_budget_that_the_forecast_cannot_keep_is_noted_and_no_fault():
    X, outcome, treatment, cost = mixed(300)
    found = small(budgets=[0.01, 0.5]).fit(X, outcome, treatment, cost=cost + 0.1, control="a_none")
    assert "budget_below_cheapest:0.01" in found.notes_
    assert np.isfinite(found.predict(X).outcome).all()
    assert not any("cheapest" in note for note in fitted(small(budgets=[0.01, 0.5]), n=300).notes_), "control is free"


def test_prediction_takes_as_many_threads_as_it_may(model, monkeypatch):
    used = []
    levels = Forecaster._levels
    monkeypatch.setattr(Forecaster, "_levels", lambda *a: used.append(torch.get_num_threads()) or levels(*a))
    with threads(2):
        model.predict(mixed(100)[0])
        assert torch.get_num_threads() == 2
    assert used == [1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [({"budgets": [0.0]}, "budgets"), ({"budgets": [0.5], "budget_weights": [1.0, 2.0]}, "budget_weights")],
)
def test_budgets_that_are_none_are_told(arguments, told):
    with pytest.raises(InputError, match=told):
        fitted(small(**arguments), n=300)


def test_logs_are_refused():
    X, outcome, treatment, cost = mixed(300)
    with pytest.raises(InputError, match="learns from an experiment alone"):
        small().fit(X, outcome, treatment, cost=cost, control="a_none", logs=object())


def test_a_missing_gpu_is_told():
    if torch.cuda.is_available():
        pytest.skip("torch finds a GPU")
    with pytest.raises(ConfigurationError, match="no GPU"):
        fitted(small(device="cuda"), n=300)


@pytest.mark.gpu
def test_a_network_fitted_on_a_gpu_decides_as_well_and_survives_its_file(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    problem, new = dose_problem(6000, seed=0), dose_problem(4000, seed=1)
    truth = Forecast.checked(new.true_outcome, new.true_cost)
    budgets = truth.cost.max(axis=1).mean() * np.array([0.2, 0.4, 0.6])
    model = DecisionFocused(device="cuda").fit(problem.X, problem.outcome, problem.treatment, cost=problem.cost)
    assert oracle_gain(model.predict(new.X), truth, budgets) > 0.8
    model.save(tmp_path)
    for after, before in zip(DecisionFocused.load(tmp_path).predict(new.X), model.predict(new.X), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)
