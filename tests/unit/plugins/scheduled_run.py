"""A run of the small pipeline whose order Airflow's own scheduler decides, on a database of its own."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskmap import TaskMap
from airflow.sdk import DAG, BaseOperator
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from causal_airflow.notify_task import notify_task
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from tests.unit.plugins.airflow_run import AirflowRun
from tests.unit.plugins.small_pipeline import SMALL
from tests.unit.plugins.small_run import operator, wire


@contextmanager
def database() -> Iterator[Session]:
    """An empty Airflow database in memory."""
    import_all_models()
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def scheduled(run: AirflowRun, session: Session) -> tuple[str, dict[str, str]]:
    """Take a run to its end; returns its state, and that of each task instance as ``task`` or ``task[index]``."""
    dag_run = _created(run, session)
    while dag_run.state not in (DagRunState.SUCCESS, DagRunState.FAILED):
        waiting, _ = dag_run.update_state(session=session, execute_callbacks=False)
        for instance in waiting:
            _execute(run, instance, session)
        session.commit()
    states = {
        instance.task_id if instance.map_index < 0 else f"{instance.task_id}[{instance.map_index}]": str(instance.state)
        for instance in dag_run.get_task_instances(session=session)
    }
    return str(dag_run.state), states


def _created(run: AirflowRun, session: Session) -> DagRun:
    with DAG("small", schedule=None, params=run.params) as dag:
        tasks = wire(SMALL)
        notify_task(SMALL, tasks)
    session.add(DagBundleModel(name="tests"))
    session.flush()
    lazy = LazyDeserializedDAG.from_dag(dag)
    SerializedDAG.bulk_write_to_db("tests", None, [lazy], session=session)
    SerializedDagModel.write_dag(lazy, bundle_name="tests", session=session)
    session.commit()
    scheduler_dag = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    return scheduler_dag.create_dagrun(
        run_id=run.run_id,
        run_after=datetime.now(UTC),
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.TEST,
        state=DagRunState.RUNNING,
        session=session,
    )


def _execute(run: AirflowRun, instance: Any, session: Session) -> None:
    """What a worker does: run the task, say how it ended and how many instances come of its value."""
    if instance.task_id == "notify":
        instance.state = "success"
        return
    value = None
    with suppress(Exception):
        value = run.execute(_task(run, instance), instance.map_index)
    instance.state = run.states[instance.task_id, instance.map_index]
    if isinstance(value, list):
        session.add(TaskMap.from_task_instance_xcom(instance, value))


def _task(run: AirflowRun, instance: Any) -> BaseOperator:
    over = SMALL[instance.task_id].over
    batch = run.xcoms[over, -1, "return_value"][instance.map_index] if over else []
    return operator(instance.task_id, *batch)
