"""The preference model as a learner of effects."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from causal_tasks.base_models import DesignMatrix, StoredDesign
from causal_tasks.dynamic import LongTermUplift
from causal_tasks.dynamic.long_term import NegativeFeatureWarning
from causal_tasks.errors import ConfigurationError, InputError

pytestmark = pytest.mark.filterwarnings("ignore::causal_tasks.dynamic.long_term.NegativeFeatureWarning")


def experiment(n=4_000, *, effect=1.0, binary=False, seed=0):
    """The first treatment helps city b and users whose x1 is missing, the second those with a large x0."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame({f"x{k}": random.random(n).astype("float32") for k in range(3)})
    X["city"] = pd.Categorical(random.choice(["a", "b", "c"], n))
    X.loc[random.random(n) < 0.2, "x1"] = np.nan
    effects = effect * np.column_stack([X["x1"].isna() + (X["city"] == "b"), 1.5 * (X["x0"] > 0.5)]).astype(float)
    arm = random.integers(0, 3, n)
    means = 2 + X["x2"].to_numpy(dtype=float)[:, None] + np.column_stack([np.zeros(n), effects])
    if binary:
        means = means / 6
        return X, (random.random(n) < means[np.arange(n), arm]).astype(float), arm, means
    return X, means[np.arange(n), arm] + random.random(n) - 0.5, arm, means


def small(**changes):
    return LongTermUplift(**{"embedding": 8, "batch_size": 128, "max_epochs": 8, "learning_rate": 3e-3} | changes)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"guidance": "features", "bucketing": "quantile"},
        {"guidance": "mmoe", "loss": "squared"},
        {"binary": True, "loss": "cross_entropy", "learning_rate": 1e-3},
    ],
    ids=["paper", "features", "mmoe", "binary"],
)
def test_planted_effects_of_two_treatments_are_found_on_new_users(options):
    binary = options.pop("binary", False)
    n = 12_000 if binary else 5_000
    learner = small(**options).fit(*experiment(n, binary=binary)[:3])
    new, _, _, means = experiment(2_000, seed=1, binary=binary)
    outcomes = learner.predict_outcomes(new)
    assert outcomes.dtype == np.float32
    assert np.abs(outcomes.mean(axis=0) - means.mean(axis=0)).max() < 0.08
    for column in range(2):
        found, true = learner.predict(new)[:, column], means[:, column + 1] - means[:, 0]
        assert np.corrcoef(found, true)[0, 1] > (0.75 if binary else 0.9)


def test_no_effect_is_found_where_there_is_none():
    learner = small().fit(*experiment(effect=0.0)[:3])
    new = experiment(2_000, seed=1)[0]
    assert np.abs(learner.predict(new).mean(axis=0)).max() < 0.06
    assert learner.predict(new).std(axis=0).max() < 0.15


def test_predictions_follow_the_unit_of_the_outcome():
    X, outcome, arm, _ = experiment(1_500)
    one = small(max_epochs=2).fit(X, outcome, arm).predict_outcomes(X)
    thousand = small(max_epochs=2).fit(X, 1000 * outcome, arm).predict_outcomes(X)
    np.testing.assert_allclose(thousand, 1000 * one, rtol=1e-3)


def test_outcomes_of_zero_and_one_are_not_rescaled():
    X, outcome, arm, _ = experiment(800, binary=True)
    assert small(max_epochs=1).fit(X, outcome, arm).network_.loss.scale == 1.0
    assert small(max_epochs=1).fit(X, 2 * outcome, arm).network_.loss.scale == pytest.approx(
        2 * outcome.std(), rel=0.05
    )


def test_huber_loss_stays_below_the_mean_of_skewed_outcomes_and_squared_loss_meets_it():
    random = np.random.default_rng(0)
    X, arm = random.random((6_000, 2)), random.integers(0, 2, 6_000)
    outcome = random.exponential(1.0 + arm)
    huber, squared = (small(loss=loss).fit(X, outcome, arm).predict_outcomes(X).mean() for loss in ("huber", "squared"))
    assert squared == pytest.approx(outcome.mean(), rel=0.06)
    assert huber < 0.93 * outcome.mean()


def test_predictions_are_never_negative_and_with_cross_entropy_not_above_one():
    X, outcome, arm, _ = experiment(1_000, binary=True)
    assert small(max_epochs=2).fit(X, 0.001 * outcome, arm).predict_outcomes(X).min() >= 0
    shares = small(max_epochs=2, loss="cross_entropy").fit(X, outcome, arm).predict_outcomes(X)
    assert 0 <= shares.min() <= shares.max() <= 1


def test_the_same_data_and_seed_give_the_same_network_bit_by_bit():
    X, outcome, arm, _ = experiment(1_000)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = small(max_epochs=2).fit(X, outcome, arm).predict(X)
    assert torch.equal(torch.get_rng_state(), before), "nobody else's random numbers change"
    np.testing.assert_array_equal(small(max_epochs=2, n_jobs=2).fit(X, outcome, arm).predict(X), one)
    assert not np.array_equal(small(max_epochs=2, random_state=1).fit(X, outcome, arm).predict(X), one)


@pytest.mark.parametrize("guidance", ["paper", "features", "mmoe"])
def test_a_row_is_predicted_alike_whatever_rows_are_beside_it(guidance):
    X, outcome, arm, _ = experiment(600)
    learner = small(max_epochs=2, guidance=guidance).fit(X, outcome, arm)
    together = learner.predict_outcomes(X)
    alone = np.concatenate([learner.predict_outcomes(X.iloc[[row]]) for row in range(20)])
    np.testing.assert_allclose(alone, together[:20], rtol=1e-6)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(learner.predict_outcomes(X.iloc[order]), together[order], rtol=1e-6)


@pytest.mark.parametrize("bucketing", ["paper", "quantile"])
def test_a_saved_model_predicts_the_same(bucketing, tmp_path):
    X, outcome, arm, _ = experiment(1_000)
    X["x2"] -= 0.5
    labels = np.array(["c", "甲", "乙"])[arm]
    learner = small(max_epochs=1, bucketing=bucketing, guidance="features").fit(X, outcome, labels, control="c")
    refreshed = learner.refreshed(X, outcome, labels, max_epochs=1)
    refreshed.save(tmp_path)
    loaded = LongTermUplift.load(tmp_path)
    assert loaded.arms_ == ("c", "乙", "甲")
    assert loaded.parameters == learner.parameters
    assert loaded.refreshes_ == 1
    assert loaded.notes_ == (("negative_feature:x2",) if bucketing == "paper" else ())
    np.testing.assert_array_equal(loaded.predict_outcomes(X), refreshed.predict_outcomes(X))
    (tmp_path / "network.safetensors").write_bytes(b"other")
    with pytest.raises(InputError, match=r"network\.safetensors has changed since it was saved"):
        LongTermUplift.load(tmp_path)


def test_a_saved_model_holds_numbers_and_json_alone(tmp_path):
    X, outcome, arm, _ = experiment(300)
    small(max_epochs=1).fit(X, outcome, arm).save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "network.safetensors"]
    assert json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))["learner"] == "LongTermUplift"


def test_a_file_teaches_the_same_as_a_frame(tmp_path):
    X, outcome, arm, _ = experiment(1_500)
    X.to_parquet(tmp_path / "users.parquet", row_group_size=500)
    stored = StoredDesign(tmp_path / "users.parquet")
    held = small(max_epochs=2).fit(DesignMatrix(X), outcome, arm).predict(X)
    np.testing.assert_allclose(small(max_epochs=2).fit(stored, outcome, arm).predict(stored), held, atol=1e-5)


def test_a_weight_of_zero_is_as_if_the_user_were_not_there():
    X, outcome, arm, means = experiment()
    wrong = np.random.default_rng(9).random(len(arm)) < 0.3
    learner = small().fit(X, outcome + 2 * wrong * (arm == 1), arm, sample_weight=1.0 - wrong)
    np.testing.assert_allclose(learner.predict_outcomes(X).mean(axis=0), means.mean(axis=0), atol=0.1)


def test_rows_of_one_cluster_are_held_out_together(monkeypatch):
    held = []
    monkeypatch.setattr(
        "causal_tasks.dynamic.networks.preference.held_out_rows",
        lambda data, share, *, seed: held.append(data.clusters) or np.arange(len(data.arm)) < 300,
    )
    X, outcome, arm, _ = experiment(900)
    small(max_epochs=1).fit(X, outcome, arm, clusters=np.arange(900) // 3)
    assert held[0].tolist() == (np.arange(900) // 3).tolist()


def test_a_refreshed_model_follows_a_change_from_where_it_stands_and_the_old_one_stays():
    X, outcome, arm, _ = experiment()
    old = small().fit(X, outcome, arm)
    before = old.predict_outcomes(X)
    new = old.refreshed(X, outcome + 0.5 * (arm == 2), arm)
    np.testing.assert_array_equal(old.predict_outcomes(X), before)
    shift = (new.predict_outcomes(X) - before).mean(axis=0)
    assert shift[2] == pytest.approx(0.5, abs=0.12)
    assert np.abs(shift[:2]).max() < 0.12
    assert (old.refreshes_, new.refreshes_, new.refreshed(X, outcome, arm, max_epochs=1).refreshes_) == (0, 1, 2)
    anew = small(max_epochs=1).fit(X, outcome, arm).training_
    assert old.refreshed(X, outcome, arm, max_epochs=1).training_.losses[0] < 0.8 * min(anew.losses)


def test_refreshing_keeps_buckets_and_scale_and_gains_nothing_from_rows_it_knows():
    X, outcome, arm, _ = experiment(1_500)
    old = small().fit(X, outcome, arm)
    wide = X.assign(x0=10 * X["x0"])
    new = old.refreshed(wide, 10 * outcome, arm, max_epochs=1)
    assert new.network_.bucketing is old.network_.bucketing
    assert new.network_.loss == old.network_.loss
    worse = old.refreshed(X, outcome, arm, max_epochs=1)
    assert worse.training_.losses[worse.training_.best] <= worse.training_.losses[0]


def test_refreshing_with_what_was_not_there_names_it():
    X, outcome, arm, _ = experiment(400)
    learner = small(max_epochs=1).fit(X, outcome, arm)
    with pytest.raises(InputError, match=r"the features that it has: new are \['age'\], lacking are \[\]"):
        learner.refreshed(X.assign(age=1.0), outcome, arm)
    with pytest.raises(InputError, match=r"the features that it has: new are \[\], lacking are \['x1'\]"):
        learner.refreshed(X.drop(columns="x1"), outcome, arm)
    with pytest.raises(InputError, match=r"the arms that it has: new are \[3\], lacking are \[2\]"):
        learner.refreshed(X, outcome, np.where(arm == 2, 3, arm))
    strange = X.assign(city=pd.Categorical(np.where(arm == 1, "z", "a")))
    with pytest.raises(InputError, match=r"'city' has 1 levels that were not there in fit \('z'\)"):
        learner.refreshed(strange, outcome, arm)


def test_negative_features_are_warned_of_by_name_where_the_buckets_lose_them():
    X, outcome, arm, _ = experiment(400)
    X["x0"] -= 2
    with pytest.warns(NegativeFeatureWarning, match=r"'x0' \(negative in 100% of rows\)"):
        learner = small(max_epochs=1).fit(X, outcome, arm)
    assert learner.notes_ == ("negative_feature:x0",)
    assert small(max_epochs=1, bucketing="quantile").fit(X, outcome, arm).notes_ == ()


def test_outcomes_that_cannot_be_predicted_are_refused():
    X, outcome, arm, _ = experiment(200)
    with pytest.raises(InputError, match=r"outcome is negative in 200 rows \(first: row 0\)"):
        small().fit(X, -outcome, arm)
    with pytest.raises(InputError, match=r"loss='cross_entropy' takes 0 and 1, and row 0 has"):
        small(loss="cross_entropy").fit(X, outcome, arm)


@pytest.mark.parametrize(
    "wrong",
    [
        {"guidance": "all"},
        {"bucketing": "equal"},
        {"loss": "l1"},
        {"experts": 0},
        {"learning_rate": 0.0},
        {"validation_share": 1.0},
    ],
)
def test_a_parameter_that_cannot_be_is_named(wrong):
    X, outcome, arm, _ = experiment(100)
    name, value = next(iter(wrong.items()))
    with pytest.raises(InputError, match=f"LongTermUplift has {name}={value!r}"):
        small(**wrong).fit(X, outcome, arm)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_an_error():
    X, outcome, arm, _ = experiment(100)
    with pytest.raises(ConfigurationError, match="torch finds no GPU"):
        small(device="cuda").fit(X, outcome, arm)


def test_what_is_fitted_is_neither_cloned_nor_a_parameter():
    X, outcome, arm, _ = experiment(200)
    copy = clone(small(max_epochs=1).fit(X, outcome, arm))
    assert not [name for name in vars(copy) if name.endswith("_")]
    assert copy.with_parameters({"embedding": 4}).get_params()["embedding"] == 4
    assert not {"device", "n_jobs"} & copy.parameters.keys()
    assert copy.search_space.keys() <= copy.parameters.keys()
