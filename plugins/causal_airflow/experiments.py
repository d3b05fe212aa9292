"""Which experiments of the lake are to be mined: read from their files, triggered under a fixed run id.

A fixed id makes repeats harmless: Airflow's database refuses a second run of the same id.
"""

import logging
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import yaml

from causal_tasks.errors import CausalTasksError, InputError
from causal_tasks.experiment import LONG_AGO, Experiment
from causal_tasks.lake import begun_uri, experiments_folder, run_uri
from causal_tasks.pipelines import MINE, PIPELINES
from causal_tasks.pipelines.execution import load_experiment
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri

log = logging.getLogger(__name__)

AT_MOST = 500
"""Runs that one round triggers; Airflow maps a task over at most 1,024 items."""

_SUFFIXES = (".json", ".yaml", ".yml")
_PARALLEL_READS = 16
_NOT_IN_RUN_ID = re.compile(r"[^A-Za-z0-9_.~:+-]")


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A file that should state a finished experiment and does not.

    Attributes:
        uri: Where it is.
        digest: Of its content, so that a corrected file is looked at again.
    """

    uri: Uri
    digest: str

    @property
    def run_id(self) -> str:
        """Id of the run that turns red and tells the group why."""
        stem = _NOT_IN_RUN_ID.sub("_", PurePosixPath(self.uri).stem)[:100]
        return f"{stem}.invalid-{self.digest[:8]}"


@dataclass(frozen=True, slots=True)
class Stated:
    """An experiment and the file that states it."""

    uri: Uri
    experiment: Experiment


def unmined_experiments(settings: Settings, *, now: datetime) -> list[dict[str, Any]]:
    """Arguments that trigger a run of each ready experiment without one, oldest end first, and of poisoned files last.

    Args:
        settings: Where the lake is.
        now: What readiness is held against.

    Returns:
        At most ``AT_MOST`` sets of keyword arguments for ``TriggerDagRunOperator``.

    Raises:
        CausalTasksError: The store is unreachable, or not one file can be read.
    """
    storage = Storage(settings)
    stated, poisoned = _read_all(settings, storage)
    ready = [found for found in stated if _is_ready(found.experiment, now)]
    with ThreadPoolExecutor(_PARALLEL_READS) as pool:
        begun = list(pool.map(lambda found: _has_run(found.experiment, settings, storage), ready))
    fresh = [found for found, has_run in zip(ready, begun, strict=True) if not has_run]
    triggers = [*_triggers(fresh), *(_trigger(bad.run_id, bad.uri) for bad in poisoned)]
    if len(triggers) > AT_MOST:
        log.warning("%d experiments wait; the oldest %d go first", len(triggers), AT_MOST)
    return triggers[:AT_MOST]


def experiments_ended_between(
    settings: Settings, start: datetime, end: datetime, *, now: datetime
) -> list[dict[str, Any]]:
    """Arguments that trigger a run of each ready experiment with ``start <= ended_at < end``, mined or not.

    Args:
        settings: Where the lake is.
        start: First moment that counts.
        end: First moment that no longer counts.
        now: What readiness is held against.

    Returns:
        Keyword arguments for ``TriggerDagRunOperator``, oldest end first.

    Raises:
        CausalTasksError: The store is unreachable, or not one file can be read.
    """
    stated, _ = _read_all(settings, Storage(settings))
    return _triggers(
        found
        for found in stated
        if _is_ready(found.experiment, now) and found.experiment.ended_at and start <= found.experiment.ended_at < end
    )


def _triggers(stated: Iterable[Stated]) -> list[dict[str, Any]]:
    by_run: dict[str, Stated] = {}
    for found in sorted(stated, key=lambda s: (s.experiment.ended_at or LONG_AGO, s.experiment.run_id, s.uri)):
        first = by_run.setdefault(found.experiment.run_id, found)
        if first is not found:
            log.warning("%s and %s state the same run %s", first.uri, found.uri, found.experiment.run_id)
    return [_trigger(run_id, found.uri) for run_id, found in by_run.items()]


def _trigger(run_id: str, uri: Uri) -> dict[str, Any]:
    return {"trigger_run_id": run_id, "conf": {"experiment": uri}}


def _is_ready(experiment: Experiment, now: datetime) -> bool:
    ready_at = experiment.ready_at()
    return ready_at is not None and ready_at <= now


def _has_run(experiment: Experiment, settings: Settings, storage: Storage) -> bool:
    """Whether mining the experiment has begun; a failed run is for a person to clear, not to trigger again.

    An earlier version, which only mined, left no mark: its run folder has none, or a record of what was mined beside
    the mark of another job since.
    """
    run = run_uri(experiment, settings)
    if storage.exists(begun_uri(run, MINE.name)) or storage.exists(f"{run}/{MINE.record}"):
        return True
    others = (begun_uri(run, name) for name in PIPELINES if name != MINE.name)
    return storage.exists(f"{run}/experiment.json") and not any(map(storage.exists, others))


def _read_all(settings: Settings, storage: Storage) -> tuple[list[Stated], list[Poisoned]]:
    folder = experiments_folder(settings)
    files = [file for file in storage.list_files(folder) if file.path.endswith(_SUFFIXES) and "/" not in file.path]
    problems: list[CausalTasksError] = []

    def read(uri: Uri, digest: str) -> Stated | Poisoned | None:
        try:
            return _read(uri, digest, settings, storage)
        except CausalTasksError as error:
            log.warning("left out for now: %s", error)
            problems.append(error)
            return None

    with ThreadPoolExecutor(_PARALLEL_READS) as pool:
        found = list(pool.map(lambda file: read(f"{folder}/{file.path}", file.digest), files))
    if files and len(problems) == len(files):
        raise problems[0]
    return [f for f in found if isinstance(f, Stated)], [f for f in found if isinstance(f, Poisoned)]


def _read(uri: Uri, digest: str, settings: Settings, storage: Storage) -> Stated | Poisoned | None:
    """What a file states; None where it states a running experiment or is gone."""
    try:
        return Stated(uri, load_experiment(uri, settings))
    except InputError as error:
        if _claims_to_be_finished(uri, storage):
            log.warning("poisoned: %s", error)
            return Poisoned(uri, digest)
        return None


def _claims_to_be_finished(uri: Uri, storage: Storage) -> bool:
    """Whether an invalid statement is somebody's mistake: unreadable as such, or said to be finished."""
    try:
        statement = yaml.safe_load(storage.read_bytes(uri))
    except FileNotFoundError:
        return False
    except (yaml.YAMLError, UnicodeDecodeError):
        return True
    return not isinstance(statement, dict) or statement.get("status", "running") != "running"
