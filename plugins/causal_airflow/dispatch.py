"""Starts mining runs, each once: the run id decides, and Airflow refuses a second run of the same id."""

from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

from causal_tasks.pipelines.mine import MINE


def start_runs(triggers: Any) -> Any:
    """The task ``start``: one instance, called by its run id, for each set of arguments that another task returns.

    Args:
        triggers: What a task returned that lists experiments by ``causal_airflow.experiments``.

    Returns:
        A mapped operator; its instances are skipped where their run exists.
    """
    return TriggerDagRunOperator.partial(
        task_id="start",
        trigger_dag_id=MINE.name,
        logical_date=None,
        skip_when_already_exists=True,
        map_index_template="{{ task.trigger_run_id }}",
    ).expand_kwargs(triggers)
