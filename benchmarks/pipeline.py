"""``python -m benchmarks.pipeline``: what every stage of mining takes, each task in a process of its own."""

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer

from benchmarks.document import PAGE, circumstances, gigabytes, ratio, seconds, table, write_section
from benchmarks.interruption import run_command
from benchmarks.processes import Usage
from benchmarks.schedule import Schedule, Task, run_schedule
from benchmarks.workload import tables_of, write_workload
from causal_tasks.experiment import Mining
from causal_tasks.pipelines import MINE
from causal_tasks.settings import Settings


@dataclass(frozen=True, slots=True)
class Run:
    """One size of the experiment, mined.

    Attributes:
        users: In the experiment.
        analysed: Users who were left after ``prepare``.
        table_rows: Rows of the three tables.
        schedule: What it took.
    """

    users: int
    analysed: int
    table_rows: int
    schedule: Schedule


def mine(lake: Path, *, users: int, mining: Mining, parallel: int) -> Run:
    """Simulate an experiment and mine it.

    Args:
        lake: An empty folder.
        users: In the experiment.
        mining: Candidates, finalists and trials.
        parallel: Tasks at a time.

    Raises:
        MeasurementError: A stage failed, or had nothing to do.
    """
    settings = Settings(lake=f"file://{lake}")
    experiment = write_workload(settings, users=users, mining=mining)
    table_rows = sum(rows.rows for rows in tables_of(experiment, settings).values())
    schedule = run_schedule(
        MINE,
        settings,
        experiment_id=experiment.experiment_id,
        parallel=parallel,
        say=lambda line: _say(f"{users:,} users: {line}"),
    )
    result = json.loads(Path(f"{schedule.run}/result.json".removeprefix("file://")).read_text())
    return Run(users, sum(result["waterfall"]["steps"][-1]["units"].values()), table_rows, schedule)


Groups = Mapping[str, Mapping[Task, Usage]]
"""What the tasks took that share a line of a table."""


def by_stage(run: Run) -> Groups:
    """The tasks of every stage, in the pipeline's order."""
    usage = run.schedule.usage
    return {stage.name: {task: usage[task] for task in usage if task.stage == stage.name} for stage in MINE.stages}


def by_candidate(run: Run) -> Groups:
    """The training of the candidates that share a task, in the order of their names."""
    usage = run.schedule.usage
    return {", ".join(task.items): {task: usage[task]} for task in sorted(usage, key=str) if task.stage == "train"}


def usage_table(title: str, runs: Sequence[Run], groups: Callable[[Run], Groups], *, total: bool = False) -> str:
    """A line for every group: wall and CPU seconds added up, the largest peak, users per second, for every size.

    Where there are several sizes, the last column is the growth of the wall time from the first to the last of them,
    divided by the growth of the number of users: 1 is linear.

    Args:
        title: Of the first column.
        runs: One for each size; all have the same groups.
        groups: Of a run.
        total: Whether a last line says what the whole runs took, from the first start to the last end.
    """
    grouped = [groups(run) for run in runs]
    columns = ("wall s", "CPU s", "peak GB", "users/s")
    header = [
        title,
        *(f"{run.users:,} users: {name}" if name == columns[0] else name for run in runs for name in columns),
    ]
    rows = []
    for name in grouped[0]:
        taken = [group[name] for group in grouped]
        rows.append([_label(name, taken[0]), *_cells(runs, taken, [_seconds(usage) for usage in taken])])
    if total:
        everything = [run.schedule.usage for run in runs]
        rows.append(["the whole run", *_cells(runs, everything, [run.schedule.seconds for run in runs], passes=1)])
    return table([*header, *(["growth / linear"] if len(runs) > 1 else [])], rows)


def _label(name: str, taken: Mapping[Task, Usage]) -> str:
    """The name, of several items their number, and that of the tasks that ran them where some shared one."""
    items = sum(task.passes for task in taken)
    if items == 1:
        return name
    return f"{name} ({items})" if len(taken) == items else f"{name} ({items} in {len(taken)})"


def _seconds(taken: Mapping[Task, Usage]) -> float:
    return sum(usage.seconds for usage in taken.values())


def _cells(
    runs: Sequence[Run], taken: Sequence[Mapping[Task, Usage]], walls: Sequence[float], *, passes: int | None = None
) -> list[str]:
    cells = []
    for run, usages, wall in zip(runs, taken, walls, strict=True):
        cpu = sum(usage.cpu_seconds for usage in usages.values())
        peak = max(usage.peak_bytes for usage in usages.values())
        users = run.analysed * (passes or sum(task.passes for task in usages))
        cells += [seconds(wall), seconds(cpu), gigabytes(peak), f"{users / wall:,.0f}"]
    if len(runs) > 1:
        cells.append(ratio(walls[-1] / walls[0] / (runs[-1].users / runs[0].users)))
    return cells


def _input_line(run: Run) -> str:
    wall = _seconds(by_stage(run)["prepare"])
    return (
        f"{run.users:,} users: `prepare` reads {run.table_rows:,} rows of three tables, {run.table_rows / wall:,.0f} a "
        f"second, and leaves {run.analysed:,} users."
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(
    users: Annotated[list[int] | None, typer.Option(help="Size; repeat. Default: 100000 and 1000000.")] = None,
    candidates: Annotated[list[str] | None, typer.Option(help="To train; repeat. Default: all.")] = None,
    finalists: Annotated[int, typer.Option(min=1, help="Candidates that are tuned.")] = 3,
    trials: Annotated[int, typer.Option(min=1, help="Tuning trials of each.")] = 20,
    parallel: Annotated[int, typer.Option(min=1, help="Tasks at a time, which share the cores.")] = 1,
    airflow: Annotated[bool, typer.Option(help="Also mine the first size through the real scheduler.")] = False,
    keep: Annotated[bool, typer.Option(help="Leave the lakes and say where they are.")] = False,
    page: Annotated[Path, typer.Option(help="Markdown file with the markers of 'pipeline' and 'airflow'.")] = PAGE,
) -> None:
    """Mine experiments of several sizes and write what every stage took into the page."""
    before = circumstances("benchmarks.pipeline")
    sizes = users or [100_000, 1_000_000]
    mining = Mining(candidates=tuple(candidates or Mining().candidates), finalists=finalists, trials=trials)
    folder = Path(mkdtemp(prefix="benchmark-pipeline-"))
    try:
        runs = [mine(folder / str(size), users=size, mining=mining, parallel=parallel) for size in sizes]
        content = "\n\n".join(
            [
                before,
                usage_table("stage (items in tasks)", runs, by_stage, total=True),
                "\n".join(_input_line(run) for run in runs),
                usage_table("`train` by task", runs, by_candidate),
            ]
        )
        print(content)
        write_section(page, "pipeline", content)
        if airflow:
            from benchmarks.airflow_overhead import measure_overhead

            content = "\n\n".join([before, measure_overhead(folder / "stack", users=sizes[0], mining=mining, say=_say)])
            print(content)
            write_section(page, "airflow", content)
    finally:
        if keep:
            _say(f"the lakes are in {folder}")
        else:
            shutil.rmtree(folder)


if __name__ == "__main__":
    run_command(main)
