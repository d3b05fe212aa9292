"""The last task of a run: tells the group what was found, or what failed."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperator, BaseXCom, Context, TaskInstanceState, conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from causal_airflow.settings import read_settings
from causal_airflow.stage_task import FAILURE_KEY, PRESENTATION_KEY, pull, reopened, results_of
from causal_airflow.wecom.delivery import State, deliver, send_patiently
from causal_airflow.wecom.hook import MessageRefusedError, WeComRobotHook
from causal_tasks.errors import ConfigurationError, InputError, StorageError
from causal_tasks.experiment import Delivery
from causal_tasks.pipelines import PIPELINES, Pipeline, Stage
from causal_tasks.pipelines.execution import StageResult
from causal_tasks.report.message import failure_message
from causal_tasks.report.result import result_digest
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri, digest_of

Failures = dict[str, dict[str, Any] | None]
"""Failure records by ``stage[/item]``; None where a killed task left none."""


def notify_task(pipeline: Pipeline, tasks: Mapping[str, BaseOperator]) -> BaseOperator:
    """The task that tells the group, after all others and whatever became of them.

    It is a teardown: an ordinary last task that runs after failures would paint a failed run green, and one that
    fails itself would paint a good run red.
    """
    task = NotifyOperator(
        task_id="notify",
        pipeline=pipeline.name,
        pool="wecom",
        execution_timeout=timedelta(minutes=15),
    )
    task.set_upstream([tasks[stage.name] for stage in pipeline.stages])
    task.as_teardown()
    return task


class NotifyOperator(BaseOperator):
    """Sends the result of a run to its group, or the failures where there is no result."""

    ui_color = "#e9f7ef"

    def __init__(self, *, pipeline: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline

    def execute(self, context: Context) -> list[State]:
        """Send the message; returns how each of its parts stands.

        Raises:
            AirflowSkipException: Nobody wants a message, or there is nothing to tell.
            AirflowFailException: The robot, its connection or the message is wrong.
            RobotError: The robot did not take it; it is tried again.
        """
        if not context["params"]["notify"]:
            raise AirflowSkipException("this run was started with notify off")
        pipeline = PIPELINES[self.pipeline]
        try:
            settings = read_settings()
            if finished := results_of(context, pipeline.stages[-1].name):
                return _send_result(pipeline, finished[0], context, settings)
            if failures := failures_of(pipeline, context):
                return self._send_failures(pipeline, failures, context, settings)
        except (InputError, ConfigurationError, MessageRefusedError) as error:
            raise AirflowFailException(str(error)) from error
        raise AirflowSkipException("there is nothing to tell: no result and no failure")

    def _send_failures(
        self, pipeline: Pipeline, failures: Failures, context: Context, settings: Settings
    ) -> list[State]:
        name, delivery = _addressee(pipeline, context)
        hook = WeComRobotHook(delivery.wecom)
        message = failure_message(name, failures, delivery.languages[0], _run_page(context))
        digest = digest_of({"pipeline": pipeline.name, "run": context["run_id"], "failures": failures})
        claim = f"{settings.lake}/notify/failures/{digest}.json"
        try:
            return deliver([message], claim=claim, dag_run=context["run_id"], storage=Storage(settings), send=hook.send)
        except (StorageError, ConfigurationError) as error:
            # nothing was sent yet, and a store that takes no claim may be the very thing to tell
            self.log.warning("sent without a claim: %s", error)
            send_patiently(message, hook.send)
            return ["sent"]


def _send_result(pipeline: Pipeline, finished: StageResult, context: Context, settings: Settings) -> list[State]:
    run = reopened(pipeline, [finished], context, settings)
    outputs = run.read_manifest(finished.manifest).outputs
    result = json.loads(run.storage.read_bytes(f"{run.uri}/{outputs['result'].path}"))
    picture = run.storage.read_bytes(f"{run.uri}/{outputs['picture'].path}") if "picture" in outputs else None
    digest = result_digest(result)
    claims = f"{run.uri}/{pipeline.claims}"
    messages = pipeline.tell()(
        result,
        run.experiment.delivery.languages[0],
        run.storage.presigned_url(f"{run.uri}/{pipeline.published('report')}", hours=settings.link_hours),
        updated=_told_otherwise(run.storage, claims, digest),
        picture=picture,
    )
    return deliver(
        messages,
        claim=f"{claims}/{digest}.json",
        dag_run=context["run_id"],
        storage=run.storage,
        send=WeComRobotHook(run.experiment.delivery.wecom).send,
    )


def _told_otherwise(storage: Storage, claims: Uri, digest: str) -> bool:
    """Whether the group has heard of another result of this revision."""
    told = storage.list_files(claims, suffix=".json", hash_local=False)
    return any(not claim.path.startswith(digest) for claim in told)


def failures_of(pipeline: Pipeline, context: Context) -> Failures:
    """Why each failed stage instance of this run failed, in the pipeline's order."""
    ti: Any = context["ti"]
    crumbs = ti.get_task_breadcrumbs(dag_id=ti.dag_id, run_id=context["run_id"])
    failed = [(crumb["task_id"], crumb["map_index"]) for crumb in crumbs if crumb["state"] == TaskInstanceState.FAILED]
    failures: Failures = {}
    for stage in pipeline.stages:
        if map_indexes := [index for task_id, index in failed if task_id == stage.name]:
            failures |= _failures_of_stage(stage, map_indexes, context)
    return failures


def _failures_of_stage(stage: Stage, map_indexes: Sequence[int], context: Context) -> Failures:
    records = {record["item"]: record for pushed in pull(context, stage.name, FAILURE_KEY) for record in pushed}
    if not stage.over or map_indexes == [-1]:
        return {stage.name: records.get(None)}
    finished = {result.item for result in results_of(context, stage.name)}
    (batches,) = pull(context, stage.over, BaseXCom.XCOM_RETURN_KEY)
    items = [item for index in map_indexes for item in batches[index] if item not in finished]
    return {f"{stage.name}/{item}": records.get(item) for item in items}


def _addressee(pipeline: Pipeline, context: Context) -> tuple[str, Delivery]:
    """What a failed run is called, and who is told: by default where its experiment could not even be read."""
    params = context["params"]
    for presentation in pull(context, pipeline.stages[0].name, PRESENTATION_KEY):
        return presentation["name"] or params["experiment"], Delivery.model_validate(presentation["delivery"])
    languages = {"languages": params["languages"]} if params.get("languages") else {}
    return params["experiment"], Delivery.model_validate(languages)


def _run_page(context: Context) -> str:
    base = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    return f"{base}/dags/{context['ti'].dag_id}/runs/{quote(context['run_id'])}"
