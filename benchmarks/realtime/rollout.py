"""Part ``rollout``: thirty days of new users under each policy: time, views and days active by entry type."""

import numpy as np
import pandas as pd

from benchmarks.document import table
from benchmarks.draws import repeated
from benchmarks.realtime import models
from benchmarks.realtime.paired import with_interval
from benchmarks.realtime.policy import CONTROL, DYNAMIC, INTEREST, ORACLE, PREFERENCE, USERS, WEEKS
from benchmarks.realtime.worlds import Vector, World, requests_of, typed
from causal_tasks.data.video_platform import Policy, VideoPlatform, rollout
from causal_tasks.data.video_requests import Arrivals
from causal_tasks.dynamic.gains import best_arms, uplifts

VIEWERS, DAYS = 4_000, 30

RESPONSES = {
    "enter_lt7": "Enter LT7",
    "enter_lt30": "Enter LT30",
    "slide_lt7": "Slide LT7",
    "slide_lt30": "Slide LT30",
    "app_seconds": "app time",
    "watch_seconds": "watch time",
    "views": "views",
}


def measure(bucketing: str, seed: int) -> dict[str, dict[str, float]]:
    """Means per user by policy and response."""
    world = World.live(VideoPlatform(seed=seed, users=USERS, bucketing=bucketing), WEEKS)
    others = VideoPlatform(seed=seed + 1_000, users=VIEWERS, bucketing=bucketing)
    found = {}
    for name, policy in _policies(world).items():
        lived = rollout(others, DAYS, policy)
        found[name] = {
            column: float(pd.concat([lived.totals, lived.lifetime], axis=1)[column].mean()) for column in RESPONSES
        }
    return found


def _policies(world: World) -> dict[str, Policy]:
    """Policies as they would be served: a day's preference from that morning's features, interest from the request."""
    preference = models.fitted_preference(world, **models.PREFERENCE)
    interest = models.fitted_interest(world, models.LABEL, **models.INTEREST)
    logged = interest.predict(world.logged.requests)
    scores = models.preference_by_request(world, preference)
    means = models.mean_preference(world)
    durations, treatments = world.platform.durations, len(world.platform.treatments)

    def served(personal: bool, timely: bool) -> Policy:
        thresholds = np.array(
            models.chosen_thresholds(world, scores if personal else means, logged if timely else None).thresholds
        )

        def decide(arrivals: Arrivals, features: pd.DataFrame) -> Vector:
            if personal:
                responses = preference.predict_outcomes(typed(features))[arrivals.user].astype(float)
            else:
                responses = np.broadcast_to(means[0], (len(arrivals), means.shape[1]))
            ratios = interest.predict(requests_of([arrivals], durations)) if timely else None
            return best_arms(uplifts(responses, ratios, treatments=treatments) - thresholds, None)

        return decide

    return {
        CONTROL: lambda arrivals, _: np.zeros(len(arrivals), dtype=np.intp),
        PREFERENCE: served(personal=True, timely=False),
        INTEREST: served(personal=False, timely=True),
        DYNAMIC: served(personal=True, timely=True),
        ORACLE: lambda arrivals, _: arrivals.reward.argmax(axis=1),
    }


def section(seeds: int) -> str:
    """Every response under every policy relative to control, and what interest adds to preference."""
    (draws,) = repeated(measure, ("three",), seeds)
    values = {
        policy: {column: np.array([draw[policy][column] for draw in draws]) for column in RESPONSES}
        for policy in draws[0]
    }
    control = values[CONTROL]

    def relative(policy: str, other: str, column: str) -> str:
        return with_interval(100 * (values[policy][column] - values[other][column]) / control[column])

    header = ["response", "control", *(f"{name}, %" for name in (PREFERENCE, INTEREST, DYNAMIC, ORACLE))]
    levels = [
        [
            title,
            f"{control[column].mean():.2f}",
            *(relative(name, CONTROL, column) for name in (PREFERENCE, INTEREST, DYNAMIC, ORACLE)),
        ]
        for column, title in RESPONSES.items()
    ]
    added = [
        [title, relative(DYNAMIC, PREFERENCE, column), relative(DYNAMIC, INTEREST, column)]
        for column, title in RESPONSES.items()
    ]
    return "\n\n".join(
        [
            f"{VIEWERS:,} users that no model has seen live {DAYS} days under each policy, with the same moods, "
            f"candidates and chances; {seeds} draws. LT7 and LT30 are the days of the first 7 and 30 on which a user "
            "came by that entry. Relative to control, in per cent of control:",
            table(header, levels),
            "Both less one alone, in per cent of control:",
            table(["response", f"less {PREFERENCE}", f"less {INTEREST}"], added),
        ]
    )
