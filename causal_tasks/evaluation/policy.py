"""What treating some users is worth, against treating nobody, everybody, or as many at random."""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causal_tasks.effects.arguments import cluster_codes, finite
from causal_tasks.effects.inference import two_sided_quantile
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import LEVEL, Estimate, mean_estimate
from causal_tasks.evaluation.ranking import Vector, block_ends, borders, descending
from causal_tasks.evaluation.resampling import Resampling
from causal_tasks.evaluation.scores import treated_users

Against = Literal["none", "all", "random"]

GRID = np.linspace(0, 1, 401)
"""Shares of users between which a drawn curve is straight."""


def policy_value(
    scores: ArrayLike,
    treat: ArrayLike,
    *,
    cost: ArrayLike = 0.0,
    against: Against = "none",
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
) -> Estimate:
    """What a policy gains per user of the whole population.

    Args:
        scores: Shape (n,), Gamma: ``dr_scores`` of users whom neither the models nor the policy have seen; more is
            better.
        treat: Shape (n,), pi: whom the policy treats.
        cost: c: of treating a user, a number or shape (n,), outcome units.
        against: ``none``: mean of pi (Gamma - c); ``all``: minus the mean of (1 - pi) (Gamma - c); ``random``: mean of
            (pi - p) (Gamma - c), where p is the share treated: as many users, drawn at random.
        clusters: Shape (n,), units that are not independent.
        level: Of the interval.

    Returns:
        Outcome units per user.

    Raises:
        InputError: Lengths differ, a value is not finite, ``against`` is unknown, there are fewer than two users or
            clusters, or ``level`` is no share.

    Source: Athey, Wager (2021), "Policy learning with observational data"; Imai, Li (2023), "Experimental evaluation of
    individualized treatment rules", for ``random``.

    Examples:
        >>> policy_value([3.0, 1.0, -2.0, 0.0], [1, 1, 0, 0], cost=0.5).estimate
        0.75
    """
    values, treated = finite(scores, name="scores"), treated_users(treat)
    _require_rows(len(values), treat=len(treated))
    net = values - _costs(cost, rows=len(values))
    if against == "none":
        terms = treated * net
    elif against == "all":
        terms = ~treated * -net
    elif against == "random":
        # The share is estimated too: centring leaves the mean as it is and makes the error account for that.
        terms = (treated - treated.mean()) * (net - net.mean())
    else:
        raise InputError(f"against {against!r} is unknown", remedy="use none, all or random")
    codes = None if clusters is None else cluster_codes(clusters, rows=len(values))
    return mean_estimate(terms, clusters=codes, level=level)


def budget_curve(
    scores: ArrayLike,
    uplift: ArrayLike,
    *,
    cost: ArrayLike,
    points: int = 101,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> pd.DataFrame:
    """What each budget buys when users are treated in the order of predicted uplift per cost.

    Args:
        scores: Shape (n,), ``dr_scores``; more is better.
        uplift: Shape (n,), predicted.
        cost: Of treating a user, above 0: a number or shape (n,), any unit.
        points: Number of budgets, evenly spaced from nothing to what treating everybody costs.
        clusters: Shape (n,), units that are not independent.
        level: Of the band.
        seed: Of the half samples.

    Returns:
        One row for each budget: ``spend`` per user of the population, in the unit of ``cost``; ``share`` of users
        treated; ``gain`` per user of the population over treating nobody, cost not subtracted, with ``low`` and
        ``high``, in outcome units.

    Raises:
        InputError: Lengths differ, a value is not finite, a cost is not above 0, there are fewer than two users or
            clusters, or ``level`` is no share.

    Source: Sverdrup, Wu, Athey, Wager (2025), "Qini curves for multi-armed treatment rules", with one arm.
    """
    values, predicted = finite(scores, name="scores"), finite(uplift, name="uplift")
    n = len(values)
    _require_rows(n, uplift=len(predicted))
    price = np.broadcast_to(_costs(cost, rows=n), (n,))
    if not (price > 0).all():
        raise InputError(f"cost is {price.min():g} for some user", remedy="use costs above 0")
    halves = Resampling.half_samples(n, clusters=clusters, seed=seed)
    by_cost = predicted / price
    rows = descending(by_cost)
    ends = block_ends(by_cost[rows])
    prices, gains = price[rows], values[rows]
    spend = np.linspace(0, float(price.mean()), points)
    spent, gained = (np.concatenate([[0.0], np.cumsum(ranked)])[ends] / n for ranked in (prices, gains))
    users, *sums = halves.running(rows, borders(ends, GRID), lambda part: (prices[part], gains[part]))
    drawn = np.stack([np.interp(spend, *curve) for curve in zip(*(s / users[:, -1:] for s in sums), strict=True)])
    gain = np.interp(spend, spent, gained)
    half = two_sided_quantile(level) * drawn.std(axis=0, ddof=1)
    share = np.interp(spend, spent, ends / n)
    return pd.DataFrame({"spend": spend, "share": share, "gain": gain, "low": gain - half, "high": gain + half})


def _costs(cost: ArrayLike, *, rows: int) -> Vector:
    """Shape () or (n,)."""
    costs = finite(cost, name="cost", dimensions=(0, 1))
    if costs.ndim:
        _require_rows(rows, cost=len(costs))
    return costs


def _require_rows(rows: int, **found: int) -> None:
    for name, number in found.items():
        if number != rows:
            raise InputError(f"{name} has {number} rows, scores {rows}", remedy="pass one value for every user")
