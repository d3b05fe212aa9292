import numpy as np
import pandas as pd
import pytest

from causal_tasks.base_models import LightGBM, XGBoost
from causal_tasks.effects import cross_fitted_proxy, proxy
from causal_tasks.errors import InputError


def curved(seed, n=4000):
    """Outcome, covariates with a category and gaps, and what the covariates tell of the outcome."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "city": pd.Categorical(rng.choice(["a", "b", "c"], n)),
            "noise": rng.normal(size=n).astype("float32"),
        }
    )
    truth = 2 * np.abs(frame["x"].to_numpy()) + (frame["city"] == "b").to_numpy() * 1.5
    frame.loc[rng.random(n) < 0.1, "noise"] = np.nan
    return truth + rng.normal(size=n), frame, truth


class Recorder(LightGBM):
    """A model that tells on which rows it was fitted."""

    fits: tuple[pd.DataFrame, ...] = ()

    def fit(self, X, outcome, *, sample_weight=None):
        type(self).fits += (X,)
        return super().fit(X, outcome, sample_weight=sample_weight)


@pytest.fixture
def recorder(monkeypatch):
    monkeypatch.setattr(Recorder, "fits", ())
    return Recorder(n_estimators=3)


def test_a_proxy_is_close_to_what_can_be_known():
    outcome, covariates, truth = curved(1)
    expected = cross_fitted_proxy(outcome, covariates)
    assert np.corrcoef(expected, truth)[0, 1] > 0.9
    assert expected.mean() == pytest.approx(outcome.mean(), rel=1e-6)


def test_no_unit_is_predicted_by_a_model_that_has_seen_its_outcome():
    outcome, covariates, _ = curved(2, n=1000)
    before = cross_fitted_proxy(outcome, covariates)
    changed = outcome.copy()
    changed[7] += 1e3
    after = cross_fitted_proxy(changed, covariates)
    moved = np.abs((after - after.mean()) - (before - before.mean())) > 1e-4
    # Its own half is predicted by the other one, but for the common mean of all outcomes.
    assert not moved[7]
    assert 0 < moved.sum() <= 500


def test_a_proxy_of_pure_noise_explains_nothing():
    rng = np.random.default_rng(3)
    outcome, covariates = rng.normal(size=4000), rng.normal(size=(4000, 10))
    assert abs(np.corrcoef(cross_fitted_proxy(outcome, covariates), outcome)[0, 1]) < 0.05


def test_halves_are_made_of_whole_clusters(recorder):
    outcome, covariates, _ = curved(4, n=900)
    clusters = np.repeat([f"c{i}" for i in range(300)], 3)
    cross_fitted_proxy(outcome, covariates, clusters=clusters, base_model=recorder)
    first, second = ({clusters[row] for row in X.index} for X in Recorder.fits)
    assert not first & second
    assert (len(first), len(second)) == (150, 150)


def test_at_most_as_many_rows_are_fitted_as_allowed_and_all_are_predicted(recorder, monkeypatch):
    monkeypatch.setattr(proxy, "ROWS_PER_FIT", 120)
    monkeypatch.setattr(proxy, "_ROWS_PER_PREDICTION", 70)
    outcome, covariates, _ = curved(5, n=1000)
    expected = cross_fitted_proxy(outcome, covariates, base_model=recorder)
    assert [len(X) for X in Recorder.fits] == [120, 120]
    assert np.isfinite(expected).all()


def test_the_same_seed_gives_the_same_proxy_and_another_one_another():
    outcome, covariates, _ = curved(6, n=800)
    first, again, other = (cross_fitted_proxy(outcome, covariates, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_numbers_without_names_and_other_models_do_as_well():
    outcome, covariates, truth = curved(7, n=2000)
    numbers = covariates[["x", "noise"]].to_numpy()
    for expected in (
        cross_fitted_proxy(outcome, numbers),
        cross_fitted_proxy(outcome, numbers[:, 0]),
        cross_fitted_proxy(outcome, covariates, base_model=XGBoost(n_estimators=50)),
    ):
        assert np.corrcoef(expected, truth)[0, 1] > 0.7


def test_the_given_model_is_left_unfitted():
    outcome, covariates, _ = curved(8, n=400)
    model = LightGBM(n_estimators=5)
    cross_fitted_proxy(outcome, covariates, base_model=model)
    assert not hasattr(model, "booster_")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outcome": [1.0, np.nan, 2.0, 3.0]}, "outcome has 1 missing"),
        ({"covariates": [1.0, 2.0]}, "covariates have 2 rows"),
        ({"covariates": [1.0, 2.0, 3.0, np.inf]}, "infinite"),
        ({"clusters": [1, 1, 1, 1]}, "all units are in one cluster"),
    ],
)
def test_wrong_arguments_are_refused(change, message):
    arguments = {"outcome": [1.0, 2.0, 3.0, 4.0], "covariates": [1.0, 2.0, 3.0, 4.0], **change}
    with pytest.raises(InputError, match=message):
        cross_fitted_proxy(arguments.pop("outcome"), arguments.pop("covariates"), **arguments)


@pytest.mark.parametrize("outcome", ["visit", "conversion"])
def test_a_thousand_users_of_whom_two_convert_have_a_proxy(outcome, test_data):
    users = pd.read_csv(test_data / "criteo_uplift_1000.csv.gz")
    for seed in range(4):
        found = cross_fitted_proxy(users[outcome], users.filter(regex="^f"), seed=seed)
        assert found.mean() == pytest.approx(users[outcome].mean())
