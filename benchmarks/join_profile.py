"""``python -m benchmarks.join_profile``: where the CPU seconds of the join go, on one thread."""

import cProfile
import pstats
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import dask
import typer

from benchmarks.document import PAGE, circumstances, seconds, table, write_section
from benchmarks.engines import library
from benchmarks.engines.question import Question, ask
from benchmarks.interruption import run_command
from benchmarks.workload import write_workload
from causal_tasks import frames
from causal_tasks.settings import Settings


@contextmanager
def in_this_thread(settings: Settings) -> Iterator[frames.Engine]:
    """The engine with partitions worked on one after the other in this thread, where the profiler sees them."""
    with frames.connect(settings) as engine, dask.config.set(scheduler="synchronous"):
        yield engine


def profile_join(question: Question) -> dict[str, float]:
    """CPU seconds of the join by phase; they add up to the whole."""
    profile = cProfile.Profile(time.process_time)
    profile.runcall(library.join, question, connect=in_this_thread)
    return _phases(_Calls(pstats.Stats(profile).stats))  # type: ignore[attr-defined]


class _Calls:
    """Cumulative seconds by function."""

    def __init__(self, stats: dict[Any, Any]) -> None:
        self._stats = stats

    def seconds(self, module: str, function: str, *, caller: str | None = None) -> float:
        """Of ``function`` in a file ``module.py``; only what ``caller`` called, where it is named."""
        found = [entry for key, entry in self._stats.items() if self._is(key, module, function)]
        if not found:
            raise LookupError(f"the profile holds no call of {module}.{function}")
        if caller is None:
            return float(sum(entry[3] for entry in found))
        return float(sum(part[3] for entry in found for key, part in entry[4].items() if key[2] == caller))

    @staticmethod
    def _is(key: tuple[str, int, str], module: str, function: str) -> bool:
        return key[2] == function and key[0].endswith(f"/{module}.py")


def _phases(calls: _Calls) -> dict[str, float]:
    cohort = calls.seconds("assignments", "read_assignments") + calls.seconds("cohort", "first_exposures")
    graph = calls.seconds("frames", "compute")
    load, read = calls.seconds("rows", "load_rows"), calls.seconds("tables", "read_pieces", caller="load_rows")
    # ``map_together`` tries it on empty partitions, before the graph runs.
    finish = calls.seconds("join", "join_partition") - calls.seconds("join", "join_partition", caller="map_together")
    newest = calls.seconds("join", "newest") - calls.seconds("join", "newest", caller="snapshot")
    return {
        "assignments to cohort": cohort,
        "read and decode Parquet": read,
        "look up users, filter rows, make frames": load - read,
        "cut features to the newest day of each chunk": newest,
        "move rows to their partition and sort them": graph - load - newest - finish,
        "aggregate windows and put rows together": finish,
        "the rest: footers, checks, plan": calls.seconds("library", "join") - cohort - graph,
    }


def main(
    users: Annotated[int, typer.Option(help="In the experiment.")] = 1_000_000,
    page: Annotated[Path, typer.Option(help="Markdown file with the markers of section 'join_profile'.")] = PAGE,
) -> None:
    """Profile the join and write the shares into the page."""
    before = circumstances("benchmarks.join_profile")
    with TemporaryDirectory(prefix="benchmark-profile-") as folder:
        settings = Settings(lake=f"file://{folder}/lake")
        question = ask(write_workload(settings, users=users), settings)
        # Once before: then imports are done, and the files are in the page cache.
        library.join(question, connect=in_this_thread)
        taken = profile_join(question)
    whole = sum(taken.values())
    rows = [[phase, seconds(cpu), f"{cpu / whole:.0%}"] for phase, cpu in taken.items()]
    content = "\n\n".join([before, table([f"{users:,} users", "CPU s", "share"], rows)])
    print(content)
    write_section(page, "join_profile", content)


if __name__ == "__main__":
    run_command(main)
