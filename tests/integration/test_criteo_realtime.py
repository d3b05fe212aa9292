"""A thousand rows of Criteo through real-time uplift: whether the format fits, not how well anything is ranked."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from causal_tasks.dynamic import LongTermUplift
from causal_tasks.dynamic.day import FeedDay
from causal_tasks.dynamic.long_term import NegativeFeatureWarning
from causal_tasks.dynamic.serving.app import create_app
from causal_tasks.dynamic.serving.hot_swap import HotSwap
from causal_tasks.evaluation import published_scores
from causal_tasks.feed import Feed
from causal_tasks.pipelines.daily import run_day
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage
from tests.unit.dynamic.serving.published_feed import AppClient

FEATURES = [f"f{j}" for j in range(12)]
"""Not exposure, which happens after the assignment."""

PUBLISHED_QINI = 0.0942
"""Of the preference model on Criteo, quoted second hand; see ``benchmarks.realtime.published``."""


@pytest.fixture(scope="module")
def criteo(test_data):
    return pd.read_csv(test_data / "criteo_uplift_1000.csv.gz")


@pytest.mark.parametrize(("bucketing", "loss"), [("paper", "huber"), ("quantile", "cross_entropy")])
def test_a_preference_model_of_visits_is_fitted_saved_and_scored(criteo, bucketing, loss, tmp_path, record_property):
    known, new = criteo[:700], criteo[700:]
    model = LongTermUplift(bucketing=bucketing, loss=loss, batch_size=64, max_epochs=4)
    if bucketing == "paper":
        with pytest.warns(NegativeFeatureWarning, match=r"'f6' .*'f11' "):
            model.fit(known[FEATURES], known["visit"], known["treatment"])
        assert sum(value.numel() for value in model.network_.network.parameters()) == 236_738
        assert {"negative_feature:f6", "negative_feature:f11"} <= set(model.notes_)
    else:
        model.fit(known[FEATURES], known["visit"], known["treatment"])
    outcomes = model.predict_outcomes(new[FEATURES])
    assert outcomes.shape == (300, 2)
    assert ((outcomes > 0) & (outcomes < 1)).all()
    assert outcomes[:, 1].mean() == pytest.approx(0.037, abs=0.03)

    model.save(tmp_path)
    loaded = LongTermUplift.load(tmp_path)
    assert loaded.feature_names_in_.tolist() == FEATURES
    np.testing.assert_array_equal(loaded.predict_outcomes(new[FEATURES]), outcomes)

    scores = published_scores(new["visit"], loaded.predict(new[FEATURES]), new["treatment"])
    for name in ("qini", "auuc", "lift_at_30"):
        score = getattr(scores, name)
        record_property(name, f"{score.value:.3f}, random rankings {score.null_mean:.3f} ± {score.null_sd:.3f}")
    assert scores.qini.null_sd > PUBLISHED_QINI, "a sample in which no published score can be told from chance"


DAY, ONE = date(2026, 10, 31), timedelta(days=1)
FEED = {
    "feed_id": "criteo",
    "unit": "user_id",
    "control": "0",
    "treatments": {"1": "long"},
    "shares": {"0": 0.15, "1": 0.85},
    "features": FEATURES,
    "responses": [{"name": "visit", "days": 1}],
    "serving": {"exploration": 0},
}


def written_feed(criteo, lake):
    """Criteo's rows as users whose arm was drawn yesterday for a period of a day; without a table of requests."""
    users = criteo.assign(user_id=np.arange(len(criteo)), arm=criteo["treatment"].astype(str))
    tables = {
        "users": pd.concat([users.assign(date=day)[["user_id", "date", *FEATURES]] for day in (DAY - ONE, DAY)]),
        "assignments": users.assign(date=DAY - ONE)[["user_id", "date", "arm"]],
        "metrics": users.assign(date=DAY - ONE)[["user_id", "date", "visit", "conversion", "exposure"]],
    }
    for name, rows in tables.items():
        (lake / name).mkdir(parents=True)
        rows.to_parquet(lake / name / "part-0.parquet", index=False)
    return Feed.model_validate(FEED | {"tables": {name: (lake / name).as_uri() for name in tables}})


def test_the_sample_goes_through_the_daily_job_and_is_served(criteo, tmp_path):
    settings = Settings(lake=(tmp_path / "lake").as_uri())
    feed = written_feed(criteo, tmp_path / "tables")
    result = run_day(feed, DAY, settings)

    assert result["measured_by"] == "period"
    assert "preference_only" in result["notes"]
    assert result["verdict"]["code"] == "not_shown"
    (told,) = result["preference"]
    for score in (told["published"][name] for name in ("qini", "auuc", "lift_at_30")):
        assert score["null_sd"] > 0
    assert told["published"]["qini"]["null_sd"] > PUBLISHED_QINI

    day = FeedDay.open(feed, DAY, settings)
    scores = pd.read_parquet(f"{day.uri}/{result['run']['scores']}")
    assert sorted(scores["user_id"]) == list(range(1000))
    assert scores[["y__0", "y__1"]].to_numpy().min() > 0
    learned = Storage(settings).read_json(day.output("learn", "training"))
    assert learned["features"] == FEATURES

    swap = HotSwap("criteo", settings, cache=tmp_path / "cache", poll=60)
    swap.look()
    item = {"id": "a", "duration": 9.0}
    asked = {"request_id": "r", "user_id": 7, "context": {}, "recent": [], "candidates": [item], "slate_size": 1}
    answer = AppClient(create_app(swap)).post("/decide", json=asked).json()
    assert (answer["arm"], answer["reason"], answer["order"]) == ("0", "never", ["a"])
