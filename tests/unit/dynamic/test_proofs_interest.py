"""The request-time model against its description, written out once more, a request and a treatment at a time."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from causal_tasks.dynamic import RealTimeInterest, Requests
from causal_tasks.dynamic.networks.interest import Architecture, InterestNetwork, masked_loss
from causal_tasks.feed import Feed

FEED = Feed.model_validate(
    {
        "feed_id": "videos",
        "treatments": {"more_long": "long", "more_short": "short"},
        "tables": {"users": "u", "assignments": "a", "metrics": "m", "requests": "r"},
        "columns": {"context": ["hour", "battery", "session"]},
        "responses": [{"name": "watch_seconds"}],
    }
)
EDGES = (20.0, 60.0)


def frame(n=300, seed=0):
    """Lists of any length, none among them; durations that lie on edges; a context that is missing at times."""
    random = np.random.default_rng(seed)

    def seconds():
        return random.choice([5.0, 20.0, 30.0, 60.0, 90.0], random.integers(0, 6)).tolist()

    recent = [seconds() for _ in range(n)]
    return pd.DataFrame(
        {
            "request_id": [f"r{i}" for i in range(n)],
            "hour": random.integers(0, 24, n).astype(float),
            "battery": np.where(random.random(n) < 0.3, np.nan, random.random(n)),
            "session": random.exponential(size=n),
            "recent_durations": recent,
            "recent_played": [[random.choice([0, 0.1, 0.2, 0.5, 0.8, 1.3]) * d for d in own] for own in recent],
            "candidates": [seconds() for _ in range(n)],
        }
    )


def softplus(x):
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)


def category(seconds):
    return sum(seconds >= edge for edge in EDGES)


def average(table, tokens):
    return sum(table[token] for token in tokens) / len(tokens) if tokens else np.zeros(table.shape[1])


def plain_row(request, encoding, weights):
    """Averages of embeddings beside the standardised context, 0 and a mark where that is missing."""
    played = zip(request["recent_durations"], request["recent_played"], strict=True)
    recent = [3 * category(d) + (0 if p < 0.2 * d else 1 if p < 0.8 * d else 2) for d, p in played]
    candidates = [category(d) for d in request["candidates"]]
    context = request[list(encoding.context_names)].to_numpy(dtype=np.float32).astype(float)
    missing = np.isnan(context)
    standardised = np.where(missing, 0.0, np.clip((context - encoding.mean) / encoding.scale, -10, 10))
    embedded = [average(weights["recent"], recent), average(weights["candidates"], candidates)]
    return np.concatenate([*embedded, standardised, missing[encoding.missed]])


def plain_interest(read, weights):
    """MMoE: experts of one layer, a softmax gate and a tower of one layer for each treatment, softplus."""
    treatments, units, _ = weights["towers"].shape
    hidden = np.maximum(weights["experts.weight"] @ read + weights["experts.bias"], 0)
    experts = [hidden[begin : begin + units] for begin in range(0, len(hidden), units)]
    interest = []
    for k in range(treatments):
        if "gates.weight" in weights:
            own = weights["gates.weight"][k * len(experts) : (k + 1) * len(experts)]
            powers = np.exp(own @ read)
            mixed = sum(p * expert for p, expert in zip(powers / powers.sum(), experts, strict=True))
        else:
            (mixed,) = experts
        tower = np.maximum(mixed @ weights["towers"][k] + weights["tower_bias"][k], 0)
        interest.append(softplus(tower @ weights["heads"][k] + weights["head_bias"][k]))
    return np.array(interest)


@pytest.mark.parametrize("mixture", ["mmoe", "shared_bottom"])
def test_interest_is_that_of_the_description(mixture):
    table = frame()
    requests = Requests.from_frame(table, FEED)
    random = np.random.default_rng(1)
    labels = np.where(random.random((300, 2)) < 0.2, np.nan, random.gamma(2.0, 0.5, (300, 2)))
    model = RealTimeInterest(mixture=mixture, max_epochs=8, learning_rate=0.02).fit(
        requests, labels, users=np.arange(300) % 40
    )
    fitted = model.model_
    assert np.ptp(model.predict(requests), axis=0).min() > 0.05
    expected = [
        fitted.scale * plain_interest(plain_row(table.iloc[i], fitted.encoding, fitted.weights), fitted.weights)
        for i in range(60)
    ]
    np.testing.assert_allclose(model.predict(requests)[:60], expected, rtol=1e-9)


def plain_loss(rows, labels, weights, widths, kind):
    tokens, categories, _ = widths
    total = 0.0
    for row, label in zip(rows, labels, strict=True):
        read = np.concatenate(
            [
                row[:tokens] @ weights["recent"],
                row[tokens : tokens + categories] @ weights["candidates"],
                row[tokens + categories :],
            ]
        )
        for said, wanted in zip(plain_interest(read, weights), label, strict=True):
            if not math.isnan(wanted):
                error = abs(said - wanted)
                total += error**2 / 2 if error <= 1 or kind == "squared" else error - 1 / 2
    return total / len(rows)


@pytest.mark.parametrize(("experts", "kind"), [(3, "huber"), (None, "huber"), (2, "squared")])
def test_the_gradient_is_that_of_the_description_by_differences(experts, kind):
    random = np.random.default_rng(2)
    widths, n = (9, 3, 4), 20
    torch.manual_seed(0)
    network = InterestNetwork(widths, 2, Architecture(embedding=5, hidden=6, tower=4, experts=experts)).double()
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(0.7 * torch.randn_like(value))
    rows, labels = random.random((n, sum(widths))), random.gamma(1.0, 2.0, (n, 2))
    labels[random.random((n, 2)) < 0.3] = np.nan
    loss = masked_loss(network(torch.from_numpy(rows)), torch.from_numpy(labels), kind).mean()
    loss.backward()
    weights = {name: value.detach().numpy().copy() for name, value in network.named_parameters()}
    assert float(loss.detach()) == pytest.approx(plain_loss(rows, labels, weights, widths, kind), rel=1e-12)
    step = 1e-6
    for name, parameter in network.named_parameters():
        direction = random.normal(size=parameter.shape)
        up, down = (
            plain_loss(rows, labels, weights | {name: weights[name] + sign * step * direction}, widths, kind)
            for sign in (1, -1)
        )
        gradient = float((parameter.grad.numpy() * direction).sum())
        assert gradient == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-8), name
