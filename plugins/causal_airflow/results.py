"""The asset that a finished mining run updates, so that others can react to it."""

from typing import Any

from airflow.sdk import Asset

from causal_tasks.run_folder import RunFolder

RESULTS = Asset(name="subpopulations", uri="x-causal://subpopulations/results")


def event_of(run: RunFolder) -> dict[str, Any]:
    """What an event of ``RESULTS`` says about a finished run: which experiment, what was found, where the report is."""
    result = run.storage.read_json(f"{run.uri}/result.json")
    return {
        "experiment_id": run.experiment.experiment_id,
        "revision": run.experiment.revision,
        "verdict": result["verdict"]["code"],
        "report": f"{run.uri}/report.html",
    }
