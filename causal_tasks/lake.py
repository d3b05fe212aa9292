"""Where everything lies in the lake."""

from collections.abc import Mapping
from typing import Literal

from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment, Follows
from causal_tasks.feed import Feed
from causal_tasks.settings import Settings

TableName = Literal["assignments", "metrics", "features", "dataset"]
SourceName = Literal["assignments", "metrics", "features", "dataset", "logs"]
TABLES: tuple[TableName, ...] = ("assignments", "metrics", "features")
"""What the join reads; an experiment with a ``dataset`` has that in place of them."""

ALLOCATION_RECORD = "allocation-run.json"
"""At the root of a run folder, what names the manifests behind the newest allocation."""

SEGMENTS_RECORD = "segments-run.json"
"""The same for the newest segments."""


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


def watched_uris(experiment: Experiment, settings: Settings) -> Mapping[SourceName, str]:
    """Where everything is whose change makes another run of it: its data, and the logs of its budgeting."""
    logs = experiment.budgeting.logs if experiment.budgeting else None
    watched: dict[SourceName, str] = dict(source_uris(experiment, settings).items())
    return watched | ({"logs": logs.uri} if logs else {})


def run_uri(experiment: Experiment, settings: Settings) -> str:
    """The run folder of the experiment's revision."""
    return _run_uri(experiment.experiment_id, experiment.revision, settings)


def _run_uri(experiment_id: str, revision: int | str, settings: Settings) -> str:
    return f"{settings.lake}/runs/{experiment_id}/r{revision}"


def uri_of_run(run: str, settings: Settings) -> str:
    """The address of a run folder, given its run id ``<experiment_id>.r<revision>`` or the address itself.

    Raises:
        InputError: It is neither.
    """
    if "://" in run:
        return run.rstrip("/")
    experiment_id, mark, revision = run.rpartition(".r")
    if not (mark and experiment_id and revision.isdigit()):
        raise InputError(
            f"{run!r} names no run", remedy="give <experiment_id>.r<revision>, or the address of the run folder"
        )
    return _run_uri(experiment_id, revision, settings)


def begun_uri(run: str, pipeline: str) -> str:
    """What the first stage of a pipeline leaves in a run folder: pipelines of one experiment share that."""
    return f"{run}/begun/{pipeline}"


def ledger_folder(settings: Settings) -> str:
    """The folder in which follow-up experiments leave what came of the findings that they followed."""
    return f"{settings.lake}/ledger"


def ledger_uri(experiment: Experiment, follows: Follows, settings: Settings) -> str:
    """The one entry that a follow-up's run makes: by the finding, then by the run that followed it."""
    finding = f"{follows.experiment_id}.r{follows.revision}.{follows.rule}"
    return f"{ledger_folder(settings)}/{finding}/{experiment.run_id}.json"


def budgets_folder(settings: Settings) -> str:
    """The folder in which orders lie that a budget be spent anew every night."""
    return f"{settings.lake}/budgets"


def allocations_folder(order: str, settings: Settings) -> str:
    """The folder with what each night made of an order, given its id."""
    return f"{settings.lake}/allocations/{order}"


def feeds_folder(settings: Settings) -> str:
    """The folder with the statements of feeds."""
    return f"{settings.lake}/feeds"


def feed_uri(feed: str, settings: Settings) -> str:
    """The address of a feed's statement, given its id or the address itself."""
    return feed if "://" in feed else f"{feeds_folder(settings)}/{feed}.json"


def feed_days_folder(feed: Feed, settings: Settings) -> str:
    """The folder with what each day made of a revision of a feed."""
    return f"{settings.lake}/feed-days/{feed.feed_id}/r{feed.revision}"


def manifest_uri(feed_id: str, settings: Settings) -> str:
    """What says which models and scores decide for a feed now."""
    return f"{settings.lake}/serving/{feed_id}/manifest.json"


def truth_uri(experiment: str, settings: Settings) -> str:
    """What was planted into a simulated experiment or feed, given its id."""
    return f"{settings.lake}/truth/{experiment}.json"
