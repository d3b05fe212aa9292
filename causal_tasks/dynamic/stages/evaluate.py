"""Stage ``evaluate``: thresholds chosen on some users, and everything that is told measured on others."""

from typing import Any

import numpy as np

from causal_tasks.data.parts import DISCOVERY_BUCKETS, buckets
from causal_tasks.dynamic.day import DayContext
from causal_tasks.dynamic.day_models import TRAINING, DayModels
from causal_tasks.dynamic.day_policies import (
    CONTROL,
    DYNAMIC,
    ChosenPolicies,
    compared,
    told_differences,
    told_drift,
    told_policies,
    told_thresholds,
)
from causal_tasks.dynamic.day_responses import Arms, arms_by_period, told_guards, told_pareto, told_preference
from causal_tasks.dynamic.day_verdict import crossed_notes, crossed_share, verdict
from causal_tasks.dynamic.decision_log import DecisionLog, log_of_periods, log_of_requests
from causal_tasks.dynamic.periods import CHOOSE, MEASURE, Drawn, Periods, read_periods
from causal_tasks.dynamic.tables import FeedTables
from causal_tasks.errors import InputError
from causal_tasks.storage import Uri

FINDINGS = "findings"

PREFERENCE_ONLY = "preference_only"
"""Note of a feed without a table of requests."""

_TOLD_ELSEWHERE = frozenset({"known", "arms", "shares_p_value", "days", "notes", "without_features", "not_finished"})

_HELD_OUT = range(DISCOVERY_BUCKETS, 1000)


def evaluate(context: DayContext) -> dict[str, Uri]:
    """Write ``findings``: what the day's models and decision are worth to users whom nothing was learned from.

    Raises:
        InputError: Too few held-out users have periods or requests to tell, or a table is wrong.
    """
    feed, models = context.feed, DayModels.read(context)
    tables = FeedTables(feed, context.storage)
    drawn = Drawn.read(tables, context.date)
    periods = read_periods(tables, drawn, context.date, _HELD_OUT, features=models.features)
    counts: dict[str, int | float] | None = None
    if models.interest is None:
        log = log_of_periods(feed, periods, models)
    else:
        log, counts = log_of_requests(tables, drawn, context.date, models)
    learned = context.read_json("learn", TRAINING)
    findings = {
        **measured(context, log, periods, models, crossed=crossed_share(counts)),
        "coverage": coverage(context, log, periods, counts),
        "training": {
            "preference": {name: value for name, value in learned.items() if name not in _TOLD_ELSEWHERE},
            "interest": context.read_json("interest", TRAINING),
        },
    }
    return {FINDINGS: context.write_json("findings.json", findings)}


def measured(
    context: DayContext, log: DecisionLog, periods: Periods, models: DayModels, *, crossed: float
) -> dict[str, Any]:
    """Everything that is told of policies and responses, and the verdict.

    Args:
        context: Of the stage.
        log: Of all held-out users.
        periods: Of all held-out users.
        models: Learned on the others.
        crossed: See ``crossed_share``.
    """
    feed = context.feed
    choosing, measuring = log.of(CHOOSE), log.of(MEASURE)
    _require_rows(choosing, "thresholds are chosen", context)
    _require_rows(measuring, "values are measured", context)
    chosen = ChosenPolicies.of(choosing, feed)
    decided = chosen.decided(measuring)
    found = compared(measuring, decided, feed)
    differences = told_differences(found)
    of_measuring = periods.of(np.isin(buckets(periods.users, feed.feed_id), list(MEASURE)))
    predicted = models.predicted(of_measuring.X)
    if log.interest is None:
        arms: Arms = chosen.decisions[DYNAMIC].decide(predicted.combined, None, predicted.allowed)
    else:
        arms = arms_by_period(of_measuring, measuring, decided[DYNAMIC], feed)
    guards = told_guards(of_measuring, arms, feed)
    learned = context.read_json("learn", TRAINING)
    effect = differences[f"{DYNAMIC}_vs_{CONTROL}"]
    said = verdict(effect, guards, found.notes, learned["shares_p_value"], crossed)
    alone = [PREFERENCE_ONLY] if log.interest is None else []
    ranked, unranked = told_preference(of_measuring, predicted, feed)
    return {
        "measured_by": "period" if log.interest is None else "request",
        "verdict": {"code": said.code, "reasons": list(said.reasons)},
        "policies": told_policies(found, decided, chosen),
        "differences": differences,
        "thresholds": told_thresholds(chosen, measuring),
        "guards": guards,
        "drift": told_drift(chosen, measuring),
        "pareto": told_pareto(periods, models.predicted(periods.X), feed),
        "preference": ranked,
        "notes": [*alone, *learned["notes"], *crossed_notes(crossed), *found.notes, *unranked],
    }


def coverage(
    context: DayContext, log: DecisionLog, periods: Periods, requests: dict[str, int | float] | None
) -> dict[str, Any]:
    """Days, periods, requests and users behind the numbers."""
    learned, interest = context.read_json("learn", TRAINING), context.read_json("interest", TRAINING)
    users = {part: len(np.unique(log.of(of).users)) for part, of in (("threshold", CHOOSE), ("measured", MEASURE))}
    first, last = learned["days"]
    told = None
    if requests is not None:
        told = requests | {
            "learned": interest["requests"],
            "threshold": len(log.of(CHOOSE)),
            "measured": len(log.of(MEASURE)),
        }
    return {
        "days": {"first": first, "last": last},
        "periods": {
            "first": str(periods.date.min()),
            "last": str(periods.date.max()),
            "learned": learned["periods"],
            "held_out": len(periods),
            "not_finished": learned["not_finished"] + periods.not_finished,
            "without_features": learned["without_features"] + periods.without_features,
        },
        "requests": told,
        "users": {"learned": learned["users"], **users, "scored": context.read_json("score", "scored")["users"]},
        "arms": learned["arms"],
        "shares_p_value": learned["shares_p_value"],
    }


def _require_rows(log: DecisionLog, what: str, context: DayContext) -> None:
    """Raises InputError where nothing is left of a part."""
    if not len(log):
        raise InputError(
            f"there is no request or finished period before {context.date} of the users on whom {what}",
            remedy="score a larger feed, or a later day",
        )
