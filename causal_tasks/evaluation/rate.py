"""Does the ranking find users whose effect is above average? RATE: AUTOC and Qini on doubly robust scores.

For scores Gamma in the order of predicted uplift, TOC(q) is the mean of the top share q minus the mean of all. AUTOC is
its integral over q, and Qini that of q TOC(q). Both are 0 for a ranking that knows nothing about effects, whatever the
average effect is. Users with equal predictions are one block, in which every user counts with the block's mean.

Source: Yadlowsky, Fleming, Shah, Brunskill, Wager (2025), "Evaluating treatment prioritization rules via rank-weighted
average treatment effects".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma

from causal_tasks.effects.arguments import finite
from causal_tasks.effects.inference import two_sided_quantile
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import LEVEL, Estimate
from causal_tasks.evaluation.ranking import Vector, block_ends, borders, descending
from causal_tasks.evaluation.resampling import DRAWS, Resampling

Weighting = Literal["autoc", "qini"]

GRID = np.linspace(0, 1, 201) ** 2
"""Shares of users between which a drawn curve is straight: dense at the top, where TOC and the weights are steep."""


class RankTest(Estimate):
    """How much better than chance a ranking is; ``p_value`` is one-sided: the probability of so much by chance."""

    @classmethod
    def of(cls, estimate: float, standard_error: float, *, level: float = LEVEL) -> Self:
        """The record of a number that is normal around the truth with a known standard error.

        Raises:
            InputError: ``level`` is no share.
        """
        two_sided = super().of(estimate, standard_error, level=level)
        return two_sided.model_copy(update={"p_value": two_sided.one_sided_p_value})


def autoc(
    scores: ArrayLike,
    uplift: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
    seed: int = 0,
    draws: int = DRAWS,
) -> RankTest:
    """Area under the TOC curve: strong where few users respond to the treatment.

    Args:
        scores: Shape (n,), ``dr_scores`` of users whom the model that predicts has not seen; more is better.
        uplift: Shape (n,), predicted; only its order counts.
        clusters: Shape (n,), units randomised together.
        level: Of the interval.
        seed: Of the half samples.
        draws: Number of half samples, at least 200.

    Returns:
        Outcome units per user, with the standard error of half samples; effects uniform on 0 to 1 give 0.25 when
        they are ranked perfectly.

    Raises:
        InputError: Lengths differ, a value is not finite, there are fewer than two users or clusters, ``level`` is no
            share, or there are too few draws.

    Examples:
        >>> autoc([3.0, 1.0, 2.0, 0.0], [0.9, 0.8, 0.7, 0.6]).estimate
        0.625
    """
    return rate(scores, uplift, weighting="autoc", clusters=clusters, level=level, seed=seed, draws=draws)


def rate(
    scores: ArrayLike,
    uplift: ArrayLike,
    *,
    weighting: Weighting = "autoc",
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
    seed: int = 0,
    draws: int = DRAWS,
) -> RankTest:
    """Rank-weighted average treatment effect: AUTOC, or Qini, which is strong where many users respond a little.

    Args:
        scores: Shape (n,), ``dr_scores``; more is better.
        uplift: Shape (n,), predicted; only its order counts.
        weighting: ``autoc`` weights TOC(q) evenly, ``qini`` by q.
        clusters: Shape (n,), units randomised together.
        level: Of the interval.
        seed: Of the half samples.
        draws: Number of half samples, at least 200.

    Raises:
        InputError: The weighting is unknown, or as for ``autoc``.
    """
    ranked = _Ranked.of(scores, uplift)
    area = _area(weighting)
    drawn = _half_areas(ranked, area, _half_samples(ranked, clusters, seed, draws))
    return RankTest.of(_exact_area(ranked, area), float(drawn.std(ddof=1)), level=level)


def compare_rates(
    scores: ArrayLike,
    uplift_a: ArrayLike,
    uplift_b: ArrayLike,
    *,
    weighting: Weighting = "autoc",
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
    seed: int = 0,
    draws: int = DRAWS,
) -> Estimate:
    """RATE of ranking a minus that of ranking b, on the same users and in the same half samples.

    Args:
        scores: Shape (n,), ``dr_scores``; more is better.
        uplift_a: Shape (n,).
        uplift_b: Shape (n,).
        weighting: ``autoc`` or ``qini``.
        clusters: Shape (n,), units randomised together.
        level: Of the interval.
        seed: Of the half samples.
        draws: Number of half samples, at least 200.

    Raises:
        InputError: As for ``rate``.
    """
    area = _area(weighting)
    a, b = (_Ranked.of(scores, uplift) for uplift in (uplift_a, uplift_b))
    halves = _half_samples(a, clusters, seed, draws)
    drawn = _half_areas(a, area, halves) - _half_areas(b, area, halves)
    return Estimate.of(_exact_area(a, area) - _exact_area(b, area), float(drawn.std(ddof=1)), level=level)


def toc_curve(
    scores: ArrayLike,
    uplift: ArrayLike,
    *,
    points: int = 101,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
    seed: int = 0,
    draws: int = DRAWS,
) -> pd.DataFrame:
    """The curve under which ``autoc`` is the area, with a pointwise band.

    Args:
        scores: Shape (n,), ``dr_scores``; more is better.
        uplift: Shape (n,), predicted; only its order counts.
        points: Number of shares, evenly spaced from 0 to 1. There is no row for 0: nobody is targeted there.
        clusters: Shape (n,), units randomised together.
        level: Of the band.
        seed: Of the half samples.
        draws: Number of half samples, at least 200.

    Returns:
        ``points`` - 1 rows: ``share`` of users targeted; ``toc``, how much higher the mean effect of these users is
        than that of all, in outcome units per user; ``low``, ``high``. The last row is exactly 0.

    Raises:
        InputError: There are fewer than two points, or as for ``autoc``.
    """
    if points < 2:
        raise InputError(f"points is {points}", remedy="use 2 or more")
    ranked = _Ranked.of(scores, uplift)
    share = np.linspace(0, 1, points)[1:]
    toc = _toc(share, ranked.ends, np.concatenate([[0.0], np.cumsum(ranked.sums)]))
    users, sums = ranked.drawn(_half_samples(ranked, clusters, seed, draws))
    drawn = np.stack([_toc(share, *running) for running in zip(users, sums, strict=True)])
    half = two_sided_quantile(level) * drawn.std(axis=0, ddof=1)
    return pd.DataFrame({"share": share, "toc": toc, "low": toc - half, "high": toc + half})


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Scores in the order of predicted uplift, highest first.

    Attributes:
        scores: Shape (n,), minus their mean, highest prediction first.
        rows: Shape (n,), position of each in the arrays they come from.
        ends: Shape (m + 1,): 0, then the number of users down to the end of each block of equal predictions.
        sums: Shape (m,), sum of the scores in each block.
    """

    scores: Vector
    rows: NDArray[np.intp]
    ends: NDArray[np.intp]
    sums: Vector

    @classmethod
    def of(cls, scores: ArrayLike, uplift: ArrayLike) -> Self:
        values, predicted = finite(scores, name="scores"), finite(uplift, name="uplift")
        if len(values) != len(predicted) or not len(values):
            raise InputError(
                f"there are {len(values)} scores and {len(predicted)} predictions of uplift",
                remedy="pass one of each for every user",
            )
        rows = descending(predicted)
        ends = block_ends(predicted[rows])
        ranked = values[rows]
        ranked -= values.mean()
        return cls(ranked, rows, ends, np.add.reduceat(ranked, ends[:-1]))

    def drawn(self, halves: Resampling) -> tuple[Vector, Vector]:
        """Users and sums of scores down the ranking in every half sample, shape (draws, 201) each."""
        users, sums = halves.running(self.rows, borders(self.ends, GRID), lambda users: [self.scores[users]])
        return users, sums


_Area = Callable[[Any, Any], Any]
"""Sum of the weights of the best k of n users, so that weights of any block are a difference."""


def _area(weighting: str) -> _Area:
    areas: dict[str, _Area] = {"autoc": _autoc_weight, "qini": _qini_weight}
    if weighting not in areas:
        raise InputError(f"weighting {weighting!r} is unknown", remedy=f"use one of {', '.join(areas)}")
    return areas[weighting]


def _autoc_weight(k: Any, n: Any) -> Any:
    # User i weighs H_n - H_{i-1} - 1 with H the harmonic numbers.
    return k * (digamma(n + 1.0) - digamma(k + 1.0))


def _qini_weight(k: Any, n: Any) -> Any:
    # User i weighs (n - i + 1) / n - (n + 1) / (2 n).
    return k * (n - k) / (2 * n)


def _exact_area(ranked: _Ranked, area: _Area) -> float:
    n = len(ranked.scores)
    weights = np.diff(area(ranked.ends.astype(np.float64), float(n)))
    return float((ranked.sums / np.diff(ranked.ends)) @ weights) / n


def _half_samples(ranked: _Ranked, clusters: ArrayLike | None, seed: int, draws: int) -> Resampling:
    if draws < 200:
        raise InputError(f"draws is {draws}", remedy="a standard error needs 200 or more")
    return Resampling.half_samples(len(ranked.scores), clusters=clusters, seed=seed, draws=draws)


def _half_areas(ranked: _Ranked, area: _Area, halves: Resampling) -> Vector:
    users, sums = ranked.drawn(halves)
    n = users[:, -1:]
    in_block = np.diff(users)
    mean = np.divide(np.diff(sums), in_block, out=np.zeros_like(in_block), where=in_block > 0)
    areas: Vector = (mean * np.diff(area(users, n))).sum(axis=1) / n[:, 0]
    return areas


def _toc(share: Vector, users: Any, sums: Vector) -> Vector:
    targeted = share * users[-1]
    toc: Vector = np.interp(targeted, users, sums) / targeted - sums[-1] / users[-1]
    return toc
