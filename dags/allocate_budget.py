"""Spends a budget on one experiment: who gets which arm, by the method that does it best."""

from airflow.sdk import DAG, Param
from causal_airflow.notify_task import notify_task
from causal_airflow.params import DELIVERY, EXPERIMENT, revision
from causal_airflow.settings import Orchestration, Tag
from causal_airflow.stage_task import stage_task

from causal_tasks.pipelines.allocate import ALLOCATE

DOC = """
### Who should get which arm?

Reads one finished experiment whose arms cost money, fits the methods that its `budgeting` names, takes a
decision-focused one only if it beats the best two-stage one beyond noise, measures on users nobody has seen what that
brings at every budget, and writes who gets which arm. The report is in
`runs/<experiment_id>/r<revision>/allocation.html`; the group gets a message.

Start it with **Trigger** and an experiment id. Budgets, methods, prices and logs may differ from what the experiment
states, also within one revision: what was prepared and checked for mining is adopted.

#### Triage

- **Green, and the message says that targeting is not shown to pay**: a verdict, not a fault. Read the report.
- **`fit` and later tasks skipped**: the experiment failed its checks; the report says which.
- **One `fit` red, the run green**: a method in it failed, all others carry the result; the log names it. Clear the
  task to try again: only what is missing is fitted.
- **`plan` red at once**: budgets, prices or logs do not fit the data, or arms were not randomised. The end of the log
  names the value and the remedy. Correct the experiment file or the params and start a new run; no revision is needed.
- **Another task red at once**: the experiment file or a table is wrong, as in `mine_subpopulations`.
- **A task red after retries with no message in its log**: killed, mostly for want of memory. Give it more, then clear.
- **`notify` red, the run green**: the robot did not take the message. Check connection, host and key, then clear it.

Clearing is always safe: committed stages are adopted, not run again.
"""

with DAG(
    dag_id=ALLOCATE.name,
    doc_md=DOC,
    schedule=None,
    catchup=False,
    tags=[Tag.BUDGETS],
    default_args=Orchestration().task_defaults(),
    params={
        **EXPERIMENT,
        **revision(),
        "budgets": Param(
            None,
            type=["array", "null"],
            items={"type": "number", "exclusiveMinimum": 0},
            minItems=1,
            uniqueItems=True,
            title="Budgets",
            description="Per user, on average; empty: as the experiment states",
        ),
        "methods": Param(
            None,
            type=["array", "null"],
            items={"type": "string"},
            minItems=1,
            uniqueItems=True,
            title="Methods",
            description="To compare; empty: as the experiment states",
        ),
        "prices": Param(
            None,
            type=["object", "null"],
            additionalProperties={"type": "number", "minimum": 0},
            title="Prices",
            description="By arm, what it costs for every user; arms not named are free; empty: as stated",
        ),
        "logs": Param(
            None,
            type=["string", "null"],
            minLength=1,
            title="Logs",
            description="Address of a table of users whose arms were not drawn at random; empty: as stated",
        ),
        **DELIVERY,
    },
):
    tasks = {}
    for stage in ALLOCATE.stages:
        tasks[stage.name] = stage_task(ALLOCATE, stage, tasks)
    notify_task(ALLOCATE, tasks)
