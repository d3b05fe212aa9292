"""Part ``ablations``: what each piece of the preference model is worth, paired."""

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import spearmanr

from benchmarks.document import mean_and_error, table
from benchmarks.draws import repeated
from benchmarks.realtime import models
from benchmarks.realtime.paired import by_method, with_interval
from benchmarks.realtime.policy import USERS, WEEKS
from benchmarks.realtime.worlds import Positions, Vector, World
from causal_tasks.data.video_platform import VideoPlatform

FULL = "guidance by features"
VARIANTS: dict[str, dict[str, Any]] = {
    FULL: {},
    "guidance by the arm (paper)": {"guidance": "paper"},
    "no guidance": {"guidance": "none"},
    "no indicator": {"indicator": False},
    "neither": {"guidance": "none", "indicator": False},
    "MMoE": {"guidance": "mmoe", "indicator": False},
    "shared bottom": {"experts": 1, "guidance": "none", "indicator": False},
    "paper's buckets": {"bucketing": "paper"},
    "16 buckets of 8 numbers": {"buckets": 16, "embedding": 8},
    "Huber loss": {"loss": "huber"},
    "authors' start": {"start": "keras"},
    "as published": models.PAPER_PREFERENCE,
}


class Agreement(NamedTuple):
    """How predicted effects agree with true ones.

    Attributes:
        best_arm: Share of rows whose arm with the largest outcome is the true one, in per cent.
        spearman: Mean over treatments of the rank correlation of relative effects.
        value: Seconds that a request brings at usual interest if everybody gets the arm predicted to be best.
    """

    best_arm: float
    spearman: float
    value: float


class Found(NamedTuple):
    """By variant.

    Attributes:
        agreement: Of preference alone.
        value: True seconds per request, decided with interest.
    """

    agreement: dict[str, Agreement]
    value: dict[str, float]


def agreement(outcomes: Vector, truth: Vector) -> Agreement:
    """Compare predicted with true outcomes by arm, both of shape (n, K + 1).

    Effects are relative to control: those of a week and those of a request differ by how often a user comes.
    """
    chosen: Positions = outcomes.argmax(axis=1)
    predicted, true = (values[:, 1:] / values[:, :1] for values in (outcomes, truth))
    ranks = [spearmanr(one, other).statistic for one, other in zip(predicted.T, true.T, strict=True)]
    return Agreement(
        best_arm=float(100 * (chosen == truth.argmax(axis=1)).mean()),
        spearman=float(np.mean(ranks)),
        value=float(truth[np.arange(len(truth)), chosen].mean()),
    )


def measure(bucketing: str, seed: int) -> Found:
    """Fit every variant on one platform."""
    world = World.live(VideoPlatform(seed=seed, users=USERS, bucketing=bucketing), WEEKS)
    interest = models.fitted_interest(world, models.LABEL, **models.INTEREST).predict(world.logged.requests)
    rows = world.measuring(world.weeks.user)
    truth = world.platform.preference[world.weeks.user[rows]]
    found = Found({}, {})
    for name, changed in VARIANTS.items():
        model = models.fitted_preference(world, **(models.PREFERENCE | changed))
        preference = models.preference_by_request(world, model)
        found.agreement[name] = agreement(model.predict_outcomes(world.weeks.features[rows]).astype(float), truth)
        found.value[name] = models.true_value(world, models.decided(world, preference, interest))
    return found


def section(seeds: int) -> str:
    """Every variant, and its paired difference from the whole."""
    (draws,) = repeated(measure, ("three",), seeds)
    best, spearman, value = (
        by_method([{name: getattr(draw.agreement[name], field) for name in VARIANTS} for draw in draws])
        for field in Agreement._fields
    )
    decided = by_method([draw.value for draw in draws])
    rows = [
        [
            name,
            mean_and_error(best[name]),
            mean_and_error(spearman[name]),
            *(f"{found[name].mean():.2f}" for found in (value, decided)),
        ]
        for name in VARIANTS
    ]
    less = [
        [
            name,
            *(
                with_interval(found[name] - found[FULL], digits)
                for found, digits in ((best, 1), (spearman, 3), (value, 2), (decided, 2))
            ),
        ]
        for name in VARIANTS
        if name != FULL
    ]
    header = ["best arm right, %", "Spearman", "seconds, preference alone", "seconds, with interest"]
    return "\n\n".join(
        [
            f"Three categories, otherwise as above; {seeds} draws. One piece is changed at a time: guidance by "
            "features, an indicator, three experts, quantile buckets and squared loss are the whole. `Preference "
            "alone` is at usual interest with thresholds of zero, `with interest` as in the part before.",
            table(["preference model", *header], rows),
            f"Less those of `{FULL}`, paired:",
            table(["preference model", *header], less),
        ]
    )
