"""Every candidate finds an effect that is there, and none where none is."""

import numpy as np
import pandas as pd
import pytest

from causal_tasks.evaluation import auuc
from causal_tasks.uplift import CANDIDATES, candidate, load_learner

N = 12_000
LEAST_CORRELATION = {"s": 0.7, "t": 0.65, "x": 0.9, "r": 0.9, "dr": 0.9, "dual": 0.8, "dragon": 0.8}
LARGEST_NULL_SPREAD = {"s": 0.1, "t": 0.65, "x": 0.35, "r": 0.4, "dr": 0.4, "dual": 0.4, "dragon": 0.4}
"""Spread of predictions where there is no effect over that where there is one: T is noisy, S shrinks to zero."""


SHARES = {"even": (0.5, 0.5), "85/15": (0.85, 0.15), "two": (0.4, 0.35, 0.25)}
STEPS = {"max_steps": 300}
"""Of a network: a fifth of the default finds the effects here, in a fifth of the time."""


def experiment(*, effect, shares=(0.5, 0.5), seed=0):
    """Two of five numbers, a category and a missing value matter; the first treatment helps city b and the unknown."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame({f"x{k}": random.normal(size=N).astype("float32") for k in range(5)})
    X["city"] = pd.Categorical(random.choice(["a", "b", "c"], N))
    X.loc[random.random(N) < 0.2, "x1"] = np.nan
    first = effect * (X["x1"].isna() * 1.0 + (X["city"] == "b") - 0.5)
    second = effect * (X["x0"] > 0)
    effects = np.column_stack([first, second])[:, : len(shares) - 1]
    arm = random.choice(len(shares), N, p=shares)
    received = np.column_stack([np.zeros(N), effects])[np.arange(N), arm]
    outcome = X["x2"] + received + random.normal(size=N)
    return X, outcome.to_numpy(dtype=float), arm, effects


def is_network(name):
    return name in {"dual_head", "dragon_net"}


def fitted(name, X, outcome, arm, shares):
    learner = candidate(name, n_jobs=1, parameters=STEPS if is_network(name) else None)
    return learner.fit(X, outcome, arm, propensity=dict(enumerate(shares)))


@pytest.mark.parametrize(
    ("name", "case"),
    # What costs most is fitted where it is hardest: on arms of unequal size, and on two treatments.
    [(name, case) for name in CANDIDATES for case in SHARES if case != "even" or name[0] in "stx"],
)
def test_a_planted_effect_is_found_and_a_missing_one_is_not(name, case):
    shares = SHARES[case]
    X, outcome, arm, effects = experiment(effect=1.0, shares=shares)
    new, new_outcome, new_arm, new_effects = experiment(effect=1.0, shares=shares, seed=1)
    learner = fitted(name, X, outcome, arm, shares)
    uplift = learner.predict(new).reshape(N, -1)
    kind = name.partition("_")[0]
    assert learner.uses_treatment()
    for column in range(effects.shape[1]):
        assert np.corrcoef(uplift[:, column], new_effects[:, column])[0, 1] > LEAST_CORRELATION[kind]
        assert uplift[:, column].mean() == pytest.approx(new_effects[:, column].mean(), abs=0.12)
    gain = auuc(new_outcome, uplift, new_arm)
    assert 0.9 * auuc(new_outcome, new_effects, new_arm) < gain
    null_X, null_outcome, null_arm, _ = experiment(effect=0.0, shares=shares)
    null = fitted(name, null_X, null_outcome, null_arm, shares).predict(new).reshape(N, -1)
    assert np.abs(null.mean(axis=0)).max() < 0.1
    assert (null.std(axis=0) < LARGEST_NULL_SPREAD[kind] * uplift.std(axis=0)).all()


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_saved_learner_of_any_kind_predicts_the_same(name, tmp_path):
    X, outcome, arm, _ = experiment(effect=1.0, shares=(0.4, 0.35, 0.25))
    labels = np.array(["control", "Mens E-Mail", "女装"])[arm]
    size = {"max_steps": 10} if is_network(name) else {"n_estimators": 5}
    learner = candidate(name, parameters=size).fit(X, outcome, labels, control="control")
    learner.save(tmp_path)
    loaded = load_learner(tmp_path)
    assert type(loaded) is type(learner)
    assert loaded.arms_ == learner.arms_
    np.testing.assert_array_equal(loaded.predict_outcomes(X), learner.predict_outcomes(X))
