"""The request-time model as a whole: what it learns of interest that flips, how it predicts, how it is kept."""

import json
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from causal_tasks.dynamic.durations import treated_buckets
from causal_tasks.dynamic.interest_labels import interest_labels
from causal_tasks.dynamic.real_time import RealTimeInterest
from causal_tasks.dynamic.requests import Requests, shown_plays
from causal_tasks.errors import InputError
from tests.unit.dynamic.request_logs import FEED, flipping_interest


def learning_rows(**arguments):
    frame, truth = flipping_interest(**arguments)
    users = frame["user_id"].to_numpy()
    labels = interest_labels(shown_plays(frame, FEED), users, treated_buckets(FEED), kind="share")
    return Requests.from_frame(frame, FEED), labels, users, truth


@pytest.fixture(scope="module")
def log():
    return learning_rows(users=800, seed=1)


@pytest.fixture(scope="module")
def others():
    frame, truth = flipping_interest(users=200, seed=2)
    return Requests.from_frame(frame, FEED), truth


@pytest.fixture(scope="module")
def fitted(log):
    requests, labels, users, _ = log
    return RealTimeInterest(loss="squared").fit(requests, labels, users=users)


def test_interest_that_flips_by_hour_and_mood_is_found_for_users_it_has_not_seen(fitted, others):
    requests, truth = others
    interest = fitted.predict(requests)
    for said, true in zip(interest.T, truth.T, strict=True):
        assert spearmanr(said, true).statistic > 0.6
        # On the scale of the truth: the usual request has about 1, and a unit more is a unit more.
        assert said.mean() == pytest.approx(1, abs=0.05)
        assert np.polyfit(said, true, 1)[0] == pytest.approx(1, abs=0.2)


def test_shared_bottom_is_a_baseline_without_gates(log, others):
    requests, labels, users, _ = log
    model = RealTimeInterest(mixture="shared_bottom", loss="squared", max_epochs=25).fit(requests, labels, users=users)
    assert "gates.weight" not in model.model_.weights
    interest = model.predict(others[0])
    assert min(spearmanr(said, true).statistic for said, true in zip(interest.T, others[1].T, strict=True)) > 0.5


def test_labels_without_a_pattern_teach_nothing(log, others):
    requests, labels, users, _ = log
    shuffled = np.random.default_rng(0).permutation(labels)
    model = RealTimeInterest(loss="squared", max_epochs=10).fit(requests, shuffled, users=users)
    assert np.abs(model.predict(others[0]) - 1).mean() < 0.1


@pytest.mark.parametrize("loss", ["huber", "squared"])
def test_interest_has_the_mean_of_the_labels_that_it_learned_from(log, loss):
    requests, labels, users, _ = log
    model = RealTimeInterest(loss=loss, max_epochs=3, validation_share=0.1).fit(requests, labels, users=users)
    learned = ~model._held_out(users, len(users))
    labels, known = labels.astype(np.float64), np.isfinite(labels) & learned[:, None]
    means = [np.where(known, values, 0).sum(axis=0) / known.sum(axis=0) for values in (model.predict(requests), labels)]
    assert_allclose(*means, rtol=1e-6)


def test_a_request_alone_and_among_others_gets_the_same_interest(fitted, others):
    requests = others[0]
    together = fitted.predict(requests)
    assert together.dtype == np.float64
    assert (together > 0).all()
    alone = [fitted.predict(requests.between(at, at + 1))[0] for at in range(100)]
    assert_allclose(together[:100], alone, rtol=1e-12)


def test_more_requests_than_are_computed_at_a_time_keep_their_order(fitted, others):
    requests = others[0]
    rows = np.random.default_rng(0).integers(0, len(requests), 20_000)
    assert_allclose(fitted.predict(requests.take(rows)), fitted.predict(requests)[rows], rtol=1e-12)


def test_absurd_numbers_and_empty_lists_give_a_finite_interest(fitted):
    for hour in (None, 3e38, -3e38):
        one = Requests.of_one({"hour": hour, "battery": None}, [], [], FEED)
        assert (fitted.predict(one) < 20).all()


def test_the_seed_decides_everything(log):
    requests, labels, users, _ = log
    model = RealTimeInterest(max_epochs=2)
    first, second, other = (
        clone(model).set_params(random_state=seed).fit(requests, labels, users=users).predict(requests)
        for seed in (0, 0, 1)
    )
    assert_array_equal(first, second)
    assert (first != other).any()


def test_a_user_is_held_out_with_all_their_requests(log):
    users = log[2]
    held_out = RealTimeInterest(validation_share=0.25)._held_out(users, len(users))
    by_user = held_out.reshape(-1, 16)
    assert (by_user.all(axis=1) == by_user.any(axis=1)).all()
    assert by_user.all(axis=1).mean() == 0.25


def test_no_more_are_held_out_than_a_look_is_worth():
    assert RealTimeInterest()._held_out(np.arange(400_000) // 10, 400_000).sum() == 50_000


def test_a_saved_model_says_the_same(fitted, others, tmp_path):
    fitted.save(tmp_path / "model")
    read = RealTimeInterest.load(tmp_path / "model")
    assert_array_equal(read.predict(others[0]), fitted.predict(others[0]))
    assert read.get_params() == fitted.get_params()
    assert read.n_treatments_ == 2
    assert sorted(path.suffix for path in (tmp_path / "model").iterdir()) == [".json", ".safetensors"]


def test_reading_and_predicting_need_no_torch(fitted, tmp_path):
    fitted.save(tmp_path)
    program = f"""
import sys
from pathlib import Path
from causal_tasks.dynamic import RealTimeInterest, Requests
from tests.unit.dynamic.request_logs import FEED
one = Requests.of_one({{"hour": 3.0, "battery": None}}, [(10.0, 9.0)], [10.0], FEED)
print(RealTimeInterest.load(Path({str(tmp_path)!r})).predict(one).shape, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 2) False"


def test_a_changed_or_foreign_folder_is_refused(fitted, tmp_path):
    with pytest.raises(InputError, match=r"holds no model\.json"):
        RealTimeInterest.load(tmp_path)
    fitted.save(tmp_path)
    weights = tmp_path / "interest.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match="has changed since it was saved"):
        RealTimeInterest.load(tmp_path)
    weights.unlink()
    with pytest.raises(InputError, match="is missing"):
        RealTimeInterest.load(tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(description | {"learner": "DualHead"}))
    with pytest.raises(InputError, match="holds a DualHead, not a RealTimeInterest"):
        RealTimeInterest.load(tmp_path)


def test_it_predicts_nothing_before_it_is_fitted(others):
    with pytest.raises(NotFittedError):
        RealTimeInterest().predict(others[0])


def fit_changed(log, labels=None, users=None, **parameters):
    requests, own, of_user, _ = log
    labels, users = (own if labels is None else labels), (of_user if users is None else users)
    return RealTimeInterest(**parameters).fit(requests, labels, users=users)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"experts": 0}, "experts=0"),
        ({"n_jobs": 0}, "n_jobs=0"),
        ({"mixture": "ple"}, "mixture='ple'"),
        ({"loss": "absolute"}, "loss='absolute'"),
        ({"validation_share": 1.0}, "validation_share=1.0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
    ],
)
def test_wrong_parameters_are_refused_when_fitted(log, parameters, words):
    with pytest.raises(InputError, match=words):
        fit_changed(log, **parameters)


def test_wrong_labels_and_users_are_refused(log):
    labels = log[1]
    with pytest.raises(InputError, match=r"labels have the shape \(12800,\), there are 12,800 requests"):
        fit_changed(log, labels=labels[:, 0])
    for value in (-1.0, np.inf):
        with pytest.raises(InputError, match="labels: 1 are negative or infinite"):
            fit_changed(log, labels=np.where(np.arange(labels.size).reshape(labels.shape) == 5, value, labels))
    with pytest.raises(InputError, match="that are learned from, none has a label in column 1"):
        fit_changed(log, labels=labels * [1, np.nan])
    with pytest.raises(InputError, match="that are learned from, none has a label above 0 in column 1"):
        fit_changed(log, labels=labels * [1, 0])
    with pytest.raises(InputError, match="of the 0 requests that are learned from"):
        fit_changed(log, users=np.zeros(len(labels)))
    with pytest.raises(InputError, match="of the 0 requests that are learned from"):
        RealTimeInterest().fit(log[0].between(0, 0), labels[:0], users=[])
    with pytest.raises(InputError, match="users has 3 values of which 0 are missing, there are 12,800 requests"):
        fit_changed(log, users=[1, 2, 3])
    with pytest.raises(InputError, match="users has 12,800 values of which 1 are missing"):
        fit_changed(log, users=np.where(np.arange(len(labels)) == 3, np.nan, 1.0))
