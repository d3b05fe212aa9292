"""Where everything lies in the lake."""

from typing import Literal

from causal_tasks.experiment import Experiment
from causal_tasks.settings import Settings

TableName = Literal["assignments", "metrics", "features"]


def experiments_folder(settings: Settings) -> str:
    """The folder in which a platform writes experiment files."""
    return f"{settings.lake}/experiments"


def experiment_uri(experiment: str, settings: Settings) -> str:
    """The address of an experiment file, given its id or the address itself."""
    return experiment if "://" in experiment else f"{experiments_folder(settings)}/{experiment}.json"


def table_uri(experiment: Experiment, settings: Settings, table: TableName) -> str:
    """Where a table of the experiment is."""
    stated: str | None = getattr(experiment.tables, table)
    return stated or f"{settings.lake}/tables/{table}"


def run_uri(experiment: Experiment, settings: Settings) -> str:
    """The run folder of the experiment's revision."""
    return f"{settings.lake}/runs/{experiment.experiment_id}/r{experiment.revision}"


def truth_uri(experiment: str, settings: Settings) -> str:
    """What was planted into a simulated experiment, given its id."""
    return f"{settings.lake}/truth/{experiment}.json"
