"""Both models trained on a GPU: they predict on the processor, what one that was trained there predicts."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from causal_tasks.dynamic import LongTermUplift, RealTimeInterest, Requests
from causal_tasks.dynamic.ragged import Ragged

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _gpu():
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")


def users(n=20_000, seed=0):
    """Watch time of users under control and two arms, each of which is liked by some."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(random.random((n, 6)).astype("float32"), columns=[f"x{j}" for j in range(6)])
    X["city"] = pd.Categorical(random.choice(["a", "b", "c"], n))
    X.loc[random.random(n) < 0.1, "x5"] = np.nan
    arm = random.integers(0, 3, n)
    effects = np.column_stack([np.zeros(n), X["x0"] > 0.5, 1.5 * (X["city"] == "b")])
    mean = 1 + X["x1"].to_numpy() + effects[np.arange(n), arm]
    return X, random.gamma(4.0, mean / 4.0), arm


def requests(n=20_000, seed=0):
    """Requests whose interest in long items is that of the hour, and shows in what was played last."""
    random = np.random.default_rng(seed)
    hour = random.integers(0, 24, n)
    interest = np.where(hour < 12, 1.5, 0.5)
    plays = 3 * random.integers(0, 3, (n, 5)) + np.where(random.random((n, 5)) < interest[:, None] / 2, 2, 0)
    context = np.column_stack([hour, random.random(n)]).astype(np.float32)
    made = Requests(
        context=context,
        context_names=("hour", "battery"),
        recent=Ragged.of(plays.tolist()),
        candidates=Ragged.of(random.integers(0, 3, (n, 10)).tolist()),
        buckets=3,
    )
    return made, np.column_stack([interest, 2 - interest]) * random.gamma(8.0, 1 / 8.0, (n, 2)), np.arange(n) % 997


@pytest.mark.parametrize(
    "kind",
    [{}, {"guidance": "features"}, {"guidance": "mmoe", "indicator": False}, {"bucketing": "quantile", "experts": 1}],
    ids=str,
)
def test_a_preference_model_trained_on_a_gpu_is_the_one_of_the_processor_but_for_rounding(kind, tmp_path):
    X, outcome, arm = users()
    new = users(2_000, seed=1)[0]
    here, there = (
        LongTermUplift(**kind, max_epochs=6, batch_size=1_024, device=device).fit(X, outcome, arm)
        for device in ("cpu", "cuda")
    )
    predicted = there.predict_outcomes(new)
    assert there.training_.losses == pytest.approx(here.training_.losses, rel=0.01)
    assert np.abs(predicted / here.predict_outcomes(new) - 1).max() < 0.05
    there.save(tmp_path)
    assert "cuda" not in json.dumps(json.loads((tmp_path / "model.json").read_text()))
    np.testing.assert_array_equal(LongTermUplift.load(tmp_path).predict_outcomes(new), predicted)


def test_a_preference_model_is_refreshed_on_a_gpu():
    X, outcome, arm = users()
    model = LongTermUplift(max_epochs=2, batch_size=1_024, device="cuda").fit(X, outcome, arm)
    before = model.predict_outcomes(X[:500])
    refreshed = model.refreshed(*users(seed=2), max_epochs=3)
    assert min(refreshed.training_.losses[1:]) < refreshed.training_.losses[0]
    np.testing.assert_array_equal(model.predict_outcomes(X[:500]), before)


@pytest.mark.parametrize("mixture", ["mmoe", "shared_bottom"])
def test_an_interest_model_trained_on_a_gpu_is_the_one_of_the_processor_but_for_rounding(mixture, tmp_path):
    made, labels, user = requests()
    new = requests(2_000, seed=1)[0]
    here, there = (
        RealTimeInterest(mixture=mixture, max_epochs=6, batch_size=1_024, device=device).fit(made, labels, users=user)
        for device in ("cpu", "cuda")
    )
    predicted = there.predict(new)
    assert np.corrcoef(predicted[:, 0], new.context[:, 0] < 12)[0, 1] > 0.95
    assert there.training_.losses == pytest.approx(here.training_.losses, rel=0.01)
    assert np.abs(predicted / here.predict(new) - 1).max() < 0.05
    there.save(tmp_path)
    np.testing.assert_array_equal(RealTimeInterest.load(tmp_path).predict(new), predicted)
