"""Starts mining runs for the experiments that ended within a period."""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, task
from causal_airflow.dispatch import start_runs
from causal_airflow.settings import Orchestration, Tag
from causal_airflow.wecom.notifier import WeComNotifier

DOC = """
### Mine what a period left unmined

Each run looks at one day (UTC) and starts `mine_subpopulations` for the ready experiments whose `ended_at` lies in
it. Experiments that have a run are skipped. For a longer period:

    airflow backfill create --dag-id backfill_experiments --from-date 2026-10-01 --to-date 2026-10-31

To mine an experiment again that has been mined, raise its `revision`; repeating a backfill never does.

#### Triage

- **`start` skipped**: nothing ended that day, nothing has settled, or those runs exist.
- **`find` red with "no data interval"**: it was triggered without a date. Give one, or create a backfill.
- **`find` red otherwise**: the store does not answer, or the AWS connection is wrong. See its log, then clear it.
"""

with DAG(
    dag_id="backfill_experiments",
    doc_md=DOC,
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=[Tag.DISPATCH],
    default_args=Orchestration().task_defaults() | {"execution_timeout": timedelta(minutes=10)},
):

    @task(
        on_failure_callback=WeComNotifier(
            "补跑检查失败 backfill_experiments: {{ run_id }} ({{ exception }})",
        )
    )
    def find(data_interval_start=None, data_interval_end=None) -> list[dict]:
        """List the experiments that ended within the run's data interval."""
        from datetime import UTC, datetime

        from airflow.sdk.exceptions import AirflowFailException
        from causal_airflow.experiments import experiments_ended_between
        from causal_airflow.settings import read_settings

        if data_interval_start is None or data_interval_end is None:
            raise AirflowFailException("this run has no data interval: give a logical date or create a backfill")
        return experiments_ended_between(read_settings(), data_interval_start, data_interval_end, now=datetime.now(UTC))

    start_runs(find())
