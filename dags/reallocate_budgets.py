"""Spends every standing order's budget anew each night, with models that earlier runs chose."""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, task
from causal_airflow.settings import Orchestration, Tag
from causal_airflow.wecom.notifier import WeComNotifier

DOC = """
### Today's budget on today's users

Each run looks at one day (UTC) and fills the active orders in `budgets/` of the lake: `budgets/<id>.json` names a run
of `allocate_budget`, a table of users (`{date}` in its address stands for the day) and a budget. Nothing is trained.
`allocations/<id>/<date>.parquet` says who gets which arm, `….json` beside it what that comes to. A day is filled once;
what is there is never replaced. For a period:

    airflow backfill create --dag-id reallocate_budgets --from-date 2026-10-01 --to-date 2026-10-31

#### Triage

- **`fill` skipped**: there is no order, or that one is paused.
- **One `fill` red at once**: its order, its run or its table is wrong; the end of the log names the remedy. The others
  are filled. Correct it, then clear the task.
- **`fill` red after retries with no message in its log**: killed, mostly for want of memory or disk.
- **A day has to be filled anew**: remove its two files, then clear the task.
- **`find` red**: the store does not answer, or the AWS connection is wrong. See its log, then clear it.
"""

with DAG(
    dag_id="reallocate_budgets",
    doc_md=DOC,
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=[Tag.BUDGETS],
    default_args=Orchestration().task_defaults(),
):

    @task(execution_timeout=timedelta(minutes=10))
    def find() -> list[str]:
        """List the orders."""
        from causal_airflow.settings import read_settings

        from causal_tasks.allocation.orders import standing_orders

        return standing_orders(read_settings())

    @task(
        pool="cpu",
        execution_timeout=timedelta(minutes=60),
        map_index_template="{{ task.op_kwargs['order'] }}",
        on_failure_callback=WeComNotifier("预算分配失败 reallocate_budgets: {{ run_id }} ({{ exception }})"),
    )
    def fill(order: str, data_interval_start=None) -> dict:
        """Spend one order's budget for the day with which the run's data interval begins."""
        from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
        from causal_airflow.settings import read_settings

        from causal_tasks.allocation.orders import fill_order
        from causal_tasks.pipelines.execution import FINAL

        if data_interval_start is None:
            raise AirflowFailException("this run has no data interval: give a logical date or create a backfill")
        try:
            filled = fill_order(order, f"{data_interval_start:%Y-%m-%d}", read_settings())
        except FINAL as error:
            raise AirflowFailException(str(error)) from error
        if filled is None:
            raise AirflowSkipException(f"order {order!r} is paused")
        return filled

    fill.expand(order=find())
