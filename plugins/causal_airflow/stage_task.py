"""Turns a declared stage into an Airflow task.

Between tasks travel addresses only: the run folder's and the manifests'. What decides the work is in the run folder,
so a task that runs again, or in another run of the same experiment, adopts what has been committed.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context, TriggerRule, XComArg
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, AirflowTaskTimeout

from causal_airflow.graph import direct_inputs, trigger_rule
from causal_airflow.results import event_of, results_of_pipeline
from causal_airflow.runners import runner, stop_children
from causal_airflow.settings import Orchestration, read_settings
from causal_tasks.errors import InputError
from causal_tasks.experiment import NOT_SEMANTIC, Experiment
from causal_tasks.pipelines import PIPELINES, Pipeline, Stage
from causal_tasks.pipelines.batches import batches
from causal_tasks.pipelines.execution import (
    FINAL,
    Outcome,
    Progress,
    StageResult,
    decisive_error,
    load_experiment,
    require_ready,
)
from causal_tasks.run_folder import Failure, RunFolder
from causal_tasks.settings import Settings

log = logging.getLogger(__name__)

RESULT_KEY = "stage"
"""XCom key under which a task pushes a list of the :class:`StageResult` of every item that it has finished so far."""

FAILURE_KEY = "failure"
"""XCom key under which a failed try pushes a list of the :class:`Failure` of every item that failed."""

PRESENTATION_KEY = "presentation"
"""XCom key under which the first stage pushes what may differ between runs of one revision, such as delivery."""

_LABEL = "{{ task.items | join(', ') | truncate(200) }}"
"""How a mapped instance is called; Airflow's database takes 250 characters."""


def stage_task(pipeline: Pipeline, stage: Stage, tasks: Mapping[str, BaseOperator]) -> Any:
    """The task of a stage, wired to the tasks that it waits for.

    Args:
        pipeline: One of ``causal_tasks.pipelines.PIPELINES``.
        stage: One of its stages.
        tasks: The tasks of the stages before it, by name.

    Returns:
        An operator, mapped where the stage is.
    """
    arguments: dict[str, Any] = {
        "task_id": stage.name,
        "pipeline": pipeline.name,
        "trigger_rule": trigger_rule(pipeline, stage),
        **placement(stage),
    }
    if stage is pipeline.stages[-1] and (asset := results_of_pipeline(pipeline)):
        arguments["outlets"] = [asset]
    if stage.over:
        mapped = StageOperator.partial(map_index_template=_LABEL, **arguments)
        task: Any = mapped.expand(items=XComArg(tasks[stage.over]))
    else:
        task = StageOperator(**arguments)
    task.set_upstream([tasks[name] for name in direct_inputs(pipeline, stage)])
    return task


def placement(stage: Stage) -> dict[str, Any]:
    """Arguments of an operator that say where a stage runs, and for how long at most."""
    limits = {"execution_timeout": timedelta(minutes=stage.resources.minutes)}
    if stage.resources.gpu and Settings().device == "cuda":
        return limits | {"pool": "gpu", "queue": "gpu"}
    return limits | {"pool": "cpu"}


class StageOperator(BaseOperator):
    """Runs a stage, named by the task id, for one or several items, and hands on where their manifests are.

    The task's return value is what other stages are mapped over: batches of items. Its time limit is for each item.
    """

    template_fields: Sequence[str] = ("items",)
    ui_color = "#e8f1fa"

    def __init__(self, *, pipeline: str, items: Sequence[str | None] = (None,), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.items = items
        if self.execution_timeout:
            self.execution_timeout *= len(items)

    def execute(self, context: Context) -> list[list[str]] | None:
        """Run the items, or adopt those that have been committed before.

        Raises:
            AirflowSkipException: There is nothing to do.
            AirflowFailException: The experiment or the set-up is wrong; trying again would change nothing.
            Exception: Anything else may pass; it is tried again.
        """
        pipeline = PIPELINES[self.pipeline]
        ended = _Ended(self.task_id, self.items, context)
        try:
            settings = read_settings()
            self._run(pipeline, context, settings, ended.tell)
        except AirflowSkipException:
            raise
        except (Exception, AirflowTaskTimeout) as error:
            ended.fail_others(error)
            if isinstance(error, FINAL):
                raise AirflowFailException("\n".join([str(error), *getattr(error, "__notes__", [])])) from error
            raise
        if not ended.results:
            raise AirflowSkipException("there is nothing to do: nothing is to be trained")
        later = pipeline.mapped_over(self.task_id)
        return batches(later, ended.results[0].items or [], settings) if later else None

    def on_kill(self) -> None:
        """End what runs in another process; Airflow calls this when it ends the task."""
        stop_children()

    def _run(self, pipeline: Pipeline, context: Context, settings: Settings, progress: Progress) -> None:
        run_items, stage = runner(Orchestration().runner), pipeline[self.task_id]
        if stage.inputs:
            finished = self._finished_inputs(pipeline, stage, context)
            run = reopened(pipeline, finished, context, settings)
        else:
            finished = []
            run = self._opened(pipeline, context, settings)
        # Every other try comes from the other end: an item that kills its process each time takes no other with it.
        items = self.items if context["ti"].try_number % 2 else self.items[::-1]
        inputs = [earlier.manifest for earlier in finished]
        outcomes = run_items(pipeline, stage.name, run=run, inputs=inputs, items=items, progress=progress)
        for asset in self.outlets if any(outcome.result for outcome in outcomes) else ():
            context["outlet_events"][asset].extra = event_of(pipeline, run)
        if error := decisive_error(outcomes):
            raise error

    def _opened(self, pipeline: Pipeline, context: Context, settings: Settings) -> RunFolder:
        """The run folder of the experiment that the run's params name."""
        params = context["params"]
        stated = load_experiment(params["experiment"], settings, revision=params.get("revision"))
        experiment = pipeline.restated(stated, params)
        if languages := params.get("languages"):
            experiment = _with_languages(experiment, languages)
        presentation = experiment.model_dump(mode="json", include=set(NOT_SEMANTIC))
        context["ti"].xcom_push(key=PRESENTATION_KEY, value=presentation)
        require_ready(experiment)
        run = RunFolder.open(experiment, settings)
        if context["run_id"] != experiment.run_id:
            self.log.info(
                "this run is %s, not %s: stages that any run of %s has committed are adopted, not run again",
                context["run_id"],
                experiment.run_id,
                experiment.run_id,
            )
        return run

    def _finished_inputs(self, pipeline: Pipeline, stage: Stage, context: Context) -> list[StageResult]:
        """The results of the stage instances that it reads.

        Raises:
            AirflowSkipException: A stage that it needs left none, and its own failure explains that.
            InputError: A stage that it needs left none although it passed.
        """
        finished = {name: results_of(context, name) for name in stage.inputs}
        missing = [name for name in stage.needs if not pipeline[name].over and not finished[name]]
        if missing and self.trigger_rule == TriggerRule.ALL_DONE:
            raise AirflowSkipException(f"there is nothing to do: no result of {', '.join(missing)}")
        if missing:
            raise InputError(
                f"task {self.task_id!r} finds no result of {', '.join(missing)} in this run",
                remedy="clear those tasks so that they run",
            )
        return [result for results in finished.values() for result in results]


class _Ended:
    """The items of a task that have ended, told to the other tasks one by one: this one may be killed among them."""

    def __init__(self, stage: str, items: Sequence[str | None], context: Context) -> None:
        self.results: list[StageResult] = []
        self._failures: dict[str | None, Failure] = {}
        self._stage, self._items, self._push = stage, items, context["ti"].xcom_push

    def tell(self, _stage: str, item: str | None, outcome: Outcome | None) -> None:
        """A ``Progress``."""
        if outcome and outcome.error:
            if len(self._items) > 1:
                log.error("%s failed", item, exc_info=outcome.error)
            self._fail(item, outcome.error)
        elif outcome and outcome.result:
            log.info("%s %s", "adopted" if outcome.result.adopted else "committed", outcome.result.manifest)
            self.results.append(outcome.result)
            self._push(key=RESULT_KEY, value=[result.model_dump(mode="json") for result in self.results])

    def fail_others(self, error: BaseException) -> None:
        """Items that have not ended failed for what ended the task."""
        for item in self._items:
            if item not in self._failures and item not in {result.item for result in self.results}:
                self._fail(item, error)

    def _fail(self, item: str | None, error: BaseException) -> None:
        self._failures[item] = Failure.of(error, stage=self._stage, item=item)
        self._push(key=FAILURE_KEY, value=[failure.model_dump(mode="json") for failure in self._failures.values()])


def pull(context: Context, task_id: str, key: str) -> list[Any]:
    """What all instances of a task pushed under ``key``, by map index; those that pushed nothing are left out."""
    values = context["ti"].xcom_pull(task_ids=[task_id], key=key)
    return [value for value in values if value is not None]


def results_of(context: Context, task_id: str) -> list[StageResult]:
    """The results of all items that all instances of a task have finished."""
    return [StageResult.model_validate(value) for values in pull(context, task_id, RESULT_KEY) for value in values]


def reopened(pipeline: Pipeline, finished: Sequence[StageResult], context: Context, settings: Settings) -> RunFolder:
    """The run folder that earlier stages worked in, with the names, budgets and delivery of this run.

    Args:
        pipeline: What the run runs.
        finished: Results of earlier stages, at least one.
        context: Of the task.
        settings: Where and how to run.

    Raises:
        InputError: There is no such run folder.
    """
    run = RunFolder.existing(finished[0].run, settings)
    for presentation in pull(context, pipeline.stages[0].name, PRESENTATION_KEY):
        statement = run.experiment.model_dump(mode="json", by_alias=True) | presentation
        run.experiment = Experiment.parse(statement, source=run.uri)
    return run


def _with_languages(experiment: Experiment, languages: Sequence[str]) -> Experiment:
    statement = experiment.model_dump(mode="json", by_alias=True)
    statement["delivery"]["languages"] = list(languages)
    return Experiment.parse(statement, source="param languages")
