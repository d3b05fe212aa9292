"""Whether the thresholds that are deployed are still the best, by user segment and week."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causal_tasks.data.parts import BUCKETS, buckets
from causal_tasks.dynamic.gains import Mask, Vector, checked_thresholds
from causal_tasks.dynamic.policy_values import LoggedRequests
from causal_tasks.dynamic.thresholds import ThresholdSearch
from causal_tasks.effects.arguments import label_codes, require_rows
from causal_tasks.evaluation.estimate import LEVEL, Estimate
from causal_tasks.evaluation.inverse_propensity import FEWEST_MATCHED, Estimator

FEW = "few"

_HALVES = "threshold_drift"
"""Key by which users are dealt to the half that chooses and the half that measures."""

COLUMNS = (
    "segment",
    "week",
    "requests",
    "users",
    "thresholds",
    "difference",
    "low",
    "high",
    "p_value",
    "alarm",
    "note",
)


def threshold_drift(
    reward: ArrayLike,
    arm: ArrayLike,
    preference: ArrayLike,
    interest: ArrayLike | None,
    *,
    thresholds: Sequence[float],
    segment: ArrayLike,
    week: ArrayLike,
    users: ArrayLike,
    propensity: ArrayLike,
    allowed: Mask | None = None,
    interest_weight: float = 1.0,
    per_treatment: bool = True,
    grid: int = 20,
    estimator: Estimator = "hajek",
    level: float = LEVEL,
) -> pd.DataFrame:
    """What better thresholds would bring beyond the deployed ones, in every segment and week.

    In each cell half of the users choose, and the others measure: the difference is honest whatever was chosen. Where
    the deployed thresholds are the best on the first half it is 0. An alarm says that some cell has better thresholds:
    the p-value times the number of cells measured is at most ``1 - level``, so that a table in which the deployed
    thresholds are the best everywhere holds an alarm with probability ``1 - level`` at most.

    Args:
        reward: Shape (n,), more is better, of requests that the deployed thresholds were not chosen on.
        arm: Position of the arm that each was given, shape (n,).
        preference: Predicted responses of its user, shape (n, K + 1).
        interest: Its predicted interest, shape (n, K); None: 1.
        thresholds: Deployed, shape (K,).
        segment: Of the user, shape (n,).
        week: Shape (n,), any labels that sort.
        users: Shape (n,).
        propensity: Probability with which arms were drawn, shape (K + 1,) or (n, K + 1).
        allowed: Treatments that the user may get, shape (n, K); None: all.
        interest_weight: Deployed, and of what is tried.
        per_treatment: Whether every treatment has its own threshold in what is tried.
        grid: How many quantiles of gains are tried in a cell.
        estimator: Of values, see ``request_policy_values``.
        level: Of intervals, which are two-sided and of one cell each, and of the alarm.

    Returns:
        A row per cell, sorted: ``segment``, ``week``, ``requests``, ``users``; ``thresholds`` (the best, shape (K,)),
        ``difference`` (reward per request under these less that under the deployed ones) with ``low`` and ``high``,
        ``p_value`` (one-sided, before the correction), ``alarm``, ``note``. Where too few users of a half were given
        what thresholds give them, or too few requests differ, the note is ``few``, and there is no alarm.

    Raises:
        InputError: As for ``choose_thresholds``, or a segment or week is missing.
    """
    logged = LoggedRequests.checked(reward, arm, propensity=propensity, users=users)
    search = ThresholdSearch.of(
        logged,
        preference,
        interest,
        allowed=allowed,
        grid=grid,
        estimator=estimator,
        interest_weight=interest_weight,
    )
    deployed = checked_thresholds(thresholds, treatments=logged.arms - 1)
    chooses = buckets(pd.Series(np.asarray(users)), _HALVES) < BUCKETS // 2
    segments, segment_labels = _labels(segment, "segment", rows=len(chooses))
    weeks, week_labels = _labels(week, "week", rows=len(chooses))
    rows: list[dict[str, Any]] = []
    for cell in np.unique(np.stack([segments, weeks], axis=1), axis=0):
        inside = (segments == cell[0]) & (weeks == cell[1])
        chosen, estimate = _cell(search, deployed, inside, chooses, per_treatment=per_treatment, level=level)
        rows.append(
            {
                "segment": segment_labels[cell[0]],
                "week": week_labels[cell[1]],
                "requests": int(inside.sum()),
                "users": len(pd.unique(np.asarray(logged.users)[inside])),
                "thresholds": None if chosen is None else tuple(chosen.tolist()),
                "difference": np.nan if estimate is None else estimate.estimate,
                "low": np.nan if estimate is None else estimate.interval[0],
                "high": np.nan if estimate is None else estimate.interval[1],
                "p_value": np.nan if estimate is None else estimate.one_sided_p_value,
                "note": FEW if estimate is None else "",
            }
        )
    table = pd.DataFrame(rows, columns=[column for column in COLUMNS if column != "alarm"])
    measured = int(table["p_value"].notna().sum())
    table["alarm"] = table["p_value"] * measured <= 1 - level
    return table[list(COLUMNS)]


def _cell(
    search: ThresholdSearch, deployed: Vector, inside: Mask, chooses: Mask, *, per_treatment: bool, level: float
) -> tuple[Vector | None, Estimate | None]:
    """The best thresholds of a cell and what they bring beyond the deployed ones; None where too few tell."""
    choosing, measuring = search.of_rows(inside & chooses), search.of_rows(inside & ~chooses)
    if not _enough(choosing, deployed) or not _enough(measuring, deployed):
        return None, None
    chosen = choosing.best(per_treatment=per_treatment, start=deployed)
    now, then = measuring.decided(deployed), measuring.decided(chosen)
    if (now == then).all():
        return chosen, Estimate.of(0.0, 0.0, level=level)
    logged = measuring.logged
    told = (now != then) & ((logged.arm == now) | (logged.arm == then))
    if len(np.unique(np.asarray(logged.users)[told])) < FEWEST_MATCHED or not (logged.arm == then).any():
        return chosen, None
    found = logged.compared(
        {"deployed": logged.matched(now, "deployed"), "chosen": logged.matched(then, "chosen")},
        baseline="deployed",
        estimator=measuring.estimator,
        level=level,
    )
    return chosen, found.difference("chosen")


def _enough(search: ThresholdSearch, deployed: Vector) -> bool:
    """Whether enough users were given what the deployed thresholds give them, and enough control."""
    logged = search.logged
    of_users = np.asarray(logged.users)
    return all(
        len(np.unique(of_users[logged.arm == given])) >= FEWEST_MATCHED for given in (search.decided(deployed), 0)
    )


def _labels(values: ArrayLike, name: str, *, rows: int) -> tuple[Any, Any]:
    codes, labels = label_codes(values, name=name)
    require_rows(len(codes), name=name, rows=rows)
    return codes, labels
