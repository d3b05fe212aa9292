"""What a day's models and decision mean for each response, on periods of users whom nothing was learned from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.dynamic.day_policies import CONTROL, DYNAMIC, shares_of
from causal_tasks.dynamic.decision_log import DecisionLog, positions
from causal_tasks.dynamic.pareto import pareto_table, weightings
from causal_tasks.dynamic.periods import Periods
from causal_tasks.dynamic.policy_values import request_policy_values
from causal_tasks.dynamic.responses import Preferences
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc_interval, published_scores
from causal_tasks.feed import Feed, Response

Positions = NDArray[np.intp]
Shares = NDArray[np.float64]
Mask = NDArray[np.bool_]
Arms = Positions | Shares


NO_PUBLISHED_SCORES = "no_published_scores"
"""Note, before the key of a response of 0 and 1: too few users tell for scores by scikit-uplift's definitions."""


def told_preference(periods: Periods, predicted: Preferences, feed: Feed) -> tuple[list[dict[str, Any]], list[str]]:
    """How well the preference of every response and treatment ranks users, and the treatment's average effect.

    For a response of 0 and 1 scores by scikit-uplift's definitions are told too, with those of random rankings.

    Returns:
        A row per response and treatment, and notes.
    """
    notes: list[str] = []
    rows = []
    for response in feed.responses:
        outcomes = periods.outcomes[response.key]
        for column, treatment in enumerate(feed.treatments, start=1):
            pair = np.isfinite(outcomes) & np.isin(periods.arm, [feed.control, treatment])
            outcome, treated = outcomes[pair], (periods.arm[pair] == treatment).astype(np.intp)
            by_arm = predicted.by_response[response.key][pair].astype(np.float64)
            uplift = by_arm[:, column] - by_arm[:, 0]
            users = periods.users[pair].to_numpy()
            share = feed.propensity[treatment]
            drawn = np.array([feed.propensity[feed.control], share]) / (feed.propensity[feed.control] + share)
            effect = request_policy_values(
                outcome,
                treated,
                {CONTROL: np.zeros_like(treated), "treatment": np.ones_like(treated)},
                propensity=drawn,
                baseline=CONTROL,
                users=users,
            ).difference("treatment")
            rows.append(
                {
                    "response": response.key,
                    "treatment": treatment,
                    "auuc": auuc_interval(outcome, uplift, treated, clusters=users).to_dict(),
                    "effect": effect.model_dump(mode="json"),
                    "published": _published(outcome, uplift, treated),
                }
            )
            if rows[-1]["published"] is None and _is_binary(outcome):
                notes.append(f"{NO_PUBLISHED_SCORES}:{response.key}")
    return rows, list(dict.fromkeys(notes))


def _is_binary(outcome: NDArray[np.float64]) -> bool:
    return bool(np.isin(outcome, (0.0, 1.0)).all())


def _published(
    outcome: NDArray[np.float64], uplift: NDArray[np.float64], treated: NDArray[np.intp]
) -> dict[str, Any] | None:
    """Scores by scikit-uplift's definitions; None where they are not defined: one figure must not fail the day."""
    if not _is_binary(outcome):
        return None
    try:
        return published_scores(outcome, uplift, treated).to_dict()
    except InputError:
        return None


def arms_by_period(periods: Periods, log: DecisionLog, decided: Positions, feed: Feed) -> Shares:
    """Share of each arm among the decisions of a period's requests, shape (periods, K + 1); control where it has none.

    Args:
        periods: Of the users in ``log``.
        log: Requests.
        decided: Position of the arm of each request.
        feed: States how long responses take.
    """
    longest = max(response.days for response in feed.responses)
    asked = pd.DataFrame({"user": log.users, "date": log.date, "arm": decided}).sort_values("date", kind="stable")
    begun = pd.DataFrame(
        {"user": periods.users.to_numpy(), "date": periods.date, "period": np.arange(len(periods))}
    ).sort_values("date", kind="stable")
    matched = pd.merge_asof(
        asked, begun, on="date", by="user", tolerance=pd.Timedelta(days=longest - 1), direction="backward"
    ).dropna(subset="period")
    counts = np.zeros((len(periods), len(feed.arms)))
    np.add.at(counts, (matched["period"].to_numpy(dtype=np.intp), matched["arm"].to_numpy(dtype=np.intp)), 1)
    counts[counts.sum(axis=1) == 0, 0] = 1
    shares: Shares = counts / counts.sum(axis=1, keepdims=True)
    return shares


def told_guards(periods: Periods, decided: Arms, feed: Feed) -> list[dict[str, Any]]:
    """What the decision does to every guarded response, per period.

    A guard is broken where the response is shown to fall by more than is tolerated, and shown to be kept where it is
    shown not to.

    Args:
        periods: Of users who measure.
        decided: Arms that the decision gives in each period, or their shares.
        feed: States guards.
    """
    return [_guard(response, periods, decided, feed) for response in feed.responses if response.guarded]


def _guard(response: Response, periods: Periods, decided: Arms, feed: Feed) -> dict[str, Any]:
    outcomes = periods.outcomes[response.key]
    over = np.isfinite(outcomes)
    arm = positions(periods.arm[over], feed)
    found = request_policy_values(
        outcomes[over],
        arm,
        {CONTROL: np.zeros_like(arm), DYNAMIC: decided[over]},
        propensity=shares_of(feed),
        baseline=CONTROL,
        users=periods.users.to_numpy()[over],
    )
    difference, control = found.difference(DYNAMIC), found.values[CONTROL].value.estimate
    largest_fall = response.tolerance * control
    return {
        "response": response.key,
        "difference": difference.model_dump(mode="json"),
        "control_mean": control,
        "tolerance": response.tolerance,
        "largest_fall": largest_fall,
        "kept": difference.interval[1] >= -largest_fall,
        "shown": difference.interval[0] >= -largest_fall,
    }


def told_pareto(periods: Periods, predicted: Preferences, feed: Feed) -> dict[str, Any] | None:
    """What other weights of the responses would bring in each, by preference alone; None where one response counts.

    The first row has the weights that the feed states; see ``pareto_table`` for the others.
    """
    counted = [response for response in feed.responses if response.weight or response.guarded]
    over = np.isfinite(np.stack([periods.outcomes[response.key] for response in counted])).all(axis=0)
    in_control = over & (periods.arm == feed.control)
    scale = {response.key: float(periods.outcomes[response.key][in_control].mean()) for response in counted}
    if len(counted) < 2 or not all(mean > 0 for mean in scale.values()):
        return None
    stated = {response.key: response.weight for response in counted}
    weights = [stated, *weightings(scale)]
    table = pareto_table(
        {key: periods.outcomes[key][over] for key in scale},
        positions(periods.arm[over], feed),
        {key: predicted.by_response[key][over] for key in scale},
        None,
        weights,
        users=periods.users.to_numpy()[over],
        propensity=shares_of(feed),
        guards={response.key: response.tolerance for response in counted if response.guarded},
        grid=25,
    )
    return {
        "responses": list(scale),
        "rows": [_weighting(table[table["weighting"] == at], one, stated=at == 0) for at, one in enumerate(weights)],
    }


def _weighting(rows: pd.DataFrame, weights: Mapping[str, float], *, stated: bool) -> dict[str, Any]:
    kept = [bool(row) for row in rows["guard_kept"] if row is not None]
    return {
        "weights": dict(weights),
        "stated": stated,
        "switched_share": float(rows["switched_share"].iloc[0]),
        "values": {
            row["response"]: {"estimate": row["value"], "interval": [row["low"], row["high"]]}
            for row in rows.to_dict("records")
        },
        "changes": {
            row["response"]: {"estimate": row["change"], "interval": [row["change_low"], row["change_high"]]}
            for row in rows.to_dict("records")
        },
        "dominated": bool(rows["dominated"].iloc[0]),
        "guards_kept": all(kept) if kept else None,
    }
