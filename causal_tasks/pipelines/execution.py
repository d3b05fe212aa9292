"""Runs stages, here and now: the one door through which the command line, Airflow and notebooks come."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from causal_tasks.errors import InputError, NotReadyError
from causal_tasks.experiment import Experiment
from causal_tasks.lake import experiment_uri, source_uris
from causal_tasks.pipelines.declaration import ITEMS, Pipeline, Stage
from causal_tasks.pipelines.mine import MINE
from causal_tasks.run_folder import Attempt, Failure, Manifest, RunFolder, StageContext
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri, digest_of


class StageResult(BaseModel):
    """What a finished stage instance hands to the next: addresses only.

    Attributes:
        run: The run folder.
        manifest: Its manifest.
        items: What other stages are mapped over; None unless it says so.
        adopted: Whether an earlier attempt had done the work already.
    """

    model_config = ConfigDict(frozen=True)

    run: Uri
    manifest: Uri
    items: list[str] | None = None
    adopted: bool = False


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
) -> StageResult | None:
    """Run one stage instance, or adopt it where it has been committed already; None where there is nothing to do.

    Args:
        pipeline: The graph that declares the stage.
        name: Of the stage.
        run: Its run folder.
        inputs: Manifests of the stage instances it reads, in any order.
        item: What this instance is mapped over.

    Raises:
        CausalTasksError: The stage failed; the run folder holds the record.
    """
    stage = pipeline[name]
    manifests = sorted((run.read_manifest(uri) for uri in inputs), key=lambda manifest: manifest.key)
    by_stage = {need: [m for m in manifests if m.stage == need] for need in stage.inputs}
    if any(not by_stage[need] and _expected_items(pipeline[need], run, by_stage) == [] for need in stage.needs):
        return None
    failures = _failures(pipeline, stage, run, by_stage)
    fingerprint = _fingerprint(stage, run, item, manifests, failures)
    uri = run.manifest_uri(name, item, fingerprint)
    adopted = run.storage.exists(uri)
    if adopted:
        manifest = run.read_manifest(uri)
    else:
        attempt = run.begin(name, item, fingerprint)
        context = StageContext(
            experiment=run.experiment,
            inputs=by_stage,
            item=item,
            folder=attempt.folder,
            run_uri=run.uri,
            settings=run.settings,
            storage=run.storage,
            failures=failures,
        )
        try:
            outputs = stage.function()(context)
            manifest = attempt.commit(outputs, {m.key: m.fingerprint for m in manifests})
        except Exception as error:
            _record(error, attempt)
            raise
    if stage is pipeline.stages[-1]:
        published = {
            target: f"{run.uri}/{manifest.outputs[output].path}" for target, output in pipeline.publishes.items()
        }
        run.publish(published, [*manifests, manifest])
        run.sweep()
    items = run.storage.read_json(f"{run.uri}/{manifest.outputs[ITEMS].path}") if ITEMS in manifest.outputs else None
    return StageResult(run=run.uri, manifest=uri, items=items, adopted=adopted)


def _record(error: Exception, attempt: Attempt) -> None:
    """Leave a failure record; where even that fails, the stage's own error must stay the one that is raised."""
    try:
        attempt.fail(error)
    except Exception as second:  # noqa: BLE001 - said in the first
        error.add_note(f"This failure could not be recorded: {second}")


def _expected_items(stage: Stage, run: RunFolder, by_stage: Mapping[str, Sequence[Manifest]]) -> list[str] | None:
    """What a stage is mapped over, nothing where that stage left no result itself; None for a plain stage."""
    if not stage.over:
        return None
    if not by_stage[stage.over]:
        return []
    items: list[str] = run.storage.read_json(f"{run.uri}/{by_stage[stage.over][0].outputs[ITEMS].path}")
    return items


def _failures(
    pipeline: Pipeline, stage: Stage, run: RunFolder, by_stage: Mapping[str, Sequence[Manifest]]
) -> dict[str, Failure | None]:
    """Instances that the stage reads and that have no manifest, with their failure records."""
    failures: dict[str, Failure | None] = {}
    for name in stage.inputs:
        present = {manifest.item for manifest in by_stage[name]}
        items = _expected_items(pipeline[name], run, by_stage)
        if items is not None:
            failures |= {f"{name}/{item}": run.last_failure(name, item) for item in items if item not in present}
        elif name in stage.needs and not present:
            failures[name] = run.last_failure(name, None)
    hopeless = [name for name in stage.needs if not by_stage[name]]
    if hopeless or (failures and not stage.survives_failures):
        reasons = "; ".join(
            f"{key}: {failure.message if failure else 'killed or out of memory'}" for key, failure in failures.items()
        )
        raise InputError(
            f"stage {stage.name!r} lacks what it reads ({reasons})",
            remedy="mend the cause, then clear those tasks",
        )
    return dict(sorted(failures.items()))


def _fingerprint(
    stage: Stage,
    run: RunFolder,
    item: str | None,
    manifests: Sequence[Manifest],
    failures: Mapping[str, Failure | None],
) -> str:
    semantics: dict[str, Any] = run.experiment.model_dump(mode="json", by_alias=True)
    return digest_of(
        {
            "stage": stage.name,
            "item": item,
            "code": stage.code,
            "experiment": {field: semantics[field] for field in stage.reads},
            "inputs": {manifest.key: manifest.digests for manifest in manifests},
            "failures": {key: failure.message if failure else None for key, failure in failures.items()},
            "sources": {
                table: run.storage.list_files(uri, suffix="" if table == "dataset" else ".parquet")
                for table, uri in source_uris(run.experiment, run.settings).items()
                if table in stage.sources
            },
        }
    )


Progress = Callable[[str, str | None, StageResult | None], None]
"""Called with stage and item when an instance begins, and again with its result when it is done."""


def run_pipeline(pipeline: Pipeline, run: RunFolder, *, progress: Progress | None = None) -> StageResult:
    """Run every stage of a pipeline in this process; returns the last one's result.

    Raises:
        Exception: A stage failed that the others cannot do without.
    """
    done: dict[str, list[StageResult]] = {}
    say = progress or (lambda *_: None)
    for stage in pipeline.stages:
        done[stage.name] = []
        if any(not done[need] for need in stage.needs):
            continue
        inputs = [result.manifest for name in stage.inputs for result in done[name]]
        errors: list[Exception] = []
        for item in _items(stage, done):
            say(stage.name, item, None)
            try:
                result = run_stage(pipeline, stage.name, run=run, inputs=inputs, item=item)
            except Exception as error:  # noqa: BLE001 - one candidate may fail in any way, its record is written
                errors.append(error)
                continue
            if result:
                done[stage.name].append(result)
                say(stage.name, item, result)
        if errors and not done[stage.name] and not _dispensable(pipeline, stage):
            raise errors[0]
    return done[pipeline.stages[-1].name][0]


def _dispensable(pipeline: Pipeline, stage: Stage) -> bool:
    """Whether it is mapped, so that its failures have records that later stages read, and none of them needs it."""
    return stage.over is not None and not any(stage.name in later.needs for later in pipeline.stages)


def _items(stage: Stage, done: Mapping[str, Sequence[StageResult]]) -> Sequence[str | None]:
    return done[stage.over][0].items or [] if stage.over else [None]


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
