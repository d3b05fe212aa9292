"""Part ``policy``: what deciding by preference and interest brings per request, beside either alone and others."""

from typing import NamedTuple

import numpy as np

from benchmarks.document import mean_and_error, table
from benchmarks.draws import repeated
from benchmarks.realtime import models
from benchmarks.realtime.paired import by_method, differences, with_interval
from benchmarks.realtime.worlds import Positions, World
from causal_tasks.data.video_platform import VideoPlatform
from causal_tasks.dynamic.policy_values import request_policy_values

USERS, WEEKS = 6_000, 4

DYNAMIC, PREFERENCE, INTEREST = "preference and interest", "preference alone", "interest alone"
PUBLISHED, SINGLE_STAGE = "preference and interest, as published", "single stage"
FEED, FEED_PREFERENCE = "preference and interest, a feed's defaults", "preference alone, a feed's defaults"
FEED_INTEREST = "interest alone, a feed's defaults"
CONTROL, BEST_ARM = "control for all", "best single arm"
LIKED, ORACLE = "true preference, no interest", "best arm of each request, truth known"

PAIRS = (
    (DYNAMIC, PREFERENCE),
    (DYNAMIC, INTEREST),
    (FEED, FEED_PREFERENCE),
    (FEED, FEED_INTEREST),
    (FEED, DYNAMIC),
    (FEED, SINGLE_STAGE),
    (DYNAMIC, SINGLE_STAGE),
    (DYNAMIC, PUBLISHED),
    (PUBLISHED, PREFERENCE),
    (PUBLISHED, INTEREST),
    (DYNAMIC, BEST_ARM),
)
OFF_POLICY_PAIRS = ((DYNAMIC, PREFERENCE), (DYNAMIC, INTEREST), (DYNAMIC, CONTROL))


class Found(NamedTuple):
    """What one draw of a platform tells.

    Attributes:
        values: Seconds per request by policy, the truth.
        estimated: By pair the off-policy estimate of the difference and its interval.
    """

    values: dict[str, float]
    estimated: dict[tuple[str, str], tuple[float, float, float]]


def measure(bucketing: str, seed: int) -> Found:
    """Fit, decide and look at the truth on one platform."""
    world = World.live(VideoPlatform(seed=seed, users=USERS, bucketing=bucketing), WEEKS)
    arms = _policies(world)
    rows = world.measuring(world.logged.user)
    found = request_policy_values(
        world.logged.reward[rows],
        world.logged.arm[rows],
        {name: arms[name] for name in (DYNAMIC, PREFERENCE, INTEREST, CONTROL)},
        propensity=world.propensity,
        users=world.logged.user[rows],
        baseline=CONTROL,
    )
    estimated = {}
    for pair in OFF_POLICY_PAIRS:
        difference = found.difference(*pair)
        estimated[pair] = (difference.estimate, *difference.interval)
    return Found({name: models.true_value(world, arm) for name, arm in arms.items()}, estimated)


def _policies(world: World) -> dict[str, Positions]:
    """Arms of the requests of users that measure, by policy."""
    logged, rows = world.logged, world.measuring(world.logged.user)
    preference = models.preference_by_request(world, models.fitted_preference(world, **models.PREFERENCE))
    interest = models.fitted_interest(world, models.LABEL, **models.INTEREST).predict(logged.requests)
    as_published = (
        models.preference_by_request(world, models.fitted_preference(world, **models.PAPER_PREFERENCE)),
        models.fitted_interest(world, models.PAPER_LABEL, **models.PAPER_INTEREST).predict(logged.requests),
    )
    small = models.preference_by_request(world, models.fitted_preference(world, **models.FEED_PREFERENCE))
    usual = models.mean_preference(world)
    control = np.zeros(rows.sum(), dtype=np.intp)
    return {
        FEED: models.decided(world, small, interest, interest_weights=models.INTEREST_WEIGHTS),
        FEED_INTEREST: models.decided(world, usual, interest, interest_weights=models.INTEREST_WEIGHTS),
        FEED_PREFERENCE: models.decided(world, small, None),
        DYNAMIC: models.decided(world, preference, interest),
        PUBLISHED: models.decided(world, *as_published),
        PREFERENCE: models.decided(world, preference, None),
        INTEREST: models.decided(world, usual, interest),
        SINGLE_STAGE: models.decided(world, models.single_stage(world), None),
        BEST_ARM: control + models.best_single_arm(world),
        CONTROL: control,
        LIKED: world.platform.preference[logged.user[rows]].argmax(axis=1),
        ORACLE: logged.truth[rows].argmax(axis=1),
    }


def section(seeds: int) -> str:
    """True values, their paired differences, and how close off-policy values come."""
    parts = []
    for title, draws in zip(("three", "four"), repeated(measure, ("three", "four"), seeds), strict=True):
        values = by_method([draw.values for draw in draws])
        levels = [
            [name, f"{found.mean():.2f}", mean_and_error(found - values[CONTROL], sign="+")]
            for name, found in values.items()
        ]
        header = ["policy", "seconds per request", "more than control"]
        parts += [
            f"**{title.capitalize()} categories of duration.**",
            table(header, levels),
            differences(values, PAIRS),
            _off_policy(draws),
        ]
    return "\n\n".join([_INTRODUCTION.format(seeds=seeds), *parts])


def _off_policy(draws: list[Found]) -> str:
    rows = []
    for one, other in OFF_POLICY_PAIRS:
        truth = np.array([draw.values[one] - draw.values[other] for draw in draws])
        estimate, low, high = np.array([draw.estimated[one, other] for draw in draws]).T
        inside = int(((low <= truth) & (truth <= high)).sum())
        rows.append(
            [
                f"{one} − {other}",
                f"{truth.mean():+.2f}",
                f"{estimate.mean():+.2f}",
                with_interval(estimate - truth),
                f"{(high - low).mean() / 2:.2f}",
                f"{inside} of {len(draws)}",
            ]
        )
    header = ["off-policy", "truth", "estimate", "estimate − truth", "half an interval", "intervals with the truth"]
    return table(header, rows)


_INTRODUCTION = (
    f"{USERS:,} users, {WEEKS} weeks, about two requests on a day on which a user comes, ten videos each; a treatment "
    "adds up to three of its category. Models learn from 60 % of the users, thresholds are chosen off-policy on 20 %, "
    "and all that is told is of the other 20 %. Seconds are expectations over plays, so that values have no noise of "
    "their own; means of {seeds} draws of a platform, ± standard error or with a 95 % interval of the paired "
    "difference. `as published`: the paper's guidance, buckets, start, Huber losses and ratio label; else guidance "
    "that reads features, quantile buckets, squared losses and the share of long plays as label. `a feed's defaults`: "
    "of these a smaller preference model, 16 buckets of 8 numbers, with the paper's guidance, and a weight of interest "
    "that is chosen with the thresholds; elsewhere it is 1, as published. `interest alone`: mean "
    "responses in place of the user's. `single stage`: one network on user and request together, whose outcome "
    "is the request's reward."
)
