"""What the parts fit, all on the same users, and the decisions that follow from it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.realtime.worlds import Positions, Vector, World
from causal_tasks.dynamic import LongTermUplift, RealTimeInterest
from causal_tasks.dynamic.gains import best_arms, uplifts
from causal_tasks.dynamic.interest_labels import Kind, interest_labels
from causal_tasks.dynamic.requests import PLAYS, Requests
from causal_tasks.dynamic.thresholds import ChosenThresholds, choose_thresholds

PREFERENCE = {"guidance": "features", "bucketing": "quantile", "loss": "squared"}
INTEREST = {"loss": "squared"}
LABEL: Kind = "share"
"""The networks at their published size, with labels and losses whose means are those of outcomes."""

FEED_PREFERENCE = {"guidance": "paper", "bucketing": "quantile", "buckets": 16, "embedding": 8, "loss": "squared"}
INTEREST_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How a feed learns and decides unless it states otherwise; interest as above."""

PAPER_PREFERENCE = {"guidance": "paper", "bucketing": "paper", "loss": "huber", "start": "keras"}
PAPER_INTEREST = {"loss": "huber"}
PAPER_LABEL: Kind = "ratio"
"""How it was published."""


def fitted_preference(world: World, **parameters: Any) -> LongTermUplift:
    """The preference model of the weeks that are learned from, arms by position."""
    weeks, rows = world.weeks, world.learning(world.weeks.user)
    model = LongTermUplift(**parameters)
    return model.fit(weeks.features[rows], weeks.watched[rows], weeks.arm[rows], control=0, clusters=weeks.user[rows])


def fitted_interest(world: World, kind: Kind, **parameters: Any) -> RealTimeInterest:
    """The interest model of the requests that are learned from."""
    learned = world.logged.take(np.flatnonzero(world.learning(world.logged.user)))
    labels = interest_labels(learned.shown, learned.user, world.platform.slates.raised, kind=kind)
    return RealTimeInterest(**parameters).fit(learned.requests, labels, users=learned.user)


def preference_by_request(world: World, model: LongTermUplift) -> Vector:
    """Seconds of a week under every arm, as predicted for the user of each request, shape (m, K + 1)."""
    return model.predict_outcomes(world.weeks.features)[world.logged.week].astype(float)


def mean_preference(world: World) -> Vector:
    """The same for everybody: mean seconds of the weeks that are learned from, shape (m, K + 1)."""
    weeks, rows = world.weeks, world.learning(world.weeks.user)
    means = np.bincount(weeks.arm[rows], weeks.watched[rows]) / np.bincount(weeks.arm[rows])
    return np.broadcast_to(means, (len(world.logged.user), len(means)))


def single_stage(world: World) -> Vector:
    """Seconds of each request under every arm, shape (m, K + 1), by one network on users and requests together."""
    logged = world.logged
    known = world.weeks.features.iloc[logged.week].reset_index(drop=True)
    X = known.join(request_columns(logged.requests))
    rows = world.learning(logged.user)
    model = LongTermUplift(**PREFERENCE)
    model.fit(X[rows], logged.reward[rows], logged.arm[rows], control=0, clusters=logged.user[rows])
    return model.predict_outcomes(X).astype(float)


def request_columns(requests: Requests) -> pd.DataFrame:
    """The same as the interest model reads, as columns: context, shares of recent plays and of candidates."""
    plays = requests.recent.shares(requests.buckets * PLAYS)
    candidates = requests.candidates.shares(requests.buckets)
    named = {name: requests.context[:, at] for at, name in enumerate(requests.context_names)}
    named |= {f"recent_{at}": plays[:, at] for at in range(plays.shape[1])}
    named |= {f"candidates_{at}": candidates[:, at] for at in range(candidates.shape[1])}
    return pd.DataFrame(named)


def chosen_thresholds(
    world: World, preference: Vector, interest: Vector | None, *, interest_weights: Sequence[float] = (1.0,)
) -> ChosenThresholds:
    """Thresholds by off-policy value on the users that choose."""
    logged, rows = world.logged, world.choosing(world.logged.user)
    return choose_thresholds(
        logged.reward[rows],
        logged.arm[rows],
        preference[rows],
        None if interest is None else interest[rows],
        propensity=world.propensity,
        users=logged.user[rows],
        interest_weights=interest_weights,
    )


def decided(
    world: World, preference: Vector, interest: Vector | None, *, interest_weights: Sequence[float] = (1.0,)
) -> Positions:
    """Arms of the requests of users that measure, thresholds chosen on others."""
    rows = world.measuring(world.logged.user)
    found = chosen_thresholds(world, preference, interest, interest_weights=interest_weights)
    gains = uplifts(
        preference[rows],
        None if interest is None else interest[rows],
        treatments=len(world.platform.treatments),
        interest_weight=found.interest_weight,
    )
    return best_arms(gains - np.array(found.thresholds), None)


def best_single_arm(world: World) -> int:
    """The arm under which the requests of users that choose brought most on average."""
    logged, rows = world.logged, world.choosing(world.logged.user)
    return int((np.bincount(logged.arm[rows], logged.reward[rows]) / np.bincount(logged.arm[rows])).argmax())


def true_value(world: World, arm: Positions) -> float:
    """Mean of what the requests of users that measure bring under these arms, noise left out."""
    truth = world.logged.truth[world.measuring(world.logged.user)]
    return float(truth[np.arange(len(truth)), arm].mean())
