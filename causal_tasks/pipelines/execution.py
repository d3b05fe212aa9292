"""Runs stages, here and now: the one door through which the command line, Airflow and notebooks come."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from traceback import clear_frames
from typing import Any

from pydantic import BaseModel, ConfigDict

from causal_tasks.errors import ConfigurationError, InputError, NotReadyError
from causal_tasks.experiment import Experiment
from causal_tasks.lake import begun_uri, experiment_uri
from causal_tasks.pipelines.batches import batches
from causal_tasks.pipelines.declaration import ITEMS, Pipeline, Stage
from causal_tasks.pipelines.inputs import expected_items, failed_inputs, fingerprint
from causal_tasks.pipelines.mine import MINE
from causal_tasks.run_folder import RunFolder, StageContext
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri

FINAL = (InputError, ConfigurationError)
"""Errors that trying again does not change."""


class StageResult(BaseModel):
    """What a finished stage instance hands to the next: addresses only.

    Attributes:
        run: The run folder.
        manifest: Its manifest.
        item: What this instance was mapped over; None for a plain stage.
        items: What other stages are mapped over; None unless it says so.
        adopted: Whether an earlier attempt had done the work already.
    """

    model_config = ConfigDict(frozen=True)

    run: Uri
    manifest: Uri
    item: str | None = None
    items: list[str] | None = None
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one stage instance.

    Attributes:
        item: What it is mapped over; None for a plain stage.
        result: None where it failed, or where there was nothing to do.
        error: Why it failed; None where it did not.
    """

    item: str | None
    result: StageResult | None = None
    error: Exception | None = None


Progress = Callable[[str, str | None, Outcome | None], None]
"""Called with stage and item when an instance begins, and again with what became of it when it has ended."""


def load_experiment(experiment: str, settings: Settings, *, revision: int | None = None) -> Experiment:
    """The experiment stated at an address, or under an id in the lake.

    Args:
        experiment: Id, or URI of a JSON or YAML file.
        settings: Where the lake is.
        revision: Replaces the stated revision.

    Raises:
        InputError: There is no such file, or it states no valid experiment.
    """
    import yaml

    uri = experiment_uri(experiment, settings)
    try:
        content = Storage(settings).read_bytes(uri)
    except FileNotFoundError as error:
        raise InputError(f"there is no experiment file at {uri}", remedy="write it, or correct the id") from error
    try:
        statement = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(
            f"{uri} is neither JSON nor YAML: {error}",
            remedy="correct the experiment file and write it again",
        ) from error
    if isinstance(statement, dict) and revision is not None:
        statement = statement | {"revision": revision}
    return Experiment.parse(statement, source=uri)


def require_ready(experiment: Experiment, *, now: datetime | None = None) -> None:
    """Refuse an experiment that still runs or whose late data has not settled.

    Raises:
        NotReadyError: It is not ready.
    """
    ready_at = experiment.ready_at()
    if ready_at is None:
        raise NotReadyError(
            f"experiment {experiment.experiment_id!r} has status {experiment.status!r}",
            remedy="set status to finished and ended_at when it ends",
        )
    if ready_at > (now or datetime.now(UTC)):
        raise NotReadyError(
            f"{experiment.experiment_id!r} ended at {experiment.ended_at} and its late data settles until {ready_at}",
            remedy="wait, or lower settle_hours",
        )


def run_stage(
    pipeline: Pipeline,
    name: str,
    *,
    run: RunFolder,
    inputs: Sequence[Uri] = (),
    item: str | None = None,
    memo: dict[Hashable, Any] | None = None,
) -> StageResult | None:
    """Run one stage instance, or adopt it where it has been committed already; None where there is nothing to do.

    Args:
        pipeline: The graph that declares the stage.
        name: Of the stage.
        run: Its run folder.
        inputs: Manifests of the stage instances it reads, in any order.
        item: What this instance is mapped over.
        memo: What it shares with other items, see ``StageContext.shared``; None: nothing.

    Raises:
        CausalTasksError: The stage failed; the run folder holds the record.
    """
    stage = pipeline[name]
    if stage is pipeline.stages[0]:
        run.storage.create_exclusively(begun_uri(run.uri, pipeline.name), b"")
    manifests = sorted((run.read_manifest(uri) for uri in inputs), key=lambda manifest: manifest.key)
    by_stage = {need: [m for m in manifests if m.stage == need] for need in stage.inputs}
    if any(not by_stage[need] and expected_items(pipeline[need], run, by_stage) == [] for need in stage.needs):
        return None
    failures = failed_inputs(pipeline, stage, run, by_stage)
    digest = fingerprint(stage, run, item, manifests, failures)
    uri = run.manifest_uri(name, item, digest)
    adopted = run.storage.exists(uri)
    if adopted:
        manifest = run.read_manifest(uri)
    else:
        attempt = run.begin(name, item, digest)
        context = StageContext(
            experiment=run.experiment,
            inputs=by_stage,
            item=item,
            folder=attempt.folder,
            run_uri=run.uri,
            settings=run.settings,
            storage=run.storage,
            failures=failures,
            memo={} if memo is None else memo,
        )
        try:
            outputs = stage.function()(context)
            manifest = attempt.commit(outputs, {m.key: m.fingerprint for m in manifests})
        except Exception as error:
            attempt.record(error)
            raise
    if stage is pipeline.stages[-1]:
        published = {
            target: f"{run.uri}/{manifest.outputs[output].path}" for target, output in pipeline.publishes.items()
        }
        run.publish(published, [*manifests, manifest], record=pipeline.record)
        run.sweep()
    items = run.storage.read_json(f"{run.uri}/{manifest.outputs[ITEMS].path}") if ITEMS in manifest.outputs else None
    return StageResult(run=run.uri, manifest=uri, item=item, items=items, adopted=adopted)


def run_items(
    pipeline: Pipeline,
    name: str,
    *,
    run: RunFolder,
    inputs: Sequence[Uri] = (),
    items: Sequence[str | None] = (None,),
    progress: Progress | None = None,
) -> list[Outcome]:
    """Run instances of one stage in this process, one after the other; one that fails does not stop the others.

    Each is what ``run_stage`` makes of it alone: same folder, same outputs, its own manifest or failure record.

    Args:
        pipeline: The graph that declares the stage.
        name: Of the stage.
        run: Its run folder.
        inputs: Manifests of the stage instances that each of them reads, in any order.
        items: What the instances are mapped over, a batch of ``batches``; only None for a plain stage.
        progress: Called as instances begin and end, so that what has ended is known even where the process is killed.

    Returns:
        What became of each, in the order of ``items``; ``decisive_error`` tells what to raise.
    """
    say = progress or (lambda *_: None)
    memo: dict[Hashable, Any] = {}
    outcomes: list[Outcome] = []
    for item in items:
        say(name, item, None)
        try:
            result = run_stage(pipeline, name, run=run, inputs=inputs, item=item, memo=memo)
        except Exception as error:  # noqa: BLE001 - one item may fail in any way, its record is written
            if len(items) > 1:
                _release(error)
            outcomes.append(Outcome(item, error=error))
        else:
            outcomes.append(Outcome(item, result))
        say(name, item, outcomes[-1])
    return outcomes


def decisive_error(outcomes: Sequence[Outcome]) -> Exception | None:
    """The error to raise for outcomes of one stage, with a note of all items that failed; None where none did.

    The first, but one that may pass goes before one that is final (``FINAL``), so that whoever tries again does so.
    """
    failed = {outcome.item: outcome.error for outcome in outcomes if outcome.error}
    if not failed:
        return None
    errors = list(failed.values())
    decisive = next((error for error in errors if not isinstance(error, FINAL)), errors[0])
    if len(outcomes) > 1:
        decisive.add_note(f"{len(failed)} of {len(outcomes)} items failed: {', '.join(map(str, failed))}")
    return decisive


def _release(error: BaseException | None) -> None:
    """Let go of what the failed calls held: users and models would stay in memory while the other items run."""
    seen: set[int] = set()
    while error and id(error) not in seen:
        seen.add(id(error))
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def run_pipeline(pipeline: Pipeline, run: RunFolder, *, progress: Progress | None = None) -> StageResult:
    """Run every stage of a pipeline in this process; returns the last one's result.

    Raises:
        Exception: A stage failed that the others cannot do without.
    """
    done: dict[str, list[StageResult]] = {}
    for stage in pipeline.stages:
        done[stage.name] = []
        if any(not done[need] for need in stage.needs):
            continue
        inputs = [result.manifest for name in stage.inputs for result in done[name]]
        outcomes = [
            outcome
            for batch in _batches(stage, done, run.settings)
            for outcome in run_items(pipeline, stage.name, run=run, inputs=inputs, items=batch, progress=progress)
        ]
        done[stage.name] = [outcome.result for outcome in outcomes if outcome.result]
        error = decisive_error(outcomes)
        if error and not done[stage.name] and not _dispensable(pipeline, stage):
            raise error
    return done[pipeline.stages[-1].name][0]


def _dispensable(pipeline: Pipeline, stage: Stage) -> bool:
    """Whether it is mapped, so that its failures have records that later stages read, and none of them needs it."""
    return stage.over is not None and not any(stage.name in later.needs for later in pipeline.stages)


def _batches(
    stage: Stage, done: Mapping[str, Sequence[StageResult]], settings: Settings
) -> Sequence[Sequence[str | None]]:
    return batches(stage, done[stage.over][0].items or [], settings) if stage.over else [[None]]


def run_experiment(
    experiment: Experiment, settings: Settings | None = None, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Mine one experiment in this process; returns the content of its ``result.json``.

    Args:
        experiment: A finished experiment.
        settings: Where and how to run; None reads ``CAUSAL_*``.
        progress: Called as stages begin and end.

    Raises:
        NotReadyError: The experiment has not finished or its late data has not settled.
        InputError: The experiment or its tables are wrong.
    """
    require_ready(experiment)
    run = RunFolder.open(experiment, settings or Settings())
    run_pipeline(MINE, run, progress=progress)
    result: dict[str, Any] = run.storage.read_json(f"{run.uri}/result.json")
    return result
