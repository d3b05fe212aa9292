"""Starts a mining run for every experiment that has finished and settled."""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task
from causal_airflow.dispatch import start_runs
from causal_airflow.settings import Orchestration, Tag

DOC = """
### What is ready to be mined?

Every five minutes: lists `experiments/` in the lake, keeps the experiments that are finished, whose late data has
settled (`ended_at + settle_hours`) and that have no run folder yet, and starts `mine_subpopulations` for each, oldest
first, at most 500 a round. The run id is `<experiment_id>.r<revision>`, so nothing is ever started twice.

A file that cannot be read as an experiment starts one run named `<file>.invalid-<digest>`, which turns red and tells
the group what is wrong with the file. Correct the file and the next round picks it up.

#### Triage

- **A finished experiment is not started**: it has not settled, or it has a run folder. Look at `ended_at` and
  `settle_hours`, or raise `revision`.
- **A failed run is not started again**: a person has to look first. Clear its red tasks.
- **`start` skipped**: nothing is ready, or those runs exist.
- **`find` red**: the store does not answer, or the AWS connection is wrong; the next round tries again.
"""

with DAG(
    dag_id="watch_experiments",
    doc_md=DOC,
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=[Tag.DISPATCH],
    default_args=Orchestration().task_defaults() | {"execution_timeout": timedelta(minutes=10)},
):

    @task
    def find() -> list[dict]:
        """List the experiments to mine."""
        from datetime import UTC, datetime

        from causal_airflow.experiments import unmined_experiments
        from causal_airflow.settings import read_settings

        return unmined_experiments(read_settings(), now=datetime.now(UTC))

    start_runs(find())
