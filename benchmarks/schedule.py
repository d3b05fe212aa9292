"""Runs a pipeline's stages as Airflow does, each task in a process of its own, and measures every one of them."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.environment import stage_environment
from benchmarks.processes import SAMPLE_SECONDS, MeasuredProcess, MeasurementError, Usage
from causal_tasks.pipelines import Pipeline, Stage
from causal_tasks.pipelines.batches import batches
from causal_tasks.pipelines.execution import StageResult
from causal_tasks.settings import Settings


@dataclass(frozen=True, slots=True)
class Task:
    """A stage, and the items that it runs in one process; none for a plain stage."""

    stage: str
    items: tuple[str, ...] = ()

    @property
    def passes(self) -> int:
        """How often it goes through the users."""
        return max(1, len(self.items))

    def __str__(self) -> str:
        return f"{self.stage}: {', '.join(self.items)}" if self.items else self.stage


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a whole run took.

    Attributes:
        seconds: Wall time from the first task's start to the last one's end.
        usage: By task, in the order in which they ended.
        run: The run folder.
    """

    seconds: float
    usage: Mapping[Task, Usage]
    run: str


def run_schedule(
    pipeline: Pipeline,
    settings: Settings,
    *,
    experiment_id: str,
    revision: int = 1,
    parallel: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> Schedule:
    """Run every task as soon as those it reads have ended, at most ``parallel`` of them at a time.

    Args:
        pipeline: The graph.
        settings: Where the lake is; no earlier run of this revision may be there, or its work would be adopted.
        experiment_id: In the lake.
        revision: Replaces the stated one.
        parallel: Processes at a time, which share the cores evenly.
        say: Gets one line for every task that ends.

    Raises:
        MeasurementError: A task failed, or had nothing to do.
    """
    answers = TemporaryDirectory(prefix="benchmark-answers-")
    worker = settings.model_copy(update={"parallel_tasks": parallel})
    plan = Plan(pipeline, experiment_id, revision, Path(answers.name), worker)
    environment = stage_environment(settings, parallel=parallel)
    usage: dict[Task, Usage] = {}
    running: dict[Task, MeasuredProcess] = {}
    began = time.perf_counter()
    try:
        while not plan.finished:
            for task in plan.ready(room=parallel - len(running)):
                running[task] = MeasuredProcess(plan.start(task), environment)
            ended = {task: taken for task, process in running.items() if (taken := process.poll())}
            for task, taken in ended.items():
                running.pop(task).close()
                plan.end(task)
                say(f"{task}: {taken.seconds:.1f} s")
            usage |= ended
            if not ended:
                time.sleep(SAMPLE_SECONDS)
    finally:
        for process in running.values():
            process.close()
        answers.cleanup()
    return Schedule(time.perf_counter() - began, usage, plan.run)


class Plan:
    """Which tasks wait, run and have ended.

    Args:
        pipeline: The graph.
        experiment_id: In the lake.
        revision: Replaces the stated one.
        answers: Folder in which every task leaves its results: libraries may print what they like.
        settings: Of the worker: how many tasks run at a time decides which items share one.
    """

    def __init__(
        self, pipeline: Pipeline, experiment_id: str, revision: int, answers: Path, settings: Settings
    ) -> None:
        self._pipeline = pipeline
        self._answers = answers
        self._settings = settings
        self._opening = ["--experiment", experiment_id, "--revision", str(revision)]
        self._started: set[Task] = set()
        self._results: dict[Task, list[StageResult]] = {}

    @property
    def run(self) -> str:
        """The run folder, once the first stage has ended."""
        return next(iter(self._results.values()))[0].run

    @property
    def finished(self) -> bool:
        """Whether every task of every stage has ended."""
        return all(self._has_ended(stage) for stage in self._pipeline.stages)

    def ready(self, *, room: int) -> list[Task]:
        """At most ``room`` tasks that may start now."""
        waiting = [
            task
            for stage in self._pipeline.stages
            if all(self._has_ended(self._pipeline[name]) for name in stage.inputs)
            for task in self._tasks(stage)
            if task not in self._started
        ]
        return waiting[:room]

    def start(self, task: Task) -> list[str]:
        """Take a task out of those that wait; returns its command."""
        self._started.add(task)
        stage = self._pipeline[task.stage]
        command = [
            str(Path(sys.executable).parent / "causal-tasks"),
            "stage",
            stage.name,
            "--pipeline",
            self._pipeline.name,
        ]
        command += ["--run", self.run] if stage.inputs else self._opening
        for name in stage.inputs:
            for earlier in self._tasks(self._pipeline[name]):
                for result in self._results[earlier]:
                    command += ["--input", result.manifest]
        command += ["--result", str(self.answer(task))]
        return command + [argument for item in task.items for argument in ("--item", item)]

    def answer(self, task: Task) -> Path:
        """File for a task's results, one line each."""
        return self._answers / f"{'-'.join((task.stage, *task.items[:1]))}.jsonl"

    def end(self, task: Task) -> None:
        """Take note of the results that a task has left.

        Raises:
            MeasurementError: It had nothing to do.
        """
        answers = [json.loads(line) for line in self.answer(task).read_text().splitlines()]
        if None in answers:
            raise MeasurementError(f"stage {task} had nothing to do", remedy="measure an experiment that is mined")
        self._results[task] = [StageResult.model_validate(answer) for answer in answers]

    def _has_ended(self, stage: Stage) -> bool:
        if stage.over and not self._has_ended(self._pipeline[stage.over]):
            return False
        return all(task in self._results for task in self._tasks(stage))

    def _tasks(self, stage: Stage) -> list[Task]:
        if not stage.over:
            return [Task(stage.name)]
        (listed,) = self._results[Task(stage.over)]
        return [Task(stage.name, tuple(batch)) for batch in batches(stage, listed.items or [], self._settings)]
