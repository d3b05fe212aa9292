"""Learns segments from one experiment: who responds to which kind of message, and whether choosing by that pays."""

from airflow.sdk import DAG
from causal_airflow.notify_task import notify_task
from causal_airflow.params import DELIVERY, EXPERIMENT, revision
from causal_airflow.settings import Orchestration, Tag
from causal_airflow.stage_task import stage_task

from causal_tasks.pipelines.segment import SEGMENT

DOC = """
### Who responds to what kind of message?

Reads one finished experiment whose arms are messages, each made for a segment that its `segmenting` names, learns what
the messages of a segment have in common and whom they speak to, assigns every user to a segment, and measures on users
nobody has learned from whether that brings more than the best single message and more than a model for each message.
The report is in `runs/<experiment_id>/r<revision>/segments.html`; the group gets a message.

Start it with **Trigger** and an experiment id. `segmenting` may change within one revision: what was prepared and
checked for mining is adopted.

#### Triage

- **Green, and the message says that nothing was found or that one message is as good**: a verdict, not a fault. Read
  the report.
- **`learn_segments` and later tasks skipped**: the experiment failed its checks; the report says which.
- **`plan_segments` red at once**: arms were not randomised, `segmenting` is missing or does not fit the data. The end
  of the log names the value and the remedy. Correct the experiment file and start a new run; no revision is needed.
- **`learn_segments` red at once**: its log names the creative or the feature, and the remedy. Clear it when mended.
- **Another task red at once**: the experiment file or a table is wrong, as in `mine_subpopulations`.
- **A task red after retries with no message in its log**: killed, mostly for want of memory. Give it more, then clear.
- **`notify` red, the run green**: the robot did not take the message. Check connection, host and key, then clear it.

Clearing is always safe: committed stages are adopted, not run again.
"""

with DAG(
    dag_id=SEGMENT.name,
    doc_md=DOC,
    schedule=None,
    catchup=False,
    tags=[Tag.SEGMENTS],
    default_args=Orchestration().task_defaults(),
    params={
        **EXPERIMENT,
        **revision(),
        **DELIVERY,
    },
):
    tasks = {}
    for stage in SEGMENT.stages:
        tasks[stage.name] = stage_task(SEGMENT, stage, tasks)
    notify_task(SEGMENT, tasks)
