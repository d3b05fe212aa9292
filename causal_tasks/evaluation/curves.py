"""Does the ranking find the users who gain? AUUC, Qini and their curves, in outcome units per user."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causal_tasks.effects.inference import two_sided_quantile
from causal_tasks.errors import InputError
from causal_tasks.evaluation import foreign
from causal_tasks.evaluation.ranking import Ranking, Vector, only_ranking, rankings
from causal_tasks.evaluation.resampling import Resampling

AuucDefinition = Literal["per_user", "sklift", "causalml", "causalml_raw", "criteo"]
QiniDefinition = Literal["per_user", "sklift", "sklift_straight", "causalml", "pylift", "pylift_adjusted"]


def auuc(
    outcome: ArrayLike,
    uplift: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    propensity: ArrayLike | None = None,
    definition: AuucDefinition = "per_user",
) -> float:
    """Area under the uplift curve.

    ``per_user`` is the integral, over the share s of users targeted, of s times (treatment mean minus control mean
    among the top s): what targeting by this ranking gains per user, averaged over how many are targeted. Trapezoids
    from (0, 0), equal scores are one block, a mean of nobody counts as 0. A random ranking scores half the average
    effect.

    Args:
        outcome: Shape (n,), more is better.
        uplift: Shape (n,), or (n, K) for K treatments in the order of their sorted labels: then the mean over them.
        treatment: Shape (n,), arm labels.
        control: Label of the control arm; None: 0.
        propensity: Probability of treatment, a number or shape (n,), where it differs between users; for K treatments
            shape (n, K), see ``rankings``.
        definition: ``per_user``, or another library's: see ``causal_tasks.evaluation.foreign``.

    Returns:
        Outcome units per user for ``per_user``.

    Raises:
        InputError: Shapes do not match, a value is not finite, or the definition does not fit the data.

    Examples:
        >>> auuc([1, 0, 1, 0], [0.4, 0.3, 0.2, 0.1], [1, 0, 1, 0])
        0.5
    """
    score = _score(definition, {"per_user": area_under_gain, **foreign.AUUC}, propensity)
    found = rankings(outcome, uplift, treatment, control=control, propensity=propensity)
    return float(np.mean([score(ranking) for ranking in found]))


def qini(
    outcome: ArrayLike,
    uplift: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    propensity: ArrayLike | None = None,
    definition: QiniDefinition = "per_user",
) -> float:
    """Area between the uplift curve and the line of a random ranking.

    ``per_user`` equals ``auuc`` minus half the average effect; arguments are those of ``auuc``.

    Returns:
        Outcome units per user for ``per_user``; 0 for a random ranking.

    Raises:
        InputError: As for ``auuc``.

    Source: Radcliffe (2007); here on the curve of ``auuc``, so that arms of unequal size need no correction.
    """
    score = _score(definition, {"per_user": area_above_random, **foreign.QINI}, propensity)
    found = rankings(outcome, uplift, treatment, control=control, propensity=propensity)
    return float(np.mean([score(ranking) for ranking in found]))


def area_under_gain(ranking: Ranking) -> float:
    """AUUC per user of one ranking."""
    return ranking.area


def area_above_random(ranking: Ranking) -> float:
    """Qini per user of one ranking."""
    return ranking.area - ranking.total / 2


def gain_curve(
    outcome: ArrayLike,
    uplift: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    propensity: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    points: int = 101,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """The curve under which ``auuc`` is the area, with a pointwise band.

    Args:
        outcome: Shape (n,), more is better.
        uplift: Shape (n,).
        treatment: Shape (n,), labels of two arms.
        control: Label of the control arm; None: 0.
        propensity: Probability of treatment, a number or shape (n,).
        clusters: Shape (n,), units randomised together.
        points: Number of shares, evenly spaced from 0 to 1.
        level: Of the band.
        seed: Of the resampling.

    Returns:
        One row for each share: ``share`` of users targeted, ``gain``, ``low``, ``high`` per user in outcome units,
        and ``random``, the gain when as many are targeted at random.

    Raises:
        InputError: As for ``auuc``, there are several treatments, ``level`` is no share, or a user has no cluster.
    """
    ranking = only_ranking(outcome, uplift, treatment, control=control, propensity=propensity)
    share = np.linspace(0, 1, points)
    drawn = _drawn_gain(ranking, share, clusters, len(np.asarray(outcome)), seed)
    gain = np.interp(share, ranking.share, ranking.gain)
    return _with_band(share, gain, drawn, level).assign(random=share * ranking.gain[-1])


def qini_curve(
    outcome: ArrayLike,
    uplift: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    propensity: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    points: int = 101,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """The gain over targeting as many users at random: the curve under which ``qini`` is the area.

    Arguments are those of ``gain_curve``.

    Returns:
        One row for each share: ``share``, ``gain``, ``low``, ``high``; both ends are exactly 0.

    Raises:
        InputError: As for ``gain_curve``.
    """
    ranking = only_ranking(outcome, uplift, treatment, control=control, propensity=propensity)
    share = np.linspace(0, 1, points)
    drawn = _drawn_gain(ranking, share, clusters, len(np.asarray(outcome)), seed)
    gain = np.interp(share, ranking.share, ranking.gain)
    return _with_band(share, gain - share * gain[-1], drawn - share * drawn[:, -1:], level)


def _drawn_gain(ranking: Ranking, share: Vector, clusters: ArrayLike | None, n: int, seed: int) -> Vector:
    curves = Resampling.of(n, clusters=clusters, seed=seed).curves(ranking)
    return np.stack([np.interp(share, x, y) for x, y in zip(*curves, strict=True)])


def _with_band(share: Vector, gain: Vector, drawn: Vector, level: float) -> pd.DataFrame:
    half = two_sided_quantile(level) * drawn.std(axis=0, ddof=1)
    return pd.DataFrame({"share": share, "gain": gain, "low": gain - half, "high": gain + half})


def _score(definition: str, known: dict[str, foreign.Score], propensity: ArrayLike | None) -> foreign.Score:
    if definition not in known:
        raise InputError(f"definition {definition!r} is unknown", remedy=f"use one of {', '.join(known)}")
    if propensity is not None and definition != "per_user":
        raise InputError(
            f"definition {definition!r} takes no propensity",
            remedy="use definition='per_user', which weights users by it",
        )
    return known[definition]
