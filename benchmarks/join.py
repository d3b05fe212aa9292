"""``python -m benchmarks.join``: the join of three tables against DuckDB and Polars, on the same files in one run."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import pyarrow.parquet as pq
import typer

from benchmarks.document import PAGE, circumstances, gigabytes, ratio, seconds, table, write_section
from benchmarks.engines import ENGINES
from benchmarks.environment import stage_environment
from benchmarks.equality import differing_columns
from benchmarks.interruption import run_command
from benchmarks.processes import MeasurementError, measure
from benchmarks.workload import write_workload
from causal_tasks.experiment import Experiment
from causal_tasks.settings import Settings

OURS = "causal_tasks"

_TASKS = {
    ("join", OURS): "join in memory: causal_tasks",
    ("join", "duckdb"): "join in memory: DuckDB",
    ("join", "polars"): "join in memory: Polars",
    ("write", OURS): "sorted on disk: causal_tasks, the whole stage `prepare`",
    ("write", "duckdb"): "sorted on disk: DuckDB",
    ("write", "polars"): "sorted on disk: Polars",
}

Case = tuple[str, str]
"""Task and engine."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One answer of one engine.

    Attributes:
        seconds: Wall time from the question to the answer, without imports.
        cpu_seconds: Of the same span, all threads.
        peak_bytes: Of the whole process, imports included.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def installed_engines() -> tuple[str, ...]:
    """This library and those of its peers that are installed."""
    return tuple(engine for engine in ENGINES if find_spec(engine))


def compare(users: int, engines: Sequence[str], *, repeats: int) -> dict[Case, Timing]:
    """The best of some answers of every engine to every task, each in a process of its own, in turns.

    Args:
        users: In the experiment.
        engines: Of ``ENGINES``.
        repeats: Answers per engine and task, after one that is only checked.

    Raises:
        MeasurementError: The answers differ, or an engine failed.
    """
    with TemporaryDirectory(prefix="benchmark-join-") as folder:
        settings = Settings(lake=f"file://{folder}/lake")
        experiment = write_workload(settings, users=users)
        cases = [case for case in _TASKS if case[1] in engines]
        _require_equal_answers(cases, experiment, settings, Path(folder))
        best: dict[Case, Timing] = {}
        for number in range(repeats):
            for case in cases:
                timing = _answer(case, experiment, settings, Path(folder, "answer") if case[0] == "write" else None)
                _say(f"{users:,} users, {number + 1} of {repeats}: {_TASKS[case]} {timing.seconds:.2f} s")
                best[case] = min(best.get(case, timing), timing, key=lambda timing: timing.seconds)
    return best


def _require_equal_answers(cases: Sequence[Case], experiment: Experiment, settings: Settings, folder: Path) -> None:
    """Also leaves the tables in the page cache for every engine alike."""
    capped = {f"{prefix}{metric.name}" for metric in experiment.metrics if metric.cap for prefix in ("y__", "pre__")}
    answers = {case: folder / "-".join(case) for case in cases}
    for case, target in answers.items():
        _answer(case, experiment, settings, target, keep=True)
    expected = pq.read_table(answers["join", OURS])
    for case, target in answers.items():
        # The stage bounds a capped metric, which the join alone does not.
        uncapped = [name for name in expected.column_names if case != ("write", OURS) or name not in capped]
        differing = differing_columns(expected.select(uncapped), pq.read_table(target), key="unit")
        if differing:
            raise MeasurementError(
                f"{_TASKS[case]} differs from {_TASKS['join', OURS]} in {', '.join(differing)}",
                remedy="find out which of them is wrong",
            )
        _remove(target)
    _say(f"{expected.num_rows:,} users by {expected.num_columns} columns: all answers are equal")


def _answer(
    case: Case, experiment: Experiment, settings: Settings, target: Path | None, *, keep: bool = False
) -> Timing:
    task, engine = case
    command = [sys.executable, "-m", "benchmarks.engines", engine, task, experiment.experiment_id]
    usage, output = measure(
        command + (["--target", str(target)] if target else []), stage_environment(settings, parallel=1)
    )
    taken = json.loads(output)
    shutil.rmtree(f"{settings.lake.removeprefix('file://')}/runs", ignore_errors=True)
    if target and not keep:
        _remove(target)
    return Timing(taken["seconds"], taken["cpu_seconds"], usage.peak_bytes)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _rows(best: Mapping[Case, Timing]) -> Iterator[list[str]]:
    for case, timing in best.items():
        ours = best[case[0], OURS]
        yield [
            _TASKS[case],
            seconds(timing.seconds),
            seconds(timing.cpu_seconds),
            gigabytes(timing.peak_bytes),
            ratio(ours.seconds / timing.seconds),
            ratio(ours.cpu_seconds / timing.cpu_seconds),
        ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(
    users: Annotated[list[int] | None, typer.Option(help="Size; repeat. Default: 100000 and 1000000.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Answers per engine and task; the best one counts.")] = 3,
    page: Annotated[Path, typer.Option(help="Markdown file with the markers of section 'join'.")] = PAGE,
) -> None:
    """Compare the join with DuckDB's and Polars', and write the figures into the page."""
    parts = [circumstances("benchmarks.join")]
    engines = installed_engines()
    for missing in ENGINES.keys() - set(engines):
        _say(f"{missing} is not installed and left out: pip install -e '.[bench]' brings it")
    header = ["{users:,} users", "wall s", "CPU s", "peak GB", "ours / theirs: wall", "CPU"]
    for size in users or [100_000, 1_000_000]:
        best = compare(size, engines, repeats=repeats)
        parts.append(table([header[0].format(users=size), *header[1:]], list(_rows(best))))
    content = "\n\n".join(parts)
    print(content)
    write_section(page, "join", content)


if __name__ == "__main__":
    run_command(main)
