"""One treatment and a budget: what treating the units of the highest predicted returns costs and brings."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.effects.arguments import finite, require_rows
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import LEVEL, Estimate
from causal_tasks.evaluation.ranking import Ranking, block_ends, borders, descending, only_ranking
from causal_tasks.evaluation.resampling import GRID, Resampling

Definition = Literal["paper", "trapezoid"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CostCurve:
    """Cost and outcome above control's, per unit of the population, as more units are treated.

    Attributes:
        cost: Shape (p,), from 0 to what treating everybody costs; not monotone where that is noise.
        outcome: Shape (p,), from 0 to what treating everybody brings.
    """

    cost: Vector
    outcome: Vector


def cost_curve(
    outcome: ArrayLike,
    cost: ArrayLike,
    roi: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    definition: Definition = "paper",
    points: int = 200,
) -> CostCurve:
    """The curve under which ``aucc`` is the area: units are treated from the highest predicted return downwards.

    After the first i units both axes are sums over treated units / n_T - sums over control units / n_C, where n_T and
    n_C count all units of the arm. Units of equal return are treated together: between them the curve is straight.

    Args:
        outcome: Shape (n,), larger is better.
        cost: Shape (n,).
        roi: Shape (n,), predicted outcome gained for a unit of cost.
        treatment: Shape (n,), labels of two arms.
        control: Label of the control arm; None: 0.
        definition: ``paper``: the origin, the first unit after the last point at which the cost reaches 1, 2, …
            ``points`` - 1 of ``points`` equal parts of the whole, and the end: fewer than ``points`` + 1 points where
            the cost jumps or dips. ``trapezoid``: ``points`` + 1 shares of units, evenly spaced.
        points: Parts of the curve.

    Raises:
        InputError: Shapes do not match, a value is not finite, there are several treatments, treatment costs no more
            than control, ``points`` is below 2, or ``definition`` is unknown.

    Source: Zhou et al. (2024), "Decision focused causal learning for direct counterfactual marketing optimization",
    released code, for ``paper``.
    """
    if points < 2:
        raise InputError(f"points is {points}", remedy="divide the curve into at least two parts")
    ends, spent, gained = _running(outcome, cost, only_ranking(outcome, roi, treatment, control=control))
    if definition == "paper":
        users = np.arange(ends[-1] + 1)
        at = _cost_cuts(np.interp(users, ends, spent), points)
    elif definition == "trapezoid":
        at = np.unique(np.round(np.linspace(0, ends[-1], min(points, ends[-1]) + 1)).astype(np.intp))
    else:
        raise InputError(f"definition {definition!r} is unknown", remedy="use paper or trapezoid")
    return CostCurve(cost=np.interp(at, ends, spent), outcome=np.interp(at, ends, gained))


def predicted_return(forecast: Forecast) -> Vector:
    """The return by which a forecast of two arms ranks units: outcome gained for a unit of cost, shape (n,).

    Where treatment is predicted to cost hardly more than control, or less, its gain counts by a millionth of the mean
    extra cost: such units stand first, or last where nothing is gained.

    Raises:
        InputError: There are more than two arms, or treatment is predicted to cost nothing more for any unit.
    """
    if forecast.outcome.shape[1] != 2:
        raise InputError(
            f"the forecast has {forecast.outcome.shape[1]} arms, a return compares one treatment with control",
            remedy="pass the columns of control and one treatment",
        )
    gain, extra = (np.diff(values.astype(np.float64))[:, 0] for values in forecast)
    if not (positive := extra[extra > 0]).size:
        raise InputError(
            "treatment is predicted to cost no unit more than control", remedy="rank units by uplift alone"
        )
    return np.asarray(gain / np.maximum(extra, 1e-6 * positive.mean()))


def aucc(
    outcome: ArrayLike,
    cost: ArrayLike,
    roi: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    definition: Definition = "paper",
    points: int = 200,
) -> float:
    """Area under the cost curve, both axes scaled to end at 1: about 0.5 for a random ranking.

    Arguments are those of ``cost_curve``. ``paper`` adds up the outcome at all points and divides by the last outcome
    and by ``points`` + 1, however few points there are; ``trapezoid`` is the area of the drawn curve.

    Raises:
        InputError: As for ``cost_curve``, or treatment brings no more than control.

    Source: Du, Lee, Ghaffarizadeh (2019), "Improve user retention with causal learning"; for ``paper`` the code
    released with Zhou et al. (2024).

    Examples:
        >>> aucc([3, 0, 1, 0], [1, 0, 1, 0], [4, 3, 2, 1], [1, 0, 1, 0], definition="trapezoid")
        0.625
    """
    curve = cost_curve(outcome, cost, roi, treatment, control=control, definition=definition, points=points)
    if not (gain := curve.outcome[-1]) > 0:
        raise InputError(
            f"treatment brings {gain:g} more than control, a total that the area cannot be divided by",
            remedy="compare rankings by expected_outcome at a budget",
        )
    if definition == "paper":
        return float(curve.outcome.sum() / (gain * (points + 1)))
    return float(np.trapezoid(curve.outcome, curve.cost) / (gain * curve.cost[-1]))


def aucc_estimate(
    outcome: ArrayLike,
    cost: ArrayLike,
    roi: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """``aucc`` by trapezoid, with the uncertainty of the units it was measured on; the ranking is taken as given.

    Arguments are those of ``cost_curve``; ``clusters``, shape (n,), are units that are not independent, ``level`` is of
    the interval and ``seed`` of the bootstrap.

    Returns:
        A share; its p-value is of zero, so look at the interval.

    Raises:
        InputError: As for ``aucc``, ``level`` is no share, or a unit has no cluster.
    """
    area = aucc(outcome, cost, roi, treatment, control=control, definition="trapezoid")
    ranking = only_ranking(outcome, roi, treatment, control=control)
    costs = finite(cost, name="cost")[ranking.rows]

    def contributions(part: slice) -> tuple[Vector, ...]:
        treated, control_units = ranking.treated[part].astype(np.float64), 1.0 - ranking.treated[part]
        seen = (np.ones(len(treated)), costs[part], ranking.outcome[part])
        return tuple(values * arm for arm in (treated, control_units) for values in seen)

    resampling = Resampling.of(len(costs), clusters=clusters, seed=seed)
    _, *sums = resampling.running(ranking.rows, borders(ranking.ends, GRID), contributions)
    treated, cost_treated, outcome_treated, controls, cost_control, outcome_control = sums
    spent, gained = (
        over / treated[:, -1:] - under / controls[:, -1:]
        for over, under in ((cost_treated, cost_control), (outcome_treated, outcome_control))
    )
    # Of a ratio, linearised: in draws of few units a divisor near zero would make the error as large as one likes.
    divisor = gained[:, -1] * spent[:, -1]
    drawn = (np.trapezoid(gained, spent, axis=1) - area * divisor) / divisor.mean()
    return Estimate.of(area, float(drawn.std(ddof=1)), level=level)


def true_aucc(roi: ArrayLike, gain: ArrayLike, extra_cost: ArrayLike) -> float:
    """Area under the cost curve of units whose effects are known, by trapezoid.

    Args:
        roi: Shape (n,), predicted return, by which units are ranked.
        gain: Shape (n,), tau_r: what treatment adds to the outcome.
        extra_cost: Shape (n,), tau_c: what it adds to the cost.

    Raises:
        InputError: Lengths differ, a value is not finite, or treatment adds nothing to outcome or cost in total.

    Examples:
        >>> true_aucc([2.0, 1.0], gain=[3.0, 1.0], extra_cost=[1.0, 1.0])
        0.625
    """
    scores = finite(roi, name="roi")
    order = descending(scores)
    ends = block_ends(scores[order])
    axes = []
    for name, effect in (("gain", gain), ("extra_cost", extra_cost)):
        values = finite(effect, name=name)
        require_rows(len(values), name=name, rows=len(scores))
        axes.append(np.concatenate([[0.0], np.cumsum(values[order])])[ends])
        if not axes[-1][-1] > 0:
            raise InputError(f"{name} is {axes[-1][-1]:g} in total", remedy="pass effects that are positive in total")
    return float(np.trapezoid(axes[0], axes[1]) / (axes[0][-1] * axes[1][-1]))


def _running(outcome: ArrayLike, cost: ArrayLike, ranking: Ranking) -> tuple[NDArray[np.intp], Vector, Vector]:
    """Units down to the end of each block of equal returns, and cost and outcome there above control's."""
    costs = finite(cost, name="cost")
    require_rows(len(costs), name="cost", rows=len(np.asarray(outcome)))
    treated = int(ranking.treated.sum())
    share = np.where(ranking.treated, 1 / treated, -1 / (len(costs) - treated))
    spent, gained = (
        np.concatenate([[0.0], np.cumsum(share * values)])[ranking.ends]
        for values in (costs[ranking.rows], ranking.outcome)
    )
    if not spent[-1] > 0:
        raise InputError(
            f"treatment costs {spent[-1]:g} more than control per unit: there is no budget to spend",
            remedy="check the cost, or rank units by uplift alone",
        )
    return ranking.ends, spent, gained


def _cost_cuts(running: Vector, parts: int) -> NDArray[np.intp]:
    """Units down to each point of the paper's curve, from 0 to n.

    Args:
        running: Cost after 0, 1, …, n units.
        parts: Equal parts of the last cost.
    """
    last = len(running) - 1
    cuts, highest = [0], np.maximum.accumulate(running)
    for goal in running[-1] / parts * np.arange(1, parts):
        reached = int(np.searchsorted(highest, goal))
        if reached <= cuts[-1]:  # the last point has passed this goal too, and the cost may have dipped since
            later = running[cuts[-1] + 1 :] >= goal
            reached = cuts[-1] + 1 + int(later.argmax()) if later.any() else last
        if reached >= last:
            break
        cuts.append(reached)
    return np.array([*cuts, last])
