"""The assets that finished runs update, so that others can react to them."""

from typing import Any

from airflow.sdk import Asset

from causal_tasks.pipelines import Pipeline
from causal_tasks.run_folder import RunFolder


def results_of_pipeline(pipeline: Pipeline) -> Asset | None:
    """The asset that a finished run of the pipeline updates; None where it announces nothing."""
    if pipeline.announces is None:
        return None
    return Asset(name=pipeline.announces, uri=f"x-causal://{pipeline.announces}/results")


def event_of(pipeline: Pipeline, run: RunFolder) -> dict[str, Any]:
    """What an event says about a finished run: which experiment, what was found, where the report is."""
    result = run.storage.read_json(f"{run.uri}/{pipeline.published('result')}")
    return {
        "experiment_id": run.experiment.experiment_id,
        "revision": run.experiment.revision,
        "verdict": result["verdict"]["code"],
        "report": f"{run.uri}/{pipeline.published('report')}",
    }
