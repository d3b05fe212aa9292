import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from causal_tasks.allocation.decision_factor import DecisionFactor
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack.lagrangian import best_arms
from causal_tasks.allocation.oracle import oracle_gain
from causal_tasks.allocation.responses import Responses
from causal_tasks.data.coupon_problems import dose_problem
from causal_tasks.errors import InputError

KINDS = ("uplift_rank", "direct_roi", "marginal_roi")


def small(kind="auto", **arguments):
    return DecisionFactor(kind, **{"hidden": (8,), "epochs": 20, "batch_size": 256, "learning_rate": 0.01} | arguments)


def mixed(n=2000, seed=0):
    """Numbers with gaps, a category, three arms named by text: the dearer, the more, above all where x0 is above 0."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame({"x0": random.normal(size=n), "city": pd.Categorical(random.choice(["a", "b"], n))})
    X.loc[random.random(n) < 0.1, "x0"] = np.nan
    dose = random.choice(3, n, p=[0.5, 0.3, 0.2])
    known = X["x0"].fillna(0.0).to_numpy()
    outcome = known + np.sqrt(dose) * (0.5 + (known > 0)) + 0.3 * random.normal(size=n)
    cost = dose * (1 + 0.5 * (X["city"] == "b").to_numpy()) * random.gamma(4, 0.25, n)
    return X, outcome, np.array(["none", "small", "big"], dtype=object)[dose], cost


def fitted(model, **arguments):
    X, outcome, treatment, cost = mixed()
    return model.fit(X, outcome, treatment, **{"cost": cost, "control": "none"} | arguments)


def one_treatment(n=6000, seed=0, share=0.5):
    """Return on cost 0.2 or 0.8 by x0, cost 1 or 2 by x1; what x2 brings is large and beside the point.

    Returns:
        Features, treatment, outcome, cost and true return.
    """
    random = np.random.default_rng(seed)
    X = random.choice([-1.0, 1.0], (n, 3))
    treatment = (random.random(n) < share).astype(int)
    cost = treatment * (1.5 + 0.5 * X[:, 1])
    roi = 0.5 + 0.3 * X[:, 0]
    return X, treatment, roi * cost + 2 * X[:, 2] + 0.3 * random.normal(size=n), cost, roi


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return fitted(small(request.param))


def test_a_saved_model_predicts_the_same(model, tmp_path):
    new = mixed(seed=1)[0]
    model.save(tmp_path)
    loaded = DecisionFactor.load(tmp_path)
    for found, expected in zip(loaded.predict(new), model.predict(new), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(loaded.roi(new), model.roi(new))
    assert json.loads(json.dumps(loaded.get_params())) == json.loads(json.dumps(model.get_params()))
    assert (loaded.arms_, loaded.notes_, loaded.kind_, loaded.pairs_) == (
        model.arms_,
        model.notes_,
        model.kind_,
        model.pairs_,
    )


def test_a_clone_of_the_same_seed_learns_the_same(model):
    new = mixed(seed=1)[0]
    np.testing.assert_array_equal(fitted(clone(model)).roi(new), model.roi(new))


def test_units_that_respond_have_the_higher_factor(model):
    X = mixed(seed=1)[0]
    first = model.roi(X)[:, 0]
    responds = X["x0"].fillna(0.0).to_numpy() > 0
    assert first[responds].mean() > 1.5 * first[~responds].mean()


@pytest.mark.parametrize("price", [0.0, 0.3, 0.6, 1.0, 3.0])
def test_a_unit_climbs_while_its_next_return_is_above_the_price(price):
    model, X = fitted(small("marginal_roi")), mixed(seed=1)[0]
    returns = model.roi(X)
    assert (np.diff(returns, axis=1) <= 0).all()
    order = [model.arms_.index(upper) for _, upper in model.pairs_]
    climbed = np.array([0, *order])[(returns > price).sum(axis=1)]
    clear = (np.abs(returns - price) > 1e-3).all(axis=1)
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(best_arms(model.predict(X), price)[clear], climbed[clear])


def test_steps_follow_the_cost_of_arms_not_their_labels():
    model = fitted(small("marginal_roi"))
    assert model.arms_ == ("none", "big", "small")
    assert model.pairs_ == (("none", "small"), ("small", "big"))
    forecast = model.predict(mixed(seed=1)[0])
    assert (forecast.cost[:, 0] < forecast.cost[:, 2]).all()
    assert (forecast.cost[:, 2] < forecast.cost[:, 1]).all()


@pytest.mark.parametrize("means", ["unit", "arm"])
@pytest.mark.parametrize("share", [0.5, 0.85])
def test_the_return_of_one_treatment_is_recovered_also_with_unequal_arms(share, means):
    X, treatment, outcome, cost, roi = one_treatment(share=share)
    model = small(means=means, hidden=(), epochs=30).fit(X, outcome, treatment, cost=cost)
    assert model.kind_ == "direct_roi"
    tolerance = 0.05 if means == "unit" else 0.2
    assert np.abs(model.roi(X) - roi).mean() < tolerance


def test_propensities_that_depend_on_the_unit_are_weighed_out():
    random = np.random.default_rng(1)
    X, _, _, _, roi = one_treatment()
    probability = np.where(X[:, 2] > 0, 0.8, 0.2)
    treatment = (random.random(len(X)) < probability).astype(int)
    cost = treatment * (1.5 + 0.5 * X[:, 1])
    outcome = roi * cost + 2 * X[:, 2]
    arguments = {"hidden": (), "epochs": 30, "means": "arm"}
    right = small(**arguments).fit(
        X, outcome, treatment, cost=cost, propensity=np.column_stack([1 - probability, probability])
    )
    wrong = small(**arguments).fit(X, outcome, treatment, cost=cost)
    assert abs(right.roi(X).mean() - roi.mean()) < 0.1
    assert wrong.roi(X).mean() - roi.mean() > 0.4


def test_what_moves_all_arms_alike_costs_no_precision_where_it_can_be_predicted():
    X, treatment, outcome, cost, roi = one_treatment(n=4000)
    errors = {
        means: np.abs(small(means=means, hidden=(4,)).fit(X, outcome, treatment, cost=cost).roi(X) - roi).mean()
        for means in ("unit", "arm")
    }
    assert errors["unit"] < 0.6 * errors["arm"]


def test_marginal_returns_find_most_of_what_a_budget_can_gain():
    data, test = (dose_problem(6000, seed=seed, noise=0.5) for seed in (0, 1))
    model = DecisionFactor(batch_size=512).fit(data.X, data.outcome, data.treatment, cost=data.cost)
    truth = Forecast.checked(test.true_outcome, test.true_cost)
    assert model.kind_ == "marginal_roi"
    assert oracle_gain(model.predict(test.X), truth, [0.2, 0.4, 0.6]) > 0.85


def test_known_prices_are_kept_and_need_no_network():
    price = {"none": 0.1, "small": 1.0, "big": 2.5}
    model = fitted(small(), cost=price)
    assert (model.kind_, model.costs_) == ("marginal_roi", None)
    np.testing.assert_allclose(model.predict(mixed(seed=1)[0]).cost, np.tile([0.1, 2.5, 1.0], (2000, 1)), rtol=1e-6)


def test_treatments_of_one_price_are_each_compared_with_control():
    model = fitted(small(), cost={"none": 0.0, "small": 0.1, "big": 0.1})
    assert (model.kind_, model.pairs_) == ("direct_roi", (("none", "big"), ("none", "small")))


def test_where_no_arm_is_dearer_gains_are_ranked_and_average_to_the_mean_one():
    X, outcome, treatment, _ = mixed()
    model = fitted(small(), cost=dict.fromkeys(("none", "small", "big"), 0.5))
    assert model.kind_ == "uplift_rank"
    observed = [outcome[treatment == arm].mean() - outcome[treatment == "none"].mean() for arm in ("big", "small")]
    assert model.roi(X).mean() == pytest.approx(np.mean(observed), rel=0.1)


def test_levels_are_near_the_mean_outcomes_of_arms():
    X, outcome, treatment, _ = mixed()
    forecast = fitted(small("marginal_roi", epochs=60)).predict(X)
    observed = [outcome[treatment == arm].mean() for arm in ("none", "big", "small")]
    np.testing.assert_allclose(forecast.outcome.mean(axis=0), observed, atol=0.15)


def test_a_treatment_cheaper_than_control_is_noted_and_control_is_what_costs():
    X, treatment, outcome, cost, _ = one_treatment(n=4000)
    model = small().fit(X, -outcome, treatment, cost=2.5 - cost)
    assert model.notes_[0] == "cheaper_than_control:1"
    assert model.pairs_ == ((1, 0),)


def test_costs_that_hardly_differ_are_noted():
    treatment = mixed()[2]
    random = np.random.default_rng(5)
    model = fitted(small("marginal_roi"), cost=(treatment != "none") * (1 + 0.1 * random.random(len(treatment))))
    assert any(note.startswith("cost_hardly_differs:") for note in model.notes_)


def test_pure_noise_leaves_the_average_and_says_so():
    X, treatment, _, cost, _ = one_treatment(n=2000)
    outcome = 0.5 * cost + 5 * np.random.default_rng(8).normal(size=2000)
    model = small(means="arm", patience=2, learning_rate=0.03).fit(X, outcome, treatment, cost=cost)
    assert model.notes_ == ("only_the_average",)
    assert np.ptp(model.roi(X)) < 0.5 * model.roi(X).mean()


def test_arms_of_one_price_cannot_be_climbed():
    with pytest.raises(InputError, match="costs no more than arm"):
        fitted(small("marginal_roi"), cost={"none": 0.0, "small": 0.1, "big": 0.1})


def test_a_ranking_needs_a_gain():
    X, treatment, outcome, cost, _ = one_treatment(n=2000)
    with pytest.raises(InputError, match="uplift_rank learns shares of a gain, and there is none"):
        small("uplift_rank", means="arm").fit(X, -outcome, treatment, cost=cost)


def test_the_largest_return_bounds_what_is_learned():
    assert fitted(small("direct_roi", largest_return=0.5)).roi(mixed()[0]).max() <= 0.5


@pytest.mark.parametrize(
    "parameters",
    [
        {"kind": "roi"},
        {"means": "none"},
        {"largest_return": 0.0},
        {"hidden": (0,)},
        {"learning_rate": 0.0},
        {"weight_decay": -1.0},
        {"batch_size": 0},
        {"validation_share": 1.0},
    ],
)
def test_parameters_out_of_range_are_refused_by_name(parameters):
    with pytest.raises(InputError, match=next(iter(parameters))):
        fitted(DecisionFactor(**parameters))


def test_logs_are_refused():
    X, outcome, treatment, cost = mixed()
    data = Responses.checked(X, outcome, treatment, cost=cost, control="none")
    with pytest.raises(InputError, match="DecisionFactor learns from an experiment alone"):
        small().fit_responses(data, logs=data)


def test_a_missing_feature_is_named(model):
    with pytest.raises(InputError, match=r"X lacks the columns \['city'\]"):
        model.roi(mixed()[0][["x0"]])
