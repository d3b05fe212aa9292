"""Where everything lies in the lake."""

from typing import Literal

from causal_tasks.experiment import Experiment
from causal_tasks.settings import Settings

TableName = Literal["assignments", "metrics", "features", "dataset"]
TABLES: tuple[TableName, ...] = ("assignments", "metrics", "features")
"""What the join reads; an experiment with a ``dataset`` has that in place of them."""


def experiments_folder(settings: Settings) -> str:
    """The folder in which a platform writes experiment files."""
    return f"{settings.lake}/experiments"


def experiment_uri(experiment: str, settings: Settings) -> str:
    """The address of an experiment file, given its id or the address itself."""
    return experiment if "://" in experiment else f"{experiments_folder(settings)}/{experiment}.json"


def source_uris(experiment: Experiment, settings: Settings) -> dict[TableName, str]:
    """Where the experiment's data is: its dataset, or its three tables."""
    if experiment.dataset:
        return {"dataset": experiment.dataset.uri}
    return {name: getattr(experiment.tables, name) or f"{settings.lake}/tables/{name}" for name in TABLES}


def run_uri(experiment: Experiment, settings: Settings) -> str:
    """The run folder of the experiment's revision."""
    return f"{settings.lake}/runs/{experiment.experiment_id}/r{experiment.revision}"


def truth_uri(experiment: str, settings: Settings) -> str:
    """What was planted into a simulated experiment, given its id."""
    return f"{settings.lake}/truth/{experiment}.json"
