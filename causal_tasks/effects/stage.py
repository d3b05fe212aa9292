"""Stage ``measure``: the average effect of every treatment on every metric, over all analysed units."""

from typing import Any

from causal_tasks.data.columns import outcome_columns, pre_window_columns
from causal_tasks.data.periods import Period
from causal_tasks.effects.averages import average_effects
from causal_tasks.effects.changes import Change, changes_over_start, with_changes
from causal_tasks.effects.matched_averages import with_matching
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri


def measure(context: StageContext) -> dict[str, Uri]:
    """Write ``effects`` and ``did``; returns their addresses."""
    changes = _changes(context)
    effects = with_changes(_effects(context), changes, differed=_differed_before(context))
    if not context.experiment.randomized:
        effects = _matched(context, effects)
    return {
        "effects": context.write_json("effects.json", effects),
        "did": context.write_json("did.json", [change.to_dict() for change in changes]),
    }


def _effects(context: StageContext) -> list[dict[str, Any]]:
    """Average effects by comparing outcomes after exposure."""
    features = context.read_json("validate", "features")["used"]
    users = context.read_table("prepare", "users", [*_columns(context), *features])
    return average_effects(users, context.experiment, features, n_jobs=context.settings.threads)


def _changes(context: StageContext) -> list[Change]:
    """Differences in differences; the users are read for them alone, so that features do not lie beside periods."""
    periods = [Period(**period) for period in context.read_json("prepare", "profile")["periods"]]
    users = context.read_table("prepare", "users", [*_columns(context), *(period.column for period in periods)])
    return changes_over_start(users, context.experiment, periods)


def _matched(context: StageContext, effects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Effects headlined by comparing users of like propensity."""
    users = context.read_table("prepare", "users", _columns(context))
    buckets = {arm: record["buckets"] for arm, record in context.read_json("validate", "balance").items()}
    return with_matching(effects, users, context.read_table("validate", "propensity"), buckets, context.experiment)


def _differed_before(context: StageContext) -> set[str]:
    """Metrics in which arms that were drawn at random differed before exposure; matched ones have a placebo instead."""
    if not context.experiment.randomized:
        return set()
    checks = context.read_json("validate", "checks")
    return {check["subject"] for check in checks if check["code"] == "pre_period" and check["status"] != "pass"}


def _columns(context: StageContext) -> list[str]:
    experiment = context.experiment
    columns = ["arm"] + (["cluster"] if experiment.cluster else [])
    for metric in experiment.metrics:
        columns += outcome_columns(metric)
        if experiment.window.pre_days:
            columns += pre_window_columns(metric)
    return columns
