import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from causal_tasks.allocation.networks.forecaster import Forecaster
from causal_tasks.allocation.responses import Responses
from causal_tasks.allocation.two_stage import NETWORK, TwoStage
from causal_tasks.errors import InputError
from causal_tasks.uplift import TLearner
from causal_tasks.uplift.candidates import candidate
from causal_tasks.uplift.networks.trainer import threads

LABELS = np.array(["none", "small", "big"], dtype=object)
MODELS = ("t_lightgbm", "s_lightgbm", "x_lightgbm", "r_lightgbm", "dr_lightgbm", NETWORK)


def experiment(n=3000, seed=0):
    """Outcome x0 + arm * (1 + x1), cost 0.5 * arm * exp(0.3 x2)."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, 3))
    arm = random.integers(0, 3, n)
    outcome = X[:, 0] + arm * (1 + X[:, 1]) + random.normal(size=n)
    return X, outcome, arm, 0.5 * arm * np.exp(0.3 * X[:, 2])


def fitted(model="t_lightgbm", **arguments):
    X, outcome, arm, cost = experiment()
    return TwoStage(model, **arguments).fit(X, outcome, LABELS[arm], cost=cost, control="none")


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return fitted(request.param)


def test_outcome_and_cost_of_every_arm_are_recovered_in_the_order_of_the_arms(model):
    X = experiment(seed=1)[0]
    forecast = model.predict(X)
    assert model.arms_ == ("none", "big", "small")
    steps = np.array([0, 2, 1])
    outcome, cost = X[:, :1] + steps * (1 + X[:, 1:2]), 0.5 * steps * np.exp(0.3 * X[:, 2:3])
    effect = (forecast.outcome - forecast.outcome[:, :1])[:, 1:]
    assert np.corrcoef(effect[:, 0], outcome[:, 1] - outcome[:, 0])[0, 1] > 0.85
    assert np.abs(forecast.outcome.mean(axis=0) - outcome.mean(axis=0)).max() < 0.15
    assert np.abs(forecast.cost - cost).mean() < 0.15


def test_a_saved_model_predicts_the_same(model, tmp_path):
    X = experiment(seed=1)[0]
    model.save(tmp_path)
    loaded = TwoStage.load(tmp_path)
    assert loaded.get_params() == model.get_params()
    for before, after in zip(model.predict(X), loaded.predict(X), strict=True):
        np.testing.assert_array_equal(before, after)


def test_each_stage_is_the_learner_alone_on_the_same_units():
    X, outcome, arm, cost = experiment()
    shares = {label: float((arm == code).mean()) for code, label in enumerate(LABELS)}
    for target, levels in zip((outcome, cost), fitted().predict(X), strict=True):
        alone = candidate("t_lightgbm").fit(X, target, LABELS[arm], control="none", propensity=shares)
        expected = alone.predict_outcomes(X)
        np.testing.assert_array_equal(levels, np.maximum(expected, 0) if target is cost else expected)


def test_a_stated_order_of_arms_is_kept():
    X, outcome, arm, cost = experiment()
    data = Responses.checked(X, outcome, LABELS[arm], cost=cost, arms=list(LABELS))
    model = TwoStage().fit_responses(data)
    assert model.arms_ == ("none", "small", "big")
    assert (np.diff(model.predict(X).cost.mean(axis=0)) > 0).all()


@pytest.mark.parametrize("name", ["t_lightgbm", NETWORK])
def test_known_prices_are_not_learned(name, tmp_path, monkeypatch):
    X, outcome, arm, _ = experiment()
    calls = []
    fit = TLearner.fit
    monkeypatch.setattr(TLearner, "fit", lambda self, *a, **k: calls.append(1) or fit(self, *a, **k))
    prices = {"none": 0.0, "small": 1.5, "big": 4.0}
    model = TwoStage(name, settings={"epochs": 2} if name == NETWORK else None)
    model.fit(X, outcome, LABELS[arm], cost=prices, control="none")
    assert len(calls) == (name != NETWORK)
    np.testing.assert_array_equal(np.unique(model.predict(X).cost, axis=0), [[0.0, 4.0, 1.5]])
    model.save(tmp_path)
    np.testing.assert_array_equal(TwoStage.load(tmp_path).predict(X).cost, model.predict(X).cost)


def test_propensities_that_differ_between_units_are_weighed_out():
    """Arms drawn by a stratum that is no feature: without weights the treated would look better than they are."""
    random = np.random.default_rng(0)
    n = 20_000
    stratum = random.integers(0, 2, n)
    treated = np.where(stratum == 1, 0.8, 0.2)
    arm = (random.random(n) < treated).astype(int)
    outcome = 3.0 * stratum + 1.0 * arm + random.normal(size=n)
    X = random.normal(size=(n, 2))
    data = {"cost": {0: 0.0, 1: 1.0}}
    settings = {"n_estimators": 10}
    known = TwoStage(settings=settings).fit(X, outcome, arm, propensity=np.column_stack([1 - treated, treated]), **data)
    naive = TwoStage(settings=settings).fit(X, outcome, arm, **data)
    effects = [np.diff(model.predict(X).outcome, axis=1).mean() for model in (known, naive)]
    assert abs(effects[0] - 1.0) < 0.15
    assert effects[1] > 2.0


def test_the_network_predicts_on_as_many_threads_as_it_may(monkeypatch):
    used = []
    levels = Forecaster._levels
    monkeypatch.setattr(Forecaster, "_levels", lambda *a: used.append(torch.get_num_threads()) or levels(*a))
    model = fitted(NETWORK, settings={"epochs": 1})
    with threads(2):
        model.predict(experiment(100)[0])
    assert used == [1]


def test_no_thread_at_all_is_refused():
    with pytest.raises(InputError, match="n_jobs is 0"):
        fitted(NETWORK, settings={"epochs": 1}, n_jobs=0)


def test_settings_reach_the_models():
    assert fitted(settings={"n_estimators": 7})._first_stage.cost.parameters["n_estimators"] == 7
    assert (
        fitted(NETWORK, settings={"hidden": [5], "epochs": 1})._first_stage.forecaster.network.outputs.in_features == 5
    )


def test_categories_and_missing_values_are_taken_as_they_come():
    X, outcome, arm, cost = experiment(1000)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame.loc[::7, "a"] = np.nan
    frame["level"] = pd.Categorical(np.where(X[:, 1] > 0, "high", "low"))
    for name in ("t_lightgbm", NETWORK):
        model = TwoStage(name, settings={"epochs": 2} if name == NETWORK else {"n_estimators": 5})
        model.fit(frame, outcome, LABELS[arm], cost=cost, control="none")
        assert model.features_.names == list(frame.columns)
        assert model.predict(frame.head(10)).outcome.shape == (10, 3)


@pytest.mark.parametrize("swap", [True, False])
def test_files_of_a_stage_that_changed_are_refused(tmp_path, swap):
    fitted(settings={"n_estimators": 2}).save(tmp_path)
    if swap:
        shutil.move(tmp_path / "outcome", tmp_path / "other")
        shutil.move(tmp_path / "cost", tmp_path / "outcome")
        shutil.move(tmp_path / "other", tmp_path / "cost")
    else:
        description = json.loads((tmp_path / "cost" / "model.json").read_text())
        (tmp_path / "cost" / "model.json").write_text(json.dumps(description | {"files": {}}))
    with pytest.raises(InputError, match="has changed since it was saved"):
        TwoStage.load(tmp_path)


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ("t_catboost", None, "'t_catboost' is unknown"),
        ("t_lightgbm", {"depth": 3}, "depth"),
        (NETWORK, {"layers": 3}, "layers"),
        (NETWORK, {"learning_rate": 0.0}, r"learning_rate=0\.0"),
        (NETWORK, {"hidden": [0]}, r"hidden layers have \[0\]"),
        (NETWORK, {"validation_share": 1.0}, r"share of 1\.0 to hold out"),
    ],
)
def test_an_unknown_model_or_a_wrong_setting_is_named(model, settings, message):
    with pytest.raises(InputError, match=message):
        fitted(model, settings=settings)


def test_a_clone_is_unfitted_and_has_the_same_parameters():
    model = fitted(settings={"n_estimators": 2}, random_state=3)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "arms_")


@pytest.mark.parametrize("model", ["s_lightgbm", "t_lightgbm"])
def test_an_arm_that_cost_every_unit_the_same_is_foreseen_at_that_cost(model, tmp_path):
    random = np.random.default_rng(0)
    treatment = random.integers(0, 2, 2000)
    X, outcome = random.normal(size=(2000, 2)), random.normal(size=2000)
    cost = np.where(treatment == 0, 0.25, random.gamma(2.0, size=2000))
    fitted = TwoStage(model).fit(X, outcome, treatment, cost=cost)
    fitted.save(tmp_path)
    for found in (fitted.predict(X), TwoStage.load(tmp_path).predict(X)):
        assert (found.cost[:, 0] == 0.25).all()
        assert (found.cost[:, 1] > 1).all()
