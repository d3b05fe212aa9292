"""A simulated experiment of messages keeps the contract of a dataset, and its truth fits it."""

import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.data.creative_experiment import (
    APPEAL,
    CONTROL,
    REFERENCE,
    RESPONSE,
    SEGMENTS,
    SHARED,
    simulate_creatives,
)
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.settings import Settings


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def made(lake):
    return simulate_creatives(Settings(lake=f"file://{lake}"), users=40_000, seed=3)


@pytest.fixture(scope="module")
def users(made, lake):
    return pd.read_parquet(lake / "datasets/creatives")


@pytest.fixture(scope="module")
def truth(made, lake):
    return pd.read_parquet(lake / "truth/creatives.parquet").set_index("user_id")


def test_the_statement_in_the_lake_is_the_experiment_and_names_every_message_s_segment(made, lake):
    written = json.loads((lake / "experiments/creatives.json").read_text())
    assert Experiment.parse(written, source="test") == made
    assert made.arms == tuple(APPEAL)
    assert dict(made.segmenting.segments) == dict(SEGMENTS)
    assert CONTROL not in made.segmenting.segment_of


def test_features_are_described_and_some_users_lack_some(users, made):
    assert set(users.columns) == {"user_id", "creative", RESPONSE, *made.features.dictionary}
    missing = users.isna().mean()
    assert missing[missing > 0].to_dict() == pytest.approx({"age": 0.06, "favourite_genre": 0.04}, abs=0.005)
    assert users["user_id"].is_unique


def test_users_responded_as_the_truth_of_their_message_says(users, truth):
    assert set(users[RESPONSE]) == {0, 1}
    for arm, inside in users.groupby("creative"):
        expected = truth.loc[inside["user_id"], f"response__{arm}"].to_numpy()
        certain = (inside[RESPONSE] - expected).mean()
        assert abs(certain) < 4 * np.sqrt((expected * (1 - expected)).mean() / len(inside))
        likely = expected > np.quantile(expected, 0.75)
        assert inside[RESPONSE][likely].mean() > 1.2 * inside[RESPONSE].mean()


def test_the_truth_tells_what_policies_bring_and_personal_messages_bring_more(truth, lake):
    told = json.loads((lake / "truth/creatives.json").read_text())
    assert told["response"] == pytest.approx({arm: truth[f"response__{arm}"].mean() for arm in APPEAL})
    by_segment = [
        truth[[f"response__{creative}" for creative in creatives]].mean(axis=1) for creatives in SEGMENTS.values()
    ]
    policies = told["policies"]
    assert policies["best_segment_by_user"] == pytest.approx(np.max(by_segment, axis=0).mean())
    assert policies["best_creative_for_everybody"] == pytest.approx(truth.mean().max())
    assert (
        policies["best_creative_by_user"]
        > policies["best_segment_by_user"]
        > policies["best_creative_for_everybody"] + 0.03
    )


def test_planted_coefficients_are_the_slopes_of_the_log_odds_and_only_one_message_differs(users, truth, lake):
    log_odds = np.log(truth / (1 - truth))
    minutes = users["minutes_7d"].to_numpy()
    inside = minutes < minutes.mean() + 2 * minutes.std()  # the truth's standard deviations end at 3
    slope = np.polyfit(minutes[inside] / minutes.std(), log_odds[f"response__{CONTROL}"].to_numpy()[inside], 1)[0]
    assert slope == pytest.approx(REFERENCE["minutes_7d"])
    discovery = [log_odds[f"response__{creative}"] for creative in SEGMENTS["discovery"]]
    np.testing.assert_allclose(discovery[0] - discovery[1], discovery[0][0] - discovery[1][0])
    planted = json.loads((lake / "truth/creatives.json").read_text())["segments"]
    assert {name: list(each["differs"]) for name, each in planted.items()} == {
        "nostalgia": ["on_this_day"],
        "discovery": [],
        "savings": [],
    }
    assert {name: each["shared"] for name, each in planted.items()} == SHARED


def test_simulating_again_replaces_and_never_touches_a_real_experiment(tmp_path):
    settings = Settings(lake=f"file://{tmp_path}")
    simulate_creatives(settings, users=400)
    assert simulate_creatives(settings, users=200).experiment_id == "creatives"
    assert len(pd.read_parquet(tmp_path / "datasets/creatives")) == 200
    (tmp_path / "experiments/real.json").write_text("{}")
    with pytest.raises(InputError, match="was not simulated"):
        simulate_creatives(settings, experiment_id="real", users=200)
    with pytest.raises(InputError, match="0 users"):
        simulate_creatives(settings, users=0)
