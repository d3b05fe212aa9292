"""What all commands share: where they print, and how addresses on the command line are read."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from causal_tasks.settings import Settings
from causal_tasks.storage import Uri

console = Console()
errors = Console(stderr=True)

Lake = Annotated[str | None, typer.Option(help="Root of all data: s3://bucket or a folder. Default: CAUSAL_LAKE.")]
Revision = Annotated[int | None, typer.Option(help="Replaces the revision that the experiment states.")]


def uri(address: str) -> Uri:
    """An address as it is, a path as the ``file://`` address that ``Storage`` reads: nothing is encoded in it."""
    return address if "://" in address else f"file://{Path(address).resolve()}"


def settings_of(lake: str | None) -> Settings:
    """The settings of the environment, with another lake where one is named."""
    return Settings(lake=uri(lake)) if lake else Settings()


def experiment_address(experiment: str) -> str:
    """The address of an experiment's file where there is one of that name, else the id as it is."""
    return uri(experiment) if Path(experiment).is_file() else experiment


def stages_bar() -> Progress:
    """A bar that names the stage at work."""
    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
    )


@contextmanager
def rows_bar(description: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, and what to call with rows done and rows of the table to move it."""
    bar = Progress(
        TextColumn(description),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        disable=not errors.is_terminal,
    )
    with bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show(text: str, *, style: str | None = None) -> None:
    """Print a line as it is: no markup, no colours for numbers, never broken."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def note_new_levels(rows: Mapping[str, int]) -> None:
    """Say which features had values that a model does not know, given the rows of each."""
    for name, count in rows.items():
        show(f"note: {name} has new values in {count:,} rows; the model took them for missing", style="yellow")


def estimate_text(estimate: Mapping[str, Any], *, sign: str = "") -> str:
    """An estimate and its interval; ``sign`` is "+" where a gain needs one."""
    low, high = estimate["interval"]
    return f"{estimate['estimate']:{sign}.4g} [{low:{sign}.4g}, {high:{sign}.4g}]"
