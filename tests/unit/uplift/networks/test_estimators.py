import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from causal_tasks.base_models import DesignMatrix, StoredDesign
from causal_tasks.errors import ConfigurationError, InputError
from causal_tasks.uplift.networks import DragonNet, DualHead
from causal_tasks.uplift.networks.held_out import held_out_rows
from causal_tasks.uplift.networks.losses import covariates, factual
from causal_tasks.uplift.training_data import TrainingData

NETWORKS = (DualHead, DragonNet)


def experiment(n=4_000, *, effect=1.0, arms=2, binary=False, seed=0):
    """The first treatment helps city b and users whose x1 is missing, the second those with a positive x0."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame({f"x{k}": random.normal(size=n).astype("float32") for k in range(3)})
    X["city"] = pd.Categorical(random.choice(["a", "b", "c"], n))
    X.loc[random.random(n) < 0.2, "x1"] = np.nan
    both = np.column_stack([X["x1"].isna() * 1.0 + (X["city"] == "b"), 1.5 * (X["x0"] > 0)])
    effects = effect * both[:, : arms - 1]
    arm = random.integers(0, arms, n)
    means = X["x2"].to_numpy(dtype=float)[:, None] + np.column_stack([np.zeros(n), effects])
    if binary:
        means = 1 / (1 + np.exp(1.0 - 1.5 * means))
        outcome = (random.random(n) < means[np.arange(n), arm]).astype(float)
    else:
        outcome = means[np.arange(n), arm] + 0.5 * random.normal(size=n)
    return X, outcome, arm, means[:, 1:] - means[:, :1]


def training_data(X, outcome, arm):
    return TrainingData.checked(X, outcome, arm, control=None, propensity=None, sample_weight=None, clusters=None)


def small(network=DualHead, **changes):
    return network(**{"hidden": 32, "head": 16, "batch_size": 256, "max_steps": 300} | changes)


@pytest.mark.parametrize(
    ("network", "arms", "binary"),
    [(DualHead, 2, False), (DualHead, 2, True), (DragonNet, 3, False), (DragonNet, 2, True)],
    ids=["two", "two-binary", "three", "propensity-binary"],
)
def test_a_planted_effect_is_found_on_new_users_and_a_missing_one_is_not(network, arms, binary):
    new, _, _, effects = experiment(seed=1, arms=arms, binary=binary)
    found = small(network).fit(*experiment(arms=arms, binary=binary)[:3]).predict(new).reshape(len(new), -1)
    null = small(network).fit(*experiment(arms=arms, binary=binary, effect=0.0)[:3]).predict(new).reshape(len(new), -1)
    for column in range(arms - 1):
        assert np.corrcoef(found[:, column], effects[:, column])[0, 1] > (0.75 if binary else 0.9)
        assert found[:, column].mean() == pytest.approx(effects[:, column].mean(), abs=0.05 if binary else 0.1)
    assert np.abs(null.mean(axis=0)).max() < 0.05
    assert (null.std(axis=0) < 0.35 * effects.std(axis=0)).all()


@pytest.mark.parametrize("shares", [None, {0: 0.3, 1: 0.2, 2: 0.5}], ids=["modelled", "known"])
def test_the_score_equations_hold_and_the_correction_is_the_one_between_plain_and_targeted(shares):
    random = np.random.default_rng(0)
    X = random.normal(size=(1_500, 3)).astype("float32")
    arm = random.choice(3, 1_500, p=(0.3, 0.2, 0.5))
    outcome = 100 + 7 * (X[:, 0] + arm + random.normal(size=1_500))
    learner = small(DragonNet, max_steps=100).fit(X, outcome, arm, propensity=shares)
    fitted = learner.network_
    assert fitted.network.epsilon.abs().min() > 1e-6
    targeted, plain = (
        torch.from_numpy(learner.set_params(targeted=chosen).predict_outcomes(X)) for chosen in (True, False)
    )
    with torch.no_grad():
        numbers, levels = map(torch.from_numpy, fitted.encoding.encode(DesignMatrix.of(X)))
        g = fitted.objective.divisor(fitted.network(numbers, levels)).expand(1_500, 3)
    np.testing.assert_allclose(g.sum(dim=1), 1, rtol=1e-5)
    correction = (targeted - plain) * g / fitted.objective.scale.scale
    epsilon = fitted.network.epsilon.detach()
    expected = torch.cat([-epsilon.sum().reshape(1), epsilon]).expand(1_500, 3)
    np.testing.assert_allclose(correction, expected, atol=2e-5)
    h = covariates(torch.from_numpy(arm), g)
    left = torch.from_numpy(outcome) - factual(targeted, torch.from_numpy(arm))
    trained = ~held_out_rows(training_data(X, outcome, arm), learner.validation_share, seed=learner.random_state)
    assert (h * left[:, None])[trained].mean(dim=0).abs().max() < 1e-4 * outcome.std()


@pytest.mark.parametrize("network", NETWORKS)
def test_the_same_data_and_seed_give_the_same_network_bit_by_bit(network):
    X, outcome, arm, _ = experiment(1_000)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = small(network, max_steps=100).fit(X, outcome, arm).predict(X)
    assert torch.equal(torch.get_rng_state(), before), "nobody else's random numbers change"
    torch.manual_seed(6)
    two = small(network, max_steps=100).fit(X, outcome, arm).predict(X)
    np.testing.assert_array_equal(one, two)
    other = small(network, max_steps=100, random_state=1).fit(X, outcome, arm).predict(X)
    assert not np.array_equal(one, other)


def test_threads_do_not_show_in_the_network():
    X, outcome, arm, _ = experiment(3_000)
    one, two = (small(DragonNet, max_steps=50, n_jobs=jobs).fit(X, outcome, arm).predict(X) for jobs in (1, 2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shares", [None, {"c": 0.5, "乙": 0.25, "甲": 0.25}], ids=["unknown", "known"])
def test_a_saved_network_predicts_the_same(network, shares, tmp_path):
    X, outcome, arm, _ = experiment(1_000, arms=3)
    learner = small(network, max_steps=50, **({"targeted": True} if network is DragonNet else {}))
    learner.fit(X, outcome, np.array(["c", "甲", "乙"])[arm], control="c", propensity=shares)
    learner.save(tmp_path)
    loaded = network.load(tmp_path)
    assert loaded.arms_ == ("c", "乙", "甲")
    assert loaded.parameters == learner.parameters
    assert json.loads((tmp_path / "model.json").read_text())["library"]["name"] == "torch"
    np.testing.assert_array_equal(loaded.predict_outcomes(X), learner.predict_outcomes(X))


def test_a_file_teaches_the_same_as_a_frame(tmp_path):
    X, outcome, arm, _ = experiment(3_000)
    X.to_parquet(tmp_path / "users.parquet", row_group_size=500)
    held = small(max_steps=100).fit(X, outcome, arm).predict(X)
    stored = StoredDesign(tmp_path / "users.parquet")
    streamed = small(max_steps=100).fit(stored, outcome, arm)
    np.testing.assert_allclose(streamed.predict(stored), held, atol=1e-5)


def test_a_file_that_cannot_be_held_teaches_nearly_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("causal_tasks.uplift.networks.batches.HELD_VALUES", 5_000)
    X, outcome, arm, _ = experiment()
    X.to_parquet(tmp_path / "users.parquet", row_group_size=500)
    new, _, _, effects = experiment(seed=1)
    learner = small(DragonNet, max_steps=200).fit(StoredDesign(tmp_path / "users.parquet"), outcome, arm)
    assert np.corrcoef(learner.predict(new), effects[:, 0])[0, 1] > 0.9


def test_a_weight_of_zero_is_as_if_the_user_were_not_there():
    X, outcome, arm, effects = experiment()
    wrong = np.random.default_rng(0).random(len(arm)) < 0.3
    spoiled = np.where(wrong, outcome + 50 * arm, outcome)
    learner = small().fit(X, spoiled, arm, sample_weight=1.0 - wrong)
    uplift = learner.predict(X)
    assert uplift.mean() == pytest.approx(effects.mean(), abs=0.1)


def test_an_arm_of_two_users_is_learned_from_one_and_stops_by_the_other():
    X, outcome, arm, _ = experiment(1_000, arms=3)
    arm[arm == 2] = 0
    arm[[3, 500]] = 2
    assert np.isfinite(small(DragonNet, max_steps=50).fit(X, outcome, arm).predict(X)).all()


def test_a_constant_outcome_has_no_effect():
    X, _, arm, _ = experiment(1_000)
    outcomes = small(DragonNet, max_steps=200).fit(X, np.full(1_000, 3.0), arm).predict_outcomes(X)
    np.testing.assert_allclose(outcomes, 3.0, atol=0.05)


@pytest.mark.parametrize(
    "wrong", [{"max_steps": 0}, {"learning_rate": 0.0}, {"validation_share": 1.0}, {"weight_decay": -1.0}]
)
def test_parameters_out_of_range_are_refused(wrong):
    X, outcome, arm, _ = experiment(100)
    with pytest.raises(InputError, match=next(iter(wrong))):
        small(**wrong).fit(X, outcome, arm)


def test_negative_weights_of_losses_are_refused():
    X, outcome, arm, _ = experiment(100)
    with pytest.raises(InputError, match="beta"):
        small(DragonNet, beta=-1.0).fit(X, outcome, arm)


@pytest.mark.parametrize("network", NETWORKS)
def test_what_tuning_may_set_contains_the_defaults_and_reaches_the_network(network):
    learner = network()
    for name, bounds in learner.search_space.items():
        assert bounds.low <= getattr(learner, name) <= bounds.high
        assert name in learner.parameters
    changed = learner.with_parameters({"hidden": 48})
    assert changed.hidden == 48
    assert learner.hidden != 48
    assert clone(changed).get_params() == changed.get_params()
    assert not {"device", "n_jobs"} & set(learner.parameters)


def test_importing_the_learners_does_not_import_torch():
    code = (
        "import sys; from causal_tasks.uplift.networks import DragonNet; DragonNet(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_told():
    X, outcome, arm, _ = experiment(100)
    with pytest.raises(ConfigurationError, match="no GPU"):
        small(device="cuda").fit(X, outcome, arm)


@pytest.mark.gpu
@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_fitted_on_a_gpu_finds_what_one_of_the_processor_finds(network, tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    X, outcome, arm, _ = experiment(arms=3)
    new, _, _, effects = experiment(seed=1, arms=3)
    learner = small(network, device="cuda").fit(X, outcome, arm, propensity={0: 1 / 3, 1: 1 / 3, 2: 1 / 3})
    uplift = learner.predict(new)
    for column in range(2):
        assert np.corrcoef(uplift[:, column], effects[:, column])[0, 1] > 0.9
    learner.save(tmp_path)
    np.testing.assert_array_equal(network.load(tmp_path).predict(new), uplift)
