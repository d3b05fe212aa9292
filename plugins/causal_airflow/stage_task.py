"""Turns a declared stage into an Airflow task.

Between tasks travel addresses only: the run folder's and the manifests'. What decides the work is in the run folder,
so a task that runs again, or in another run of the same experiment, adopts what has been committed.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context, TriggerRule, XComArg
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, AirflowTaskTimeout

from causal_airflow.graph import direct_inputs, trigger_rule
from causal_airflow.results import RESULTS, event_of
from causal_airflow.runners import runner, stop_children
from causal_airflow.settings import Orchestration, read_settings
from causal_tasks.errors import ConfigurationError, InputError
from causal_tasks.experiment import NOT_SEMANTIC, Experiment
from causal_tasks.pipelines import PIPELINES, Pipeline, Stage
from causal_tasks.pipelines.execution import StageResult, load_experiment, require_ready
from causal_tasks.run_folder import Failure, RunFolder
from causal_tasks.settings import Settings

RESULT_KEY = "stage"
"""XCom key under which a finished stage pushes its :class:`StageResult`."""

FAILURE_KEY = "failure"
"""XCom key under which a failed try pushes its :class:`Failure`."""

PRESENTATION_KEY = "presentation"
"""XCom key under which the first stage pushes what may differ between runs of one revision: names and delivery."""


def stage_task(pipeline: Pipeline, stage: Stage, tasks: Mapping[str, BaseOperator]) -> Any:
    """The task of a stage, wired to the tasks that it waits for.

    Args:
        pipeline: One of ``causal_tasks.pipelines.PIPELINES``.
        stage: One of its stages.
        tasks: The tasks of the stages before it, by name.

    Returns:
        An operator, mapped where the stage is.
    """
    settings = Settings()
    on_gpu = stage.resources.gpu and settings.device == "cuda"
    arguments: dict[str, Any] = {
        "task_id": stage.name,
        "pipeline": pipeline.name,
        "trigger_rule": trigger_rule(pipeline, stage),
        "execution_timeout": timedelta(minutes=stage.resources.minutes),
        "pool": "gpu" if on_gpu else "cpu",
    }
    if on_gpu:
        arguments["queue"] = "gpu"
    if stage is pipeline.stages[-1]:
        arguments["outlets"] = [RESULTS]
    if stage.over:
        mapped = StageOperator.partial(map_index_template="{{ task.item }}", **arguments)
        task: Any = mapped.expand(item=XComArg(tasks[stage.over]))
    else:
        task = StageOperator(**arguments)
    task.set_upstream([tasks[name] for name in direct_inputs(pipeline, stage)])
    return task


class StageOperator(BaseOperator):
    """Runs one instance of a stage, named by the task id, and hands on where its manifest is.

    The task's return value is what other stages are mapped over.
    """

    template_fields: Sequence[str] = ("item",)
    ui_color = "#e8f1fa"

    def __init__(self, *, pipeline: str, item: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.item = item

    def execute(self, context: Context) -> list[str] | None:
        """Run the stage, or adopt it where it has been committed before.

        Raises:
            AirflowSkipException: There is nothing to do.
            AirflowFailException: The experiment or the set-up is wrong; trying again would change nothing.
            Exception: Anything else may pass; it is tried again.
        """
        stage = PIPELINES[self.pipeline][self.task_id]
        try:
            result = self._run(stage, context)
        except AirflowSkipException:
            raise
        except (Exception, AirflowTaskTimeout) as error:
            failure = Failure.of(error, stage=stage.name, item=self.item)
            context["ti"].xcom_push(key=FAILURE_KEY, value=failure.model_dump(mode="json"))
            if isinstance(error, (InputError, ConfigurationError)):
                raise AirflowFailException(str(error)) from error
            raise
        if result is None:
            raise AirflowSkipException("there is nothing to do: no candidate is to be trained")
        self.log.info("%s %s", "adopted" if result.adopted else "committed", result.manifest)
        context["ti"].xcom_push(key=RESULT_KEY, value=result.model_dump(mode="json"))
        return result.items

    def on_kill(self) -> None:
        """End what runs in another process; Airflow calls this when it ends the task."""
        stop_children()

    def _run(self, stage: Stage, context: Context) -> StageResult | None:
        pipeline, settings = PIPELINES[self.pipeline], read_settings()
        run_stage = runner(Orchestration().runner)
        if stage.inputs:
            finished = self._finished_inputs(pipeline, stage, context)
            run = reopened(pipeline, finished, context, settings)
        else:
            finished = []
            run = self._opened(context, settings)
        result = run_stage(
            pipeline, stage.name, run=run, inputs=[earlier.manifest for earlier in finished], item=self.item
        )
        if result and RESULTS in self.outlets:
            context["outlet_events"][RESULTS].extra = event_of(run)
        return result

    def _opened(self, context: Context, settings: Settings) -> RunFolder:
        """The run folder of the experiment that the run's params name."""
        params = context["params"]
        experiment = load_experiment(params["experiment"], settings, revision=params.get("revision"))
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
        finished = {name: pull(context, name, RESULT_KEY) for name in stage.inputs}
        missing = [name for name in stage.needs if not pipeline[name].over and not finished[name]]
        if missing and self.trigger_rule == TriggerRule.ALL_DONE:
            raise AirflowSkipException(f"there is nothing to do: no result of {', '.join(missing)}")
        if missing:
            raise InputError(
                f"task {self.task_id!r} finds no result of {', '.join(missing)} in this run",
                remedy="clear those tasks so that they run",
            )
        return [StageResult.model_validate(value) for values in finished.values() for value in values]


def pull(context: Context, task_id: str, key: str) -> list[Any]:
    """What all instances of a task pushed under ``key``, by map index; those that pushed nothing are left out."""
    values = context["ti"].xcom_pull(task_ids=[task_id], key=key)
    return [value for value in values if value is not None]


def reopened(pipeline: Pipeline, finished: Sequence[StageResult], context: Context, settings: Settings) -> RunFolder:
    """The run folder that earlier stages worked in, with the names and delivery that this run was started with.

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
