"""Mines one experiment: from three tables to subpopulations, a report and a message."""

from airflow.sdk import DAG
from causal_airflow.notify_task import notify_task
from causal_airflow.params import DELIVERY, EXPERIMENT, revision
from causal_airflow.settings import Orchestration, Tag
from causal_airflow.stage_task import stage_task

from causal_tasks.pipelines.mine import MINE

DOC = """
### For whom did the strategy work?

Reads one finished experiment and its tables from the lake, checks whether it can be trusted, measures the average
effect, trains uplift models, and mines subpopulations that respond better or worse than the rest. The report is in
`runs/<experiment_id>/r<revision>/report.html`; the group gets a message.

Start it with **Trigger** and an experiment id, or let `watch_experiments` do so. Give the run the id
`<experiment_id>.r<revision>` and Airflow refuses to start it twice. What is analysed, and how, is in the experiment
file; to mine the same experiment again, raise its `revision`.

#### Triage

- **Green, and the message says "invalid" or "nothing found"**: a verdict about the experiment, not a fault. Read the
  report.
- **`train` and later tasks skipped**: mining makes no sense here; the report's checks say why.
- **One `train` red, the run green**: a candidate in it failed, all others carry the result, also those that shared
  its task; the log names it. Clear the task to try again: only what is missing is trained.
- **A `replicate` red, the run green**: a placebo or another seed is missing, and the report says so.
- **A task red at once**: the experiment file or a table is wrong. The end of the log names column, value and remedy;
  correct it, then clear the task. Where the run folder holds an `experiment.json` already, a corrected experiment
  needs a higher `revision`, and the watcher starts its run.
- **A task red after retries with no message in its log**: killed, mostly for want of memory. Give it more, take slots
  from pool `cpu` or raise `CAUSAL_SLICES`; then clear it.
- **Tasks scheduled and never queued**: a pool does not exist. Import `docker/pools.json`.
- **`notify` red, the run green**: the robot did not take the message. Check connection, host and key, then clear
  `notify`: nothing is sent twice.
- **`notify` returned "ambiguous"**: WeCom's answer got lost. Look into the group; it is not sent again.

Clearing is always safe: committed stages are adopted, not run again.
"""

with DAG(
    dag_id=MINE.name,
    doc_md=DOC,
    schedule=None,
    catchup=False,
    tags=[Tag.MINING],
    default_args=Orchestration().task_defaults(),
    params={
        **EXPERIMENT,
        **revision("Raise it to mine the same experiment anew; empty: as the experiment states"),
        **DELIVERY,
    },
):
    tasks = {}
    for stage in MINE.stages:
        tasks[stage.name] = stage_task(MINE, stage, tasks)
    notify_task(MINE, tasks)
