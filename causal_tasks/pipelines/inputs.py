"""What decides the outputs of a stage instance: what it reads, which failures it outlives, its fingerprint."""

from collections.abc import Mapping, Sequence
from typing import Any

from causal_tasks.errors import InputError
from causal_tasks.lake import watched_uris
from causal_tasks.pipelines.declaration import ITEMS, Pipeline, Stage
from causal_tasks.run_folder import Failure, Manifest, RunFolder
from causal_tasks.storage import digest_of


def expected_items(stage: Stage, run: RunFolder, by_stage: Mapping[str, Sequence[Manifest]]) -> list[str] | None:
    """What a stage is mapped over, nothing where that stage left no result itself; None for a plain stage."""
    if not stage.over:
        return None
    if not by_stage[stage.over]:
        return []
    items: list[str] = run.storage.read_json(f"{run.uri}/{by_stage[stage.over][0].outputs[ITEMS].path}")
    return items


def failed_inputs(
    pipeline: Pipeline, stage: Stage, run: RunFolder, by_stage: Mapping[str, Sequence[Manifest]]
) -> dict[str, Failure | None]:
    """Instances that the stage reads and that have no manifest, with their failure records.

    Raises:
        InputError: The stage cannot do without them.
    """
    failures: dict[str, Failure | None] = {}
    for name in stage.inputs:
        present = {manifest.item for manifest in by_stage[name]}
        items = expected_items(pipeline[name], run, by_stage)
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


def fingerprint(
    stage: Stage,
    run: RunFolder,
    item: str | None,
    manifests: Sequence[Manifest],
    failures: Mapping[str, Failure | None],
) -> str:
    """Digest of everything that decides the outputs of one instance; what runs beside it is no part of that."""
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
                source: run.storage.list_files(uri, suffix="" if source in {"dataset", "logs"} else ".parquet")
                for source, uri in watched_uris(run.experiment, run.settings).items()
                if source in stage.sources
            },
        }
    )
