"""The job of a feed's day: from its tables to scores, models and a decision that are served, and a report."""

from collections.abc import Callable
from datetime import date as Date  # noqa: N812
from typing import Any

from pydantic import BaseModel, ConfigDict

from causal_tasks.dynamic.day import DayContext, FeedDay
from causal_tasks.errors import InputError
from causal_tasks.feed import Feed
from causal_tasks.pipelines.declaration import Pipeline, Resources, Stage
from causal_tasks.settings import Settings
from causal_tasks.stage_files import Attempt, Manifest, sweep_attempts
from causal_tasks.storage import Uri

DAILY = Pipeline(
    name="daily_uplift_scores",
    stages=(
        Stage(
            name="learn",
            run="causal_tasks.dynamic.stages.learn:learn",
            code=1,
            resources=Resources(minutes=60, gpu=True),
        ),
        Stage(
            name="interest",
            run="causal_tasks.dynamic.stages.interest:interest",
            code=1,
            resources=Resources(minutes=60, gpu=True),
        ),
        Stage(
            name="score",
            run="causal_tasks.dynamic.stages.score:score",
            code=1,
            needs=("learn", "interest"),
        ),
        Stage(
            name="evaluate",
            run="causal_tasks.dynamic.stages.evaluate:evaluate",
            code=1,
            needs=("learn", "interest", "score"),
            resources=Resources(minutes=60),
        ),
        Stage(
            name="publish",
            run="causal_tasks.dynamic.stages.publish:publish",
            code=1,
            needs=("learn", "interest", "score", "evaluate"),
        ),
        Stage(
            name="report",
            run="causal_tasks.report.dynamic.stage:report_day",
            code=1,
            needs=("learn", "interest", "score", "evaluate", "publish"),
        ),
    ),
    publishes={"result.json": "result", "report.html": "report"},
    messages="causal_tasks.report.dynamic:day_messages",
)
"""Not among ``PIPELINES``, which are of experiments. Each stage is done once a day: a feed's day has one folder."""

Progress = Callable[[str, bool], None]
"""Called with a stage when it begins and, with True, when it has ended."""


class DayStageResult(BaseModel):
    """What became of a stage of a day.

    Attributes:
        stage: Its name.
        manifest: Address of its manifest.
        seconds: It took, by whoever did it.
        adopted: Whether it had been done before.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    manifest: Uri
    seconds: float
    adopted: bool


def run_day_stage(day: FeedDay, name: str) -> DayStageResult:
    """Do one stage of a day, or adopt what is there.

    Raises:
        InputError: A stage that it needs has not been done.
        CausalTasksError: The stage failed; its folder holds the record.
    """
    stage = DAILY[name]
    done = day.manifest(name)
    manifest = done or _done(day, stage)
    if stage is DAILY.stages[-1]:
        _publish(day, manifest)
        sweep_attempts(day.uri, day.storage)
    return _result(day, manifest, adopted=done is not None)


def _done(day: FeedDay, stage: Stage) -> Manifest:
    """Do a stage; raises as ``run_day_stage``."""
    inputs = {need: [_finished(day, need)] for need in stage.needs}
    read = [manifest for several in inputs.values() for manifest in several]
    attempt = Attempt(day.instance(stage.name, code=stage.code, inputs=read))
    context = DayContext(
        inputs=inputs, folder=attempt.folder, run_uri=day.uri, settings=day.settings, storage=day.storage, day=day
    )
    try:
        outputs = stage.function()(context)
        return attempt.commit(outputs, {earlier.key: earlier.fingerprint for earlier in read})
    except Exception as error:
        attempt.record(error)
        raise


def _publish(day: FeedDay, report: Manifest) -> None:
    """Copy what the last stage wrote to where it is looked for, unless it is there.

    Also where the stage is adopted: whoever did it may have been killed before this.
    """
    for target, output in DAILY.publishes.items():
        if not day.storage.exists(f"{day.uri}/{target}"):
            content = day.storage.read_bytes(f"{day.uri}/{report.outputs[output].path}")
            day.storage.write_bytes(f"{day.uri}/{target}", content)


def run_day(feed: Feed, date: Date, settings: Settings, *, progress: Progress | None = None) -> dict[str, Any]:
    """Do all stages of a feed's day in this process, or adopt those that are there; returns its ``result.json``.

    Raises:
        InputError: The feed is paused, its statement differs from that of an earlier day of the revision, or a table is
            wrong.
    """
    if feed.status == "paused":
        raise InputError(f"feed {feed.feed_id!r} is paused", remedy="set its status to active")
    say = progress or (lambda *_: None)
    day = FeedDay.open(feed, date, settings)
    for stage in DAILY.stages:
        say(stage.name, False)
        run_day_stage(day, stage.name)
        say(stage.name, True)
    result: dict[str, Any] = day.storage.read_json(f"{day.uri}/result.json")
    return result


def _finished(day: FeedDay, stage: str) -> Manifest:
    manifest = day.manifest(stage)
    if manifest is None:
        raise InputError(
            f"stage {stage!r} of feed {day.feed.run_id} on {day.date} has not been done", remedy="do it first"
        )
    return manifest


def _result(day: FeedDay, manifest: Manifest, *, adopted: bool) -> DayStageResult:
    return DayStageResult(
        stage=manifest.stage,
        manifest=day.manifest_uri(manifest.stage),
        seconds=manifest.run.seconds,
        adopted=adopted,
    )
