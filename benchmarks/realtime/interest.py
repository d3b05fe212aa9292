"""Part ``interest``: labels, losses and mixtures of the request-time model, paired."""

from typing import Any, NamedTuple

import numpy as np

from benchmarks.document import mean_and_error, table
from benchmarks.draws import repeated
from benchmarks.realtime import models
from benchmarks.realtime.paired import by_method, differences
from benchmarks.realtime.policy import USERS, WEEKS
from benchmarks.realtime.worlds import World
from causal_tasks.data.video_platform import VideoPlatform
from causal_tasks.dynamic.interest_labels import Kind

BASE = "share, squared"
VARIANTS: dict[str, tuple[Kind, dict[str, Any]]] = {
    BASE: ("share", {"loss": "squared"}),
    "share, Huber": ("share", {"loss": "huber"}),
    "ratio, squared": ("ratio", {"loss": "squared"}),
    "ratio, Huber": ("ratio", {"loss": "huber"}),
    "share, squared, shared bottom": ("share", {"loss": "squared", "mixture": "shared_bottom"}),
}


class Found(NamedTuple):
    """By variant, means over treatments.

    Attributes:
        value: True seconds per request, decided with preference.
        correlation: Of prediction and true interest.
        slope: Of true interest on prediction; 1: the scale is right.
    """

    value: dict[str, float]
    correlation: dict[str, float]
    slope: dict[str, float]


def measure(bucketing: str, seed: int) -> Found:
    """Fit every variant on one platform."""
    world = World.live(VideoPlatform(seed=seed, users=USERS, bucketing=bucketing), WEEKS)
    logged, rows = world.logged, world.measuring(world.logged.user)
    preference = models.preference_by_request(world, models.fitted_preference(world, **models.PREFERENCE))
    found = Found({}, {}, {})
    for name, (kind, parameters) in VARIANTS.items():
        interest = models.fitted_interest(world, kind, **parameters).predict(logged.requests)
        found.value[name] = models.true_value(world, models.decided(world, preference, interest))
        pairs = list(zip(interest[rows].T, logged.interest[rows].T, strict=True))
        found.correlation[name] = float(np.mean([np.corrcoef(one, other)[0, 1] for one, other in pairs]))
        found.slope[name] = float(np.mean([np.polyfit(one, other, 1)[0] for one, other in pairs]))
    return found


def section(seeds: int) -> str:
    """Agreement with the truth, and what decisions bring."""
    (draws,) = repeated(measure, ("three",), seeds)
    value, correlation, slope = (
        by_method([getattr(draw, field) for draw in draws]) for field in ("value", "correlation", "slope")
    )
    rows = [
        [name, mean_and_error(correlation[name]), mean_and_error(slope[name]), f"{value[name].mean():.2f}"]
        for name in VARIANTS
    ]
    header = ["label, loss", "correlation with true interest", "slope of the truth", "seconds per request"]
    pairs = [(BASE, name) for name in VARIANTS if name != BASE]
    return "\n\n".join(
        [
            f"Three categories, otherwise as above; {seeds} draws. Interest is hidden: it shows in at most eight "
            "videos met in the hour before, in the hour and in nothing else, so that correlations are far from one "
            "for any model. A slope below 1 says that predictions spread too wide.",
            table(header, rows),
            differences(value, pairs),
        ]
    )
