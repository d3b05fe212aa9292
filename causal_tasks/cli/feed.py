"""Commands about a feed of a recommender: score one of its days."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from causal_tasks.cli import terminal
from causal_tasks.cli.terminal import Lake, estimate_text, settings_of, show, stages_bar, uri
from causal_tasks.errors import InputError


def daily(
    feed: Annotated[str, typer.Argument(help="Id of a feed in the lake, or its file (JSON).")],
    day: Annotated[str, typer.Argument(metavar="DATE", help="Day to score, as in 2026-10-31.")],
    lake: Lake = None,
) -> None:
    """Learn from the days before one of a feed's days, score its users, and say what deciding by that brings."""
    from causal_tasks.dynamic.day import FeedDay, load_feed
    from causal_tasks.pipelines.daily import DAILY, run_day

    settings = settings_of(lake)
    scored = _date(day)
    stated = load_feed(uri(feed) if Path(feed).is_file() else feed, settings)
    with stages_bar() as bar:
        task = bar.add_task("starting", total=len(DAILY.stages))

        def advance(stage: str, ended: bool) -> None:
            bar.update(task, description=stage, advance=int(ended))

        result = run_day(stated, scored, settings, progress=advance)
    _summarise(result, FeedDay(stated, scored, settings).uri)


def _date(stated: str) -> date:
    try:
        return date.fromisoformat(stated)
    except ValueError as error:
        raise InputError(f"{stated!r} is no date", remedy="write it as 2026-10-31") from error


def _summarise(result: Mapping[str, Any], folder: str) -> None:
    from causal_tasks.report.dynamic.content import tell_day

    content = tell_day(result, result["feed"]["delivery"]["languages"][0])
    terminal.console.print(f"\n{content.headline}", style="bold", markup=False, highlight=False)
    terminal.console.print(content.action, markup=False, highlight=False)
    terminal.console.print(_values(result))
    if not result["run"]["published"]:
        show(f"note:   {result['run']['kept']} goes on being served: it is later", style="yellow")
    show(f"scores: {folder}/{result['run']['scores']}")
    show(f"report: {folder}/report.html")


def _values(result: Mapping[str, Any]) -> Table:
    """What every policy brings, and how the dynamic one differs from it."""
    table = Table(f"decision by {result['measured_by']}", "value", "dynamic less this")
    for name, policy in result["policies"].items():
        difference = result["differences"].get(f"dynamic_vs_{name}")
        table.add_row(
            Text(name),
            Text(estimate_text(policy["value"])),
            Text(estimate_text(difference, sign="+") if difference else ""),
        )
    return table
