"""Runs the real report stage on what the stages of the sample wrote."""

from typing import Any

from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from tests.unit.report.sample import Ending, experiment, findings


def run_report(lake: str, ending: Ending = "found_both", **stated: Any) -> dict[str, Any]:
    """Commit the stages before by hand, run the real report stage on them, and return the URIs of its outputs."""
    run = RunFolder.open(experiment(**stated), Settings(lake=lake))
    found = findings(ending)
    stages: dict[tuple[str, str | None], dict[str, Any]] = {
        ("prepare", None): {"waterfall": found.waterfall, "profile": found.profile},
        ("validate", None): {
            "checks": found.checks,
            "features": found.features,
            "items": list(run.experiment.mining.candidates) if found.validity["mining"] else [],
            "verdict": found.validity,
        },
        ("measure", None): {"effects": found.effects, "did": found.did},
        **{("train", name): {"card": trained} for name, trained in found.cards.items()},
        **{("tune", name): {"tuning": tuned} for name, tuned in found.tuning.items()},
    }
    if found.selection:
        stages["shortlist", None] = {"items": list(found.tuning), "ranking": found.ranking, "failed": {}}
        stages["select", None] = {"selection": found.selection, "items": [], "drivers": found.drivers}
    if found.evidence:
        stages["mine", None] = {
            "subpopulations": found.subpopulations,
            "tree": found.tree,
            "evidence": found.evidence,
            "follow_up": found.follow_up,
            "placebo": found.placebo,
        }
    manifests = [_commit(run, stage, item, outputs) for (stage, item), outputs in stages.items()]
    for failure in found.failures.values():
        if failure:
            attempt = run.begin(failure.stage, failure.item, "0" * 64)
            uri = f"{run.manifest_uri(failure.stage, failure.item, '0' * 64).removesuffix('/stage.json')}/failure-{attempt.folder.rsplit('/', 1)[1]}.json"
            run.storage.write_json(uri, failure.model_dump(mode="json"))
    done = run_stage(MINE, "report", run=run, inputs=manifests)
    assert done is not None
    manifest = run.read_manifest(done.manifest)
    return {name: f"{run.uri}/{output.path}" for name, output in manifest.outputs.items()}


def _commit(run: RunFolder, stage: str, item: str | None, outputs: dict[str, Any]) -> str:
    attempt = run.begin(stage, item, "0" * 64)
    uris = {name: run.storage.write_json(f"{attempt.folder}/{name}.json", value) for name, value in outputs.items()}
    attempt.commit(uris, {})
    return run.manifest_uri(stage, item, "0" * 64)
