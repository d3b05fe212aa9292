"""Runs a pipeline's stages as Airflow does, each instance in a process of its own, and measures every one of them."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.environment import stage_environment
from benchmarks.processes import SAMPLE_SECONDS, MeasuredProcess, MeasurementError, Usage
from causal_tasks.pipelines import Pipeline, Stage
from causal_tasks.pipelines.execution import StageResult
from causal_tasks.settings import Settings


@dataclass(frozen=True, slots=True)
class Instance:
    """A stage, and what it is mapped over; None for a plain stage."""

    stage: str
    item: str | None

    def __str__(self) -> str:
        return f"{self.stage}/{self.item}" if self.item else self.stage


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a whole run took.

    Attributes:
        seconds: Wall time from the first instance's start to the last one's end.
        usage: By instance, in the order in which they ended.
        run: The run folder.
    """

    seconds: float
    usage: Mapping[Instance, Usage]
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
    """Run every instance as soon as those it reads have ended, at most ``parallel`` of them at a time.

    Args:
        pipeline: The graph.
        settings: Where the lake is; no earlier run of this revision may be there, or its work would be adopted.
        experiment_id: In the lake.
        revision: Replaces the stated one.
        parallel: Processes at a time, which share the cores evenly.
        say: Gets one line for every instance that ends.

    Raises:
        MeasurementError: An instance failed, or had nothing to do.
    """
    answers = TemporaryDirectory(prefix="benchmark-answers-")
    plan = Plan(pipeline, experiment_id, revision, Path(answers.name))
    environment = stage_environment(settings, parallel=parallel)
    usage: dict[Instance, Usage] = {}
    running: dict[Instance, MeasuredProcess] = {}
    began = time.perf_counter()
    try:
        while not plan.finished:
            for instance in plan.ready(room=parallel - len(running)):
                running[instance] = MeasuredProcess(plan.start(instance), environment)
            ended = {instance: taken for instance, process in running.items() if (taken := process.poll())}
            for instance, taken in ended.items():
                running.pop(instance).close()
                plan.end(instance)
                say(f"{instance}: {taken.seconds:.1f} s")
            usage |= ended
            if not ended:
                time.sleep(SAMPLE_SECONDS)
    finally:
        for process in running.values():
            process.close()
        answers.cleanup()
    return Schedule(time.perf_counter() - began, usage, plan.run)


class Plan:
    """Which instances wait, run and have ended.

    Args:
        pipeline: The graph.
        experiment_id: In the lake.
        revision: Replaces the stated one.
        answers: Folder in which every instance leaves its result: libraries may print what they like.
    """

    def __init__(self, pipeline: Pipeline, experiment_id: str, revision: int, answers: Path) -> None:
        self._pipeline = pipeline
        self._answers = answers
        self._opening = ["--experiment", experiment_id, "--revision", str(revision)]
        self._started: set[Instance] = set()
        self._results: dict[Instance, StageResult] = {}

    @property
    def run(self) -> str:
        """The run folder, once the first stage has ended."""
        return next(iter(self._results.values())).run

    @property
    def finished(self) -> bool:
        """Whether every instance of every stage has ended."""
        return all(self._has_ended(stage) for stage in self._pipeline.stages)

    def ready(self, *, room: int) -> list[Instance]:
        """At most ``room`` instances that may start now."""
        waiting = [
            instance
            for stage in self._pipeline.stages
            if all(self._has_ended(self._pipeline[name]) for name in stage.inputs)
            for instance in self._instances(stage)
            if instance not in self._started
        ]
        return waiting[:room]

    def start(self, instance: Instance) -> list[str]:
        """Take an instance out of those that wait; returns its command."""
        self._started.add(instance)
        stage = self._pipeline[instance.stage]
        command = [
            str(Path(sys.executable).parent / "causal-tasks"),
            "stage",
            stage.name,
            "--pipeline",
            self._pipeline.name,
        ]
        command += ["--run", self.run] if stage.inputs else self._opening
        for name in stage.inputs:
            for earlier in self._instances(self._pipeline[name]):
                command += ["--input", self._results[earlier].manifest]
        command += ["--result", str(self.answer(instance))]
        return command + (["--item", instance.item] if instance.item else [])

    def answer(self, instance: Instance) -> Path:
        """File for an instance's result."""
        return self._answers / f"{instance}.json".replace("/", "-")

    def end(self, instance: Instance) -> None:
        """Take note of the result that an instance has left.

        Raises:
            MeasurementError: It had nothing to do.
        """
        answer = json.loads(self.answer(instance).read_text())
        if answer is None:
            raise MeasurementError(f"stage {instance} had nothing to do", remedy="measure an experiment that is mined")
        self._results[instance] = StageResult.model_validate(answer)

    def _has_ended(self, stage: Stage) -> bool:
        if stage.over and not self._has_ended(self._pipeline[stage.over]):
            return False
        return all(instance in self._results for instance in self._instances(stage))

    def _instances(self, stage: Stage) -> Iterator[Instance]:
        items: Sequence[str | None] = [None]
        if stage.over:
            items = self._results[Instance(stage.over, None)].items or []
        return (Instance(stage.name, item) for item in items)
