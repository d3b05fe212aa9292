"""The preference model against its description, written out once more in numpy, a user and an arm at a time."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit, softmax

from causal_tasks.dynamic import LongTermUplift
from causal_tasks.dynamic.networks.preference import PreferenceLoss, PreferenceRows
from causal_tasks.dynamic.networks.preference_network import PreferenceNetwork

FEATURES, ARMS = 3, 3
BUCKETS = 101


def dense(x, state, name):
    return state[f"{name}.weight"] @ x + state.get(f"{name}.bias", 0.0)


def relu(x):
    return np.maximum(x, 0)


def guide(x, state, name):
    """Two layers, ReLU and sigmoid."""
    return expit(dense(relu(dense(x, state, f"{name}.first")), state, f"{name}.last"))


def plain_scores(state, buckets, *, guidance, indicator):
    """What is under the softplus for every user and arm: methods, section 2.1, with embeddings put side by side."""
    arms = sum(name.startswith("outputs.") for name in state) // 2
    experts = sum(name.startswith("experts.") for name in state) // 4
    scores = np.empty((len(buckets), arms))
    for i, own in enumerate(buckets):
        user = np.concatenate([state["embedding.weight"][bucket] for bucket in own])
        mixed = [
            relu(dense(relu(dense(user, state, f"experts.{e}.first")), state, f"experts.{e}.last"))
            for e in range(experts)
        ]
        for k in range(arms):
            if experts == 1 or guidance == "none":
                gate = np.full(experts, 1 / experts)
            elif guidance == "mmoe":
                gate = softmax(dense(user, state, f"gates.{k}"))
            else:
                read = state["treatment.weight"][k]
                read = np.concatenate([read, user]) if guidance == "features" else read
                gate = softmax(dense(guide(read, state, "guidance"), state, f"gates.{k}"))
            units = relu(
                dense(sum(share * expert for share, expert in zip(gate, mixed, strict=True)), state, f"towers.{k}")
            )
            if indicator:
                units = units * guide(state["treatment.weight"][k], state, "indicator")
            scores[i, k] = dense(units, state, f"outputs.{k}")[0]
    return scores


def plain_loss(state, buckets, outcome, arm, **kind):
    """As the authors' script: of every arm the Huber loss of outputs and outcomes that are 0 for the other arms."""
    outputs = np.logaddexp(0, plain_scores(state, buckets, **kind))
    losses = []
    for k in range(outputs.shape[1]):
        error = np.abs(outputs[:, k] - outcome) * (arm == k)
        losses.append(np.where(error <= 1, error**2 / 2, error - 1 / 2).mean())
    return sum(losses)


def experiment(n=400):
    random = np.random.default_rng(0)
    X = pd.DataFrame({f"x{j}": random.integers(0, 41, n) / 8 for j in range(FEATURES)})
    arm = random.integers(0, ARMS, n)
    return X, X["x0"] * (1 + arm) + random.gamma(2.0, 3.0, n), arm


KINDS = [
    pytest.param(
        {"guidance": guidance, "indicator": indicator, "experts": experts}, id=f"{guidance}-{indicator}-{experts}"
    )
    for guidance, indicator, experts in (
        ("paper", True, 3),
        ("paper", False, 2),
        ("features", True, 3),
        ("none", True, 3),
        ("none", False, 3),
        ("mmoe", True, 4),
        ("mmoe", False, 1),
        ("paper", True, 1),
    )
]


@pytest.mark.parametrize("kind", KINDS)
def test_outcomes_are_those_of_the_description(kind):
    X, outcome, arm = experiment()
    model = LongTermUplift(**kind, max_epochs=2, batch_size=64, embedding=8).fit(X, outcome, arm)
    state = {name: value.double().numpy() for name, value in model.network_.network.state_dict().items()}
    hundredths = np.clip((X.to_numpy()[:25] / 5.0 * 100).astype(int), 0, 100)
    buckets = hundredths + BUCKETS * np.arange(FEATURES)
    scores = plain_scores(state, buckets, guidance=kind["guidance"], indicator=kind["indicator"])
    expected = model.network_.loss.scale * np.logaddexp(0, scores)
    found = model.predict_outcomes(X.iloc[:25])
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    np.testing.assert_allclose(model.predict(X.iloc[:25]), expected[:, 1:] - expected[:, :1], atol=2e-4)


def network_in_double(kind):
    torch.manual_seed(0)
    network = PreferenceNetwork(cardinalities=(BUCKETS,) * FEATURES, arms=ARMS, embedding=4, **kind).double()
    with torch.no_grad():
        # Larger than they start, so that gates, indicator and both parts of the loss matter.
        for value in network.parameters():
            value.copy_(torch.randn_like(value) * (1.5 / max(value.shape) ** 0.5 if value.ndim > 1 else 0.5))
    return network


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_the_description_by_differences(kind):
    random = np.random.default_rng(1)
    n = 30
    buckets = random.integers(0, BUCKETS, (n, FEATURES)) + BUCKETS * np.arange(FEATURES)
    outcome, arm = random.gamma(1.0, 1.5, n), np.arange(n) % ARMS
    network = network_in_double(kind)
    rows = PreferenceRows(*map(torch.from_numpy, (buckets, outcome, arm)), torch.ones(n, dtype=torch.float64))
    loss = PreferenceLoss("huber", 1.0)(network, rows).mean()
    loss.backward()
    named = {"guidance": kind["guidance"], "indicator": kind["indicator"]}
    state = {name: value.detach().numpy().copy() for name, value in network.named_parameters()}
    assert float(loss.detach()) == pytest.approx(plain_loss(state, buckets, outcome, arm, **named), rel=1e-12)
    step = 1e-6
    for name, parameter in network.named_parameters():
        direction = random.normal(size=parameter.shape)
        up, down = (
            plain_loss(state | {name: state[name] + sign * step * direction}, buckets, outcome, arm, **named)
            for sign in (1, -1)
        )
        gradient = 0.0 if parameter.grad is None else float((parameter.grad.numpy() * direction).sum())
        assert gradient == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-8), name
