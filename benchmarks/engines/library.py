"""The join as the stage ``prepare`` makes it, and the whole stage."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from benchmarks.engines.question import Question
from benchmarks.workload import tables_of
from causal_tasks import frames
from causal_tasks.data import prepare  # noqa: F401 - the stage resolves it by name: imported before the clock starts
from causal_tasks.data.assignments import read_assignments
from causal_tasks.data.cohort import Cohort, first_exposures, is_mature, maturity_cutoff
from causal_tasks.data.join import FEATURE
from causal_tasks.data.joining import JoinJob
from causal_tasks.data.plan import features_input, join_plan, metrics_input
from causal_tasks.data.rows import Units
from causal_tasks.data.users import arm_labels
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings

Connect = Callable[[Settings], AbstractContextManager[frames.Engine]]


@dataclass(frozen=True, slots=True)
class Joined:
    """The join's rows and the users whom they belong to, in the same order.

    Attributes:
        question: What was asked.
        cohort: The users.
        rows: As ``join_partition`` makes them.
    """

    question: Question
    cohort: Cohort
    rows: pd.DataFrame


def join(question: Question, *, connect: Connect = frames.connect) -> Joined:
    """What ``prepare`` does until every user has a row, in its own calls.

    Args:
        question: What is asked.
        connect: Opens the dataframe engine.
    """
    experiment, settings = question.experiment, question.settings
    tables = tables_of(experiment, settings)
    assignments = read_assignments(tables["assignments"], experiment, threads=settings.threads)
    cohort = first_exposures(assignments, experiment).cohort
    cutoff = maturity_cutoff(experiment, tables["metrics"].last_day(experiment.tables.date_column))
    cohort = cohort.where((cohort.second_arm < 0) & is_mature(cohort, experiment, cutoff))
    units = Units(cohort.ids, cohort.start)
    with connect(settings) as engine:
        metrics = metrics_input(tables["metrics"], experiment, units, engine.device)
        features, _ = features_input(tables["features"], experiment, units, engine.device)
        job = JoinJob(units, metrics, features, join_plan(experiment, features.source))
        rows = [rows for _, rows in job.run(engine, slices=settings.slices)]
    return Joined(question, cohort, pd.concat(rows) if len(rows) > 1 else rows[0])


def to_arrow(result: Joined) -> pa.Table:
    """The answer's columns."""
    question, cohort = result.question, result.cohort
    start: npt.NDArray[np.int32] = cohort.start
    who = {
        "unit": cohort.ids,
        "arm": arm_labels(cohort.arm, question.experiment),
        "start": pa.array(start).cast(pa.date32()),
    }
    made = {name: pa.array(result.rows[FEATURE + name], from_pandas=True) for name in question.features}
    outcomes = {outcome.name: pa.array(result.rows[outcome.name]) for outcome in question.outcomes()}
    return pa.table({**who, **made, **outcomes})


def write(question: Question, target: Path) -> None:
    """Run the whole stage; its Parquet files are moved to the folder ``target``."""
    experiment, settings = question.experiment, question.settings
    folder = RunFolder.open(experiment, settings)
    result = run_stage(MINE, "prepare", run=folder)
    assert result is not None
    users = folder.read_manifest(result.manifest).outputs["users"].path
    Path(f"{folder.uri}/{users}".removeprefix("file://")).rename(target)
