"""Scores as other libraries define them, by name, so that numbers can be compared with theirs.

They differ in curve, normalisation and treatment of ties (scikit-uplift 0.5.1, causalml 0.18, pylift 0.1.5; Diemert
et al. 2021 for the Criteo benchmark). Here equal scores never depend on the order of rows: where a library walks
through ties row by row, the running sums are spread evenly over the tied rows.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.evaluation.ranking import Ranking, Vector, block_ends

Score = Callable[[Ranking], float]


def _per_row(ranking: Ranking) -> tuple[Vector, Vector, Vector, Vector, Vector]:
    rows = np.arange(len(ranking.outcome) + 1, dtype=np.float64)
    n_treatment, n_control, sum_treatment, sum_control = (
        np.interp(rows, ranking.ends, running)
        for running in (
            ranking.weight_treatment,
            ranking.weight_control,
            ranking.sum_treatment,
            ranking.sum_control,
        )
    )
    return rows, n_treatment, n_control, sum_treatment, sum_control


def _bridged(curve: Vector, known: NDArray[np.bool_]) -> Vector:
    """``curve`` from 0, with straight lines where it is not known (no user of one arm yet)."""
    known = known.copy()
    known[0] = True
    rows = np.arange(len(curve))
    bridged: Vector = np.interp(rows, rows[known], np.where(rows == 0, 0.0, curve)[known])
    return bridged


def causalml_auuc_raw(ranking: Ranking) -> float:
    """``auuc_score(normalize=False)``: mean height of the gain curve, in outcome units of the whole sample."""
    return float(_causalml_gain(ranking).mean())


def causalml_auuc(ranking: Ranking) -> float:
    """``auuc_score``: the same over the absolute total gain; random is 0.5, values above 1 occur."""
    gain = _causalml_gain(ranking)
    return float(gain.mean() / _not_zero(abs(gain[-1]), "causalml"))


def causalml_qini(ranking: Ranking) -> float:
    """``qini_score``: mean height of the Qini curve above the random line, over the absolute total."""
    rows, n_treatment, n_control, sum_treatment, sum_control = _per_row(ranking)
    with np.errstate(divide="ignore", invalid="ignore"):
        curve = _bridged(sum_treatment - sum_control * n_treatment / n_control, n_control > 0)
    above = curve.mean() - (curve[-1] * rows / rows[-1]).mean()
    return float(above / _not_zero(abs(curve[-1]), "causalml"))


def _causalml_gain(ranking: Ranking) -> Vector:
    rows, n_treatment, n_control, sum_treatment, sum_control = _per_row(ranking)
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = sum_treatment / n_treatment - sum_control / n_control
    return _bridged(lift, (n_treatment > 0) & (n_control > 0)) * rows


def sklift_auuc(ranking: Ranking) -> float:
    """``uplift_auc_score``: area of the uplift curve above random, over the same of the perfect ranking."""
    return above_random(ranking.share, ranking.gain) / perfect_gain(ranking)


def sklift_qini(ranking: Ranking) -> float:
    """``qini_auc_score(negative_effect=True)``."""
    return above_random(ranking.share, qini_heights(ranking)) / perfect_qini(ranking)


def perfect_gain(ranking: Ranking) -> float:
    """What ``sklift_auuc`` divides by: the area of the perfect ranking of these users.

    Raises:
        InputError: An outcome is neither 0 nor 1, or the area is zero.
    """
    _require_binary(ranking, "sklift")
    responded = ranking.outcome == 1
    harmed, unmoved = np.sum(responded & ~ranking.treated), np.sum(~responded & ranking.treated)
    tie_breaker = responded if harmed > unmoved else ranking.treated
    perfect = _reranked(ranking, 2.0 * (responded == ranking.treated) + tie_breaker)
    return _not_zero(above_random(perfect.share, perfect.gain), "sklift")


def perfect_qini(ranking: Ranking) -> float:
    """What ``sklift_qini`` divides by, as ``perfect_gain``."""
    _require_binary(ranking, "sklift")
    perfect = _reranked(ranking, ranking.outcome * np.where(ranking.treated, 1, -1))
    return _not_zero(above_random(perfect.share, qini_heights(perfect)), "sklift")


def sklift_qini_straight(ranking: Ranking) -> float:
    """``qini_auc_score(negative_effect=False)``: the perfect curve rises straight to the total lift."""
    _require_binary(ranking, "sklift_straight")
    heights = qini_heights(ranking)
    n, total = len(ranking.outcome), float(heights[-1])
    perfect = above_random(np.array([0, total / n, 1]), np.array([0, total, total]))
    return above_random(ranking.share, heights) / _not_zero(perfect, "sklift")


def pylift_qini(ranking: Ranking) -> float:
    """``Q_qini``: area between the curve y_t / N_t - y_c / N_c and the random line."""
    curve = ranking.sum_treatment / ranking.weight_treatment[-1] - ranking.sum_control / ranking.weight_control[-1]
    return above_random(ranking.share, curve)


def pylift_adjusted_qini(ranking: Ranking) -> float:
    """``Q_aqini``: the same with control responses scaled to the number of treated users in the top."""
    return above_random(ranking.share, qini_heights(ranking) / ranking.weight_treatment[-1])


def criteo_auuc(ranking: Ranking) -> float:
    """Area between the response curves of the arms, each ranked by itself; random is half the average effect."""
    areas = []
    for arm in (ranking.treated, ~ranking.treated):
        score, outcome = ranking.uplift[arm], ranking.outcome[arm]
        ends = block_ends(score)
        running = np.concatenate([[0.0], np.cumsum(outcome)])[ends]
        areas.append(np.trapezoid(running, ends) / len(score) ** 2)
    return float(areas[0] - areas[1])


def qini_heights(ranking: Ranking) -> Vector:
    """The Qini curve of Radcliffe (2007), shape (m + 1,): y_t - y_c n_t / n_c; without a control user yet, y_t."""
    ratio = np.divide(
        ranking.weight_treatment,
        ranking.weight_control,
        out=np.zeros_like(ranking.weight_control),
        where=ranking.weight_control > 0,
    )
    return ranking.sum_treatment - ranking.sum_control * ratio


def _reranked(ranking: Ranking, score: Vector) -> Ranking:
    order = np.argsort(-score, kind="stable")
    return Ranking(
        outcome=ranking.outcome[order],
        treated=ranking.treated[order],
        weight=ranking.weight[order],
        ends=block_ends(score[order]),
        rows=ranking.rows[order],
        uplift=score[order],
    )


def above_random(share: Vector, curve: Vector) -> float:
    """Area between a curve from (0, 0) and the straight line to its end."""
    return float(np.trapezoid(curve, share) - curve[-1] / 2)


def _not_zero(divisor: float, definition: str) -> float:
    if abs(divisor) < 1e-12:
        raise InputError(
            f"definition {definition!r} divides by {divisor:g}, which is zero for this sample",
            remedy="use definition='per_user', which divides by nothing",
        )
    return divisor


def _require_binary(ranking: Ranking, definition: str) -> None:
    if not np.isin(ranking.outcome, (0.0, 1.0)).all():
        raise InputError(
            f"definition {definition!r} is defined for outcomes 0 and 1 only",
            remedy="use definition='per_user' for other outcomes",
        )


AUUC: dict[str, Score] = {
    "sklift": sklift_auuc,
    "causalml": causalml_auuc,
    "causalml_raw": causalml_auuc_raw,
    "criteo": criteo_auuc,
}
QINI: dict[str, Score] = {
    "sklift": sklift_qini,
    "sklift_straight": sklift_qini_straight,
    "causalml": causalml_qini,
    "pylift": pylift_qini,
    "pylift_adjusted": pylift_adjusted_qini,
}
