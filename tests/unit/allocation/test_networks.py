import json

import numpy as np
import pandas as pd
import pytest
import torch

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.networks import forecaster as forecaster_module
from causal_tasks.allocation.networks.cross_fitting import CrossFitted
from causal_tasks.allocation.networks.decision_value import UnbiasedLevels
from causal_tasks.allocation.networks.forecaster import Forecaster
from causal_tasks.allocation.networks.perceptron import Perceptron, seeded
from causal_tasks.allocation.networks.scales import Scales
from causal_tasks.allocation.networks.training import Schedule, train
from causal_tasks.allocation.networks.units import Units
from causal_tasks.allocation.responses import Responses
from causal_tasks.base_models import DesignMatrix
from causal_tasks.errors import ConfigurationError, InputError
from causal_tasks.uplift.networks.encoding import Encoding

SCHEDULE = Schedule(learning_rate=1e-2, weight_decay=0.0, batch_size=128, epochs=15, patience=5, seed=0)


def responses(n=1200, *, seed=0, binary=False, price=None, shares=(0.5, 0.3, 0.2), free_control=True):
    """Outcome x0 + arm * (x0 > 0), cost arm * (1 + 0.5 * (city == "b")), or of arm + 1 with a control that costs too."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame({"x0": random.normal(size=n), "city": pd.Categorical(random.choice(["a", "b"], n))})
    X.loc[random.random(n) < 0.1, "x0"] = np.nan
    known = X["x0"].fillna(0.0).to_numpy()
    arm = random.choice(3, n, p=shares)
    outcome = known + arm * (known > 0) + 0.3 * random.normal(size=n)
    if binary:
        outcome = (outcome > 0.5).astype(float)
    cost = price or (arm + (not free_control)) * (1 + 0.5 * (X["city"] == "b").to_numpy())
    return Responses.checked(X, outcome, arm, cost=cost, propensity=dict(enumerate(shares)))


def unfitted(data, **arguments):
    return Forecaster.untrained(data, **{"hidden": (16,), "seed": 0} | arguments)


def test_unbiased_levels_are_the_means_but_in_the_own_arm():
    data = responses()
    means = Forecast(*np.random.default_rng(0).random((2, len(data), 3)).astype(np.float32))
    found = UnbiasedLevels.of(data, means)
    unit = np.arange(len(data))
    others = np.ones((len(data), 3), dtype=bool)
    others[unit, data.arm] = False
    for values, observed, assumed in zip(found, (data.outcome, data.cost), means, strict=True):
        np.testing.assert_array_equal(values[others], assumed[others])
        own = assumed[unit, data.arm]
        np.testing.assert_allclose(values[unit, data.arm], own + (observed - own) * data.weight)


def test_training_ends_with_the_best_weights_and_those_it_started_with_are_among_them():
    data = responses(300)
    forecaster = unfitted(data)
    units = forecaster.units(data)
    before = forecaster.predict_units(units).outcome
    values = iter([3.0, 1.0, 2.0, 1.0, 0.0, 0.0])
    schedule = Schedule(learning_rate=1e-2, weight_decay=0.0, batch_size=64, epochs=9, patience=3, seed=0)
    loss = lambda outputs, batch: forecaster.scales.prediction_loss(outputs, batch).mean()  # noqa: E731
    training = train(forecaster.network, units, loss, schedule, value=lambda: next(values))
    assert (training.values, training.best) == ((3.0, 1.0, 2.0, 1.0), 0)
    np.testing.assert_array_equal(forecaster.predict_units(units).outcome, before)


def test_the_last_weights_are_kept_only_where_that_is_asked_for():
    data = responses(300)
    forecaster = unfitted(data)
    units = forecaster.units(data)
    before = forecaster.predict_units(units).outcome
    loss = lambda outputs, batch: forecaster.scales.prediction_loss(outputs, batch).mean()  # noqa: E731
    schedule = Schedule(learning_rate=1e-2, weight_decay=0.0, batch_size=64, epochs=4, patience=1, seed=0)
    training = train(forecaster.network, units, loss, schedule, value=lambda: 0.0, keep_last=True)
    assert (len(training.values), training.best) == (5, 4)
    assert np.abs(forecaster.predict_units(units).outcome - before).max() > 0.01


def test_a_value_that_is_not_finite_is_told():
    data = responses(300)
    forecaster = unfitted(data)
    with pytest.raises(InputError, match="became nan"):
        train(forecaster.network, forecaster.units(data), lambda *_: None, SCHEDULE, value=lambda: np.nan)


def test_a_pass_over_the_units_shows_each_once_in_an_order_that_the_seed_decides():
    data = responses(256)
    units = Units.of(data, Encoding.learn(data.X))
    first, again, other = (
        torch.cat([batch.outcome for batch in units.minibatches(64, torch.Generator().manual_seed(seed))])
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(first.sort().values, units.outcome.sort().values)


@pytest.mark.parametrize("binary", [False, True])
def test_the_prediction_loss_is_that_of_all_arms_in_expectation(binary):
    """Averaged over who is in which arm by its probability, the weights leave the mean over arms."""
    data = responses(binary=binary, free_control=False)
    scales, shares = Scales.of(data), torch.tensor(data.propensity[0], dtype=torch.float32)
    outputs = torch.tensor(np.random.default_rng(0).normal(size=(len(data), 6)), dtype=torch.float32)
    units = Units.of(data, Encoding.learn(data.X))
    expected, weighted = torch.zeros(len(data)), torch.zeros(len(data))
    for arm in range(3):
        target = Units(units.numbers, units.levels, units.outcome, units.cost, torch.full_like(units.arm, arm),
                       units.propensity, torch.full_like(units.weight, float(1 / shares[arm])))  # fmt: skip
        loss = scales.prediction_loss(outputs, target)
        weighted += shares[arm] * loss
        expected += loss * shares[arm]  # one of three arms, weighed by one over its share, is drawn with that share
        cell = scales.outcome.loss(
            units.outcome if binary else (units.outcome - scales.outcome.mean) / scales.outcome.scale, outputs[:, arm]
        ) + scales.cost.loss((units.cost - scales.cost.mean) / scales.cost.scale, outputs[:, 3 + arm])
        torch.testing.assert_close(loss, cell / shares[arm] / 3)
    torch.testing.assert_close(weighted, expected)


def test_the_outputs_of_known_prices_are_not_used():
    data = responses(price={0: 0.0, 1: 1.0, 2: 2.5})
    forecaster = unfitted(data)
    units = forecaster.units(data)
    outputs = forecaster.network(units.numbers, units.levels).detach().requires_grad_()
    forecaster.scales.prediction_loss(outputs, units).sum().backward()
    assert (outputs.grad[:, 3:] == 0).all()
    assert (outputs.grad[:, :3] != 0).any()
    np.testing.assert_array_equal(forecaster.predict_units(units).cost, np.tile([0.0, 1.0, 2.5], (len(data), 1)))


def test_an_arm_that_cost_the_same_for_all_its_units_is_foreseen_at_that_and_not_learned(tmp_path):
    data = responses(300)
    forecaster = unfitted(data)
    units = forecaster.units(data)
    cost = forecaster.predict_units(units).cost
    assert (cost[:, 0] == 0).all()
    assert (np.ptp(cost[:, 1:], axis=0) > 0).all()
    outputs = forecaster.outputs(units).requires_grad_()
    forecaster.scales.prediction_loss(outputs, units).sum().backward()
    assert (outputs.grad[:, 3] == 0).all()
    assert (outputs.grad[units.arm == 1, 4] != 0).all()
    state = json.loads(json.dumps(forecaster.write(tmp_path)))
    assert Forecaster.read(tmp_path, state).scales == forecaster.scales


def test_however_large_a_share_is_held_out_every_arm_keeps_a_unit_to_learn_from():
    data = responses(400, shares=(0.8, 0.1, 0.1))
    kept = np.bincount(data.arm[~data.held_out(0.99, seed=0)], minlength=3)
    assert kept.min() == 1


def test_many_units_are_foreseen_a_part_at_a_time(monkeypatch):
    data = responses(300)
    forecaster = unfitted(data)
    units = forecaster.units(data)
    whole, seen = forecaster.outputs(units), []
    represent = Perceptron.represent
    monkeypatch.setattr(forecaster_module, "PART", 128)
    monkeypatch.setattr(Perceptron, "represent", lambda *a: seen.append(len(a[1])) or represent(*a))
    torch.testing.assert_close(forecaster.outputs(units), whole)
    assert seen == [128, 128, 44]


@pytest.mark.parametrize("hidden", [(), (16,), (8, 4)])
def test_a_forecaster_learns_and_survives_its_file(hidden, tmp_path):
    data, rest = responses(3000), responses(1000, seed=1)
    forecaster = unfitted(data, hidden=hidden)
    training = forecaster.learn_to_predict(forecaster.units(data), forecaster.units(rest), SCHEDULE)
    assert training.values[training.best] > training.values[0] + 0.5
    state = json.loads(json.dumps(forecaster.write(tmp_path)))
    (chunk,) = rest.X.chunks()
    found, units = Forecaster.read(tmp_path, state).predict(chunk), forecaster.predict_units(forecaster.units(rest))
    for after, before in zip(found, units, strict=True):
        np.testing.assert_array_equal(after, before)
    assert (found.cost >= 0).all()


def test_an_untrained_network_follows_from_its_seed_and_leaves_every_generator_of_torch_alone(monkeypatch):
    shape = {"width": 3, "cardinalities": (), "hidden": (4,), "outputs": 2}
    torch.manual_seed(7)
    expected = Perceptron(**shape).outputs.weight
    state = torch.random.get_rng_state()
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail(f"GPUs were seeded with {seed}"))
    assert torch.equal(seeded(7, **shape).outputs.weight, expected)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_linear_forecaster_is_linear():
    network = seeded(0, width=3, cardinalities=(), hidden=(), outputs=4)
    one, other = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    none = torch.empty(5, 0, dtype=torch.int32)
    both = network((one + other) / 2, none)
    torch.testing.assert_close(both, (network(one, none) + network(other, none)) / 2)


def test_cross_fitted_networks_have_not_seen_the_units_that_they_guess():
    """An outcome of pure noise cannot be foreseen; whoever has seen it would correlate with it."""
    data = responses(400)
    noise = Responses(
        data.X, np.random.default_rng(9).normal(size=len(data)), data.cost, data.arm, data.labels, data.propensity
    )
    long = Schedule(learning_rate=3e-2, weight_decay=0.0, batch_size=64, epochs=60, patience=60, seed=0)
    fitted = CrossFitted.fit(noise, long, validation_share=0.2)
    own = fitted.out_of_fold.outcome[np.arange(len(data)), data.arm]
    assert abs(np.corrcoef(own, noise.outcome)[0, 1]) < 0.15
    assert np.isfinite(fitted.out_of_fold.cost).all()


def test_the_mean_of_both_networks_foresees_units_that_neither_has_seen():
    data, new = responses(3000), responses(1000, seed=1)
    fitted = CrossFitted.fit(data, SCHEDULE, validation_share=0.2)
    found = fitted.predict(new.X).outcome[np.arange(len(new)), new.arm]
    assert np.corrcoef(found, new.outcome)[0, 1] > 0.9
    first, second = (forecaster.predict(next(iter(new.X.chunks()))) for forecaster in fitted.forecasters)
    np.testing.assert_allclose(fitted.predict(new.X).cost, (first.cost + second.cost) / 2)


def test_a_missing_gpu_is_told():
    if torch.cuda.is_available():
        pytest.skip("torch finds a GPU")
    with pytest.raises(ConfigurationError, match="no GPU"):
        unfitted(responses(100), device="cuda")


def test_a_design_matrix_of_new_units_is_read_as_the_training_units_were():
    data = responses(500)
    forecaster = unfitted(data)
    (chunk,) = DesignMatrix.of(data.X.frame).chunks()
    for found, expected in zip(
        forecaster.predict(chunk), forecaster.predict_units(forecaster.units(data)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
