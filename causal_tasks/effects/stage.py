"""Stage ``measure``: the average effect of every treatment on every metric, over all analysed units."""

from causal_tasks.data.columns import outcome_columns, pre_window_columns
from causal_tasks.effects.averages import average_effects
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri


def measure(context: StageContext) -> dict[str, Uri]:
    """Write ``effects``; returns its address."""
    experiment = context.experiment
    users = context.read_table("prepare", "users", _columns(context))
    return {"effects": context.write_json("effects.json", average_effects(users, experiment))}


def _columns(context: StageContext) -> list[str]:
    experiment = context.experiment
    columns = ["arm"] + (["cluster"] if experiment.cluster else [])
    for metric in experiment.metrics:
        columns += outcome_columns(metric)
        if experiment.window.pre_days and not metric.is_ratio:
            columns += pre_window_columns(metric)
    return columns
