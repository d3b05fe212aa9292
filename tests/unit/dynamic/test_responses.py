"""Several responses: what they are worth together, and which may not fall."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from causal_tasks.dynamic import LongTermResponses, LongTermUplift
from causal_tasks.errors import InputError
from causal_tasks.feed import Response

WATCHED = Response(name="watch", weight=2.0)
ACTIVE = Response(name="active", days=30, weight=0.5, guarded=True, tolerance=0.1)
SEEN = Response(name="views", weight=0.0)


def experiment(n=2_400, seed=0):
    """Treatment 2 raises watch time for all, and halves activity where x0 > 0.5."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame({"x0": random.random(n), "x1": random.random(n)})
    arm = random.integers(0, 3, n)
    high = X["x0"].to_numpy() > 0.5
    outcomes = {
        "watch_7d": 2 + X["x1"].to_numpy() + (arm == 2) + 0.2 * random.random(n),
        "active_30d": 4.0 - 2.0 * ((arm == 2) & high) + 0.2 * random.random(n),
        "views_7d": 1 + random.random(n),
    }
    return X, outcomes, arm


def fitted(responses=(WATCHED, ACTIVE, SEEN), seed=0, **changes):
    X, outcomes, arm = experiment(seed=seed)
    model = LongTermUplift(embedding=8, batch_size=128, learning_rate=3e-3, max_epochs=6)
    return LongTermResponses(responses, model).fit(X, outcomes, arm, **changes), X


@pytest.fixture(scope="module")
def learned():
    return fitted()


def test_the_combined_response_is_the_weighted_sum(learned):
    models, X = learned
    found = models.predict(X)
    assert found.arms == (0, 1, 2)
    assert list(found.by_response) == ["watch_7d", "active_30d", "views_7d"]
    for key, model in models.models_.items():
        np.testing.assert_array_equal(found.by_response[key], model.predict_outcomes(X))
    expected = 2 * found.by_response["watch_7d"].astype(float) + 0.5 * found.by_response["active_30d"]
    np.testing.assert_allclose(found.combined, expected, rtol=1e-6)
    assert found.combined.dtype == np.float32
    assert len(found) == len(X)


def test_a_treatment_is_refused_to_those_whose_guarded_response_it_would_lower(learned):
    models, X = learned
    allowed = models.predict(X).allowed
    assert allowed.shape == (len(X), 2)
    assert allowed[:, 0].mean() > 0.99
    clear = (X["x0"] - 0.5).abs() > 0.05
    assert (allowed[clear, 1] == (X["x0"] < 0.5)[clear]).mean() > 0.98


def test_the_guard_falls_by_its_tolerance_of_the_control_mean_and_no_further(learned):
    models, X = learned
    found = models.predict(X)
    fall = found.by_response["active_30d"][:, :1] - found.by_response["active_30d"][:, 1:]
    assert models.control_means_["active_30d"] == pytest.approx(4.1, abs=0.02)
    np.testing.assert_array_equal(found.allowed, fall <= 0.1 * models.control_means_["active_30d"])
    loose = LongTermResponses([WATCHED, ACTIVE.model_copy(update={"tolerance": 0.9}), SEEN], models.model)
    loose.models_, loose.control_means_ = models.models_, models.control_means_
    assert loose.predict(X).allowed.all()


def test_without_a_guard_everything_is_allowed(learned):
    models, X = learned
    free = LongTermResponses([WATCHED, ACTIVE.model_copy(update={"guarded": False}), SEEN], models.model)
    free.models_, free.control_means_ = models.models_, models.control_means_
    assert free.predict(X).allowed.all()


def test_saved_models_predict_the_same_and_a_changed_file_is_refused(learned, tmp_path):
    models, X = learned
    models.save(tmp_path)
    loaded = LongTermResponses.load(tmp_path)
    one, two = models.predict(X), loaded.predict(X)
    np.testing.assert_array_equal(one.combined, two.combined)
    np.testing.assert_array_equal(one.allowed, two.allowed)
    assert loaded.responses == models.responses
    assert loaded.parameters == models.parameters
    path = tmp_path / "active_30d" / "model.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(InputError, match=r"active_30d/model\.json has changed since it was saved"):
        LongTermResponses.load(tmp_path)


def test_refreshed_models_start_from_these_and_follow_the_new_level_of_the_guard(learned):
    models, _ = learned
    X, outcomes, arm = experiment(seed=1)
    newer = models.refreshed(X, {**outcomes, "active_30d": 2 * outcomes["active_30d"]}, arm, max_epochs=2)
    assert (models.refreshes_, newer.refreshes_) == (0, 1)
    assert newer.control_means_["active_30d"] == pytest.approx(8.2, abs=0.05)
    moved = newer.predict(X).by_response["active_30d"].mean() / models.predict(X).by_response["active_30d"].mean()
    assert moved > 1.3


def test_a_period_that_is_not_over_teaches_the_other_responses_alone():
    X, outcomes, arm = experiment(900)
    model = LongTermUplift(embedding=4, batch_size=64, max_epochs=1)
    open_yet = np.arange(900) < 300
    part = {**outcomes, "active_30d": np.where(open_yet, np.nan, outcomes["active_30d"])}
    weight = np.random.default_rng(0).random(900)
    found = LongTermResponses([WATCHED, ACTIVE], model).fit(X, part, arm, sample_weight=weight, clusters=np.arange(900))
    alone = LongTermUplift(**model.get_params()).fit(
        X[~open_yet],
        outcomes["active_30d"][~open_yet],
        arm[~open_yet],
        sample_weight=weight[~open_yet],
        clusters=np.arange(900)[~open_yet],
    )
    np.testing.assert_array_equal(found.predict(X).by_response["active_30d"], alone.predict_outcomes(X))
    control = ~open_yet & (arm == 0)
    expected = np.average(outcomes["active_30d"][control], weights=weight[control])
    assert found.control_means_["active_30d"] == pytest.approx(expected)


def test_outcomes_may_be_a_frame_with_a_missing_value():
    X, outcomes, arm = experiment(300)
    frame = pd.DataFrame(outcomes).convert_dtypes()
    frame.loc[0, "watch_7d"] = pd.NA
    model = LongTermUplift(embedding=4, batch_size=64, max_epochs=1)
    found = LongTermResponses([WATCHED], model).fit(X, frame, np.array(["c", "a", "b"])[arm], control="c")
    assert found.arms_ == ("c", "a", "b")


def test_wrong_outcomes_are_named():
    X, outcomes, arm = experiment(300)
    model = LongTermUplift(embedding=4, batch_size=64, max_epochs=1)
    both = LongTermResponses([WATCHED, ACTIVE], model)
    with pytest.raises(InputError, match=r"outcomes lack \['active_30d'\]; there are \['watch_7d'\]"):
        both.fit(X, {"watch_7d": outcomes["watch_7d"]}, arm)
    with pytest.raises(InputError, match=r"active_30d has shape \(3,\) for 300 rows of X"):
        both.fit(X, {**outcomes, "active_30d": [1.0, 2.0, 3.0]}, arm)
    with pytest.raises(InputError, match="outcomes: 'active_30d' is no number"):
        both.fit(X, {**outcomes, "active_30d": ["many"] * 300}, arm)
    without = np.where(arm == 2, np.nan, outcomes["active_30d"])
    with pytest.raises(InputError, match="the arms differ between responses"):
        both.fit(X, {**outcomes, "active_30d": without}, arm)
    with pytest.raises(InputError, match="outcome is negative in 300 rows"):
        both.fit(X, {**outcomes, "active_30d": -outcomes["active_30d"]}, arm)


def test_responses_that_say_nothing_or_twice_are_refused():
    with pytest.raises(InputError, match="give at least one a weight"):
        LongTermResponses([SEEN])
    with pytest.raises(InputError, match="state each response once"):
        LongTermResponses([WATCHED, WATCHED])
    with pytest.raises(NotFittedError, match="call fit or load first"):
        LongTermResponses([WATCHED]).predict(np.zeros((2, 2)))
