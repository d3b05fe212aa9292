"""When the preference model is refreshed and when it is trained anew, and whether arms were drawn as stated."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from causal_tasks.base_models import Features
from causal_tasks.dynamic.day import DayContext, FeedDay
from causal_tasks.dynamic.periods import Periods
from causal_tasks.dynamic.stages.learn import arms_drawn, newest_model, shares_p_value, why_anew
from causal_tasks.stage_files import Attempt
from tests.unit.dynamic.feed_tables import SmallLake

DAY = date(2026, 10, 31)


@pytest.fixture
def lake(tmp_path):
    return SmallLake(tmp_path)


def day_of(lake, day=DAY, **changes):
    return FeedDay.open(lake.feed(**changes), day, lake.settings)


def context(day):
    return DayContext(
        inputs={}, folder=f"{day.uri}/x", run_uri=day.uri, settings=day.settings, storage=day.storage, day=day
    )


def frame(**columns):
    return pd.DataFrame({"age": [1.0, 2.0], "device": pd.Categorical(["a", "b"])} | columns)


def periods(X):
    rows = len(X)
    nothing = np.full(rows, "control", dtype=object)
    return Periods(pd.Series(range(rows)), np.full(rows, np.datetime64(DAY)), nothing, X, nothing, {}, 0, 0)


def learned(day, *, anew_on, X=None):
    """Leave what ``learn`` writes, as far as the next day reads it."""
    known = Features.of(frame() if X is None else X)
    attempt = Attempt(day.instance("learn", code=1, inputs=[]))
    training = {"anew_on": str(anew_on), "features": known.names, "known": known.to_json()}
    outputs = {
        "training": day.storage.write_json(f"{attempt.folder}/training.json", training),
        "model": day.storage.write_json(f"{attempt.folder}/model/weights.json", 1).removesuffix("/weights.json"),
    }
    attempt.commit(outputs, {})


def reason(lake, X=None, **changes):
    day = day_of(lake, **changes)
    return why_anew(newest_model(day), periods(frame() if X is None else X), context(day))


def test_the_newest_earlier_day_is_refreshed(lake):
    day = day_of(lake)
    learned(day.before(3), anew_on="2026-10-26")
    learned(day.before(2), anew_on="2026-10-27")
    learned(FeedDay.open(lake.feed(), date(2026, 11, 1), lake.settings), anew_on="2026-11-01")
    earlier = newest_model(day)
    assert (earlier.date, earlier.anew_on) == (date(2026, 10, 29), date(2026, 10, 27))
    assert lake.storage.exists(f"{earlier.uri}/weights.json")
    assert reason(lake) is None


def test_the_first_day_of_a_revision_is_trained_anew(lake):
    learned(day_of(lake).before(1), anew_on="2026-10-30")
    assert reason(lake, revision=2, segment="device") == "first"


@pytest.mark.parametrize(("anew_on", "code"), [("2026-10-25", None), ("2026-10-24", "anew_every")])
def test_after_its_days_a_model_is_trained_anew_however_often_it_was_refreshed(lake, anew_on, code):
    learned(day_of(lake).before(1), anew_on=anew_on)
    assert reason(lake) == code


def test_a_feed_may_be_trained_anew_every_day(lake):
    learned(day_of(lake, learning={"anew_every": 1}).before(1), anew_on="2026-10-30")
    assert reason(lake, learning={"anew_every": 1}) == "first"


@pytest.mark.parametrize(
    ("X", "code"),
    [
        (frame(), None),
        (frame(device=pd.Categorical(["a", "a"])), None),
        (frame(device=pd.Categorical(["a", None])), None),
        (frame(device=pd.Categorical(["a", "c"])), "levels:device"),
        (frame(device=[0.0, 1.0]), "levels:device"),
        (frame(tier=[1.0, 2.0]), "features"),
        (frame().drop(columns="age"), "features"),
    ],
)
def test_other_features_or_new_levels_need_a_model_of_their_own(lake, X, code):
    learned(day_of(lake).before(1), anew_on="2026-10-30")
    assert reason(lake, X) == code


def test_shares_of_arms_are_told_beside_those_stated(lake):
    feed = lake.feed(shares={"control": 0.5, "more_long": 0.25, "more_short": 0.25})
    drawn = pd.Series(["control"] * 48 + ["more_long"] * 32 + ["more_short"] * 20)
    assert arms_drawn(drawn, feed)["more_long"] == {"periods": 32, "share": 0.32, "expected": 0.25}
    # Pearson: 4/50 + 49/25 + 25/25 with two degrees of freedom.
    assert shares_p_value(drawn, feed) == pytest.approx(np.exp(-(4 / 50 + 49 / 25 + 25 / 25) / 2))
    assert shares_p_value(pd.Series(["more_long"] * 100), feed) < 1e-10
