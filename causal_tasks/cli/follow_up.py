"""Commands after a rule was found: whom it speaks of now, and what came of the rules that were followed up."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from causal_tasks.cli import terminal
from causal_tasks.cli.terminal import Lake, settings_of, show, uri
from causal_tasks.lake import uri_of_run
from causal_tasks.run_folder import RunFolder
from causal_tasks.storage import Storage


def audience(
    run: Annotated[str, typer.Argument(help="Run id <experiment_id>.r<revision>, or the address of its folder.")],
    rule: Annotated[str, typer.Argument(help="Id of a subpopulation in the run's result, such as s1.")],
    output: Annotated[str, typer.Option(help="Address of the Parquet file to write; never replaced.")],
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day of features that counts. Default: newest.")
    ] = None,
    lake: Lake = None,
) -> None:
    """Write the ids of all users who fulfil a mined rule, one column, as Parquet."""
    from causal_tasks.subpopulations.audience import write_audience

    settings = settings_of(lake)
    folder = RunFolder.existing(uri_of_run(uri(run) if Path(run).is_dir() else run, settings), settings)
    day = as_of.date() if as_of else None
    found = write_audience(folder, rule, uri(output), as_of=day)
    language, names = folder.experiment.delivery.languages[0], folder.experiment.features.display_names()
    show(f"rule:     {found.rule.in_words(language, names)} ({found.grade})")
    known = f" known on {found.as_of}" if found.as_of else ""
    show(f"audience: {found.members:,} of {found.users:,} users{known} ({found.share:.1%})")
    show(f"file:     {found.uri}")


def ledger(lake: Lake = None) -> None:
    """Show every finding that was followed up: the effect that was predicted, and the one that came."""
    from causal_tasks.subpopulations.ledger import Entry, Summary, read_ledger

    settings = settings_of(lake)
    entries = read_ledger(Storage(settings), settings)
    if not entries:
        show("The ledger is empty: no follow-up experiment has been mined yet.")
        return
    colours = {"confirmed": "green", "retired": "red", "open": "yellow"}

    def row(entry: Entry) -> tuple[Text, ...]:
        follows, realised = entry.follows, entry.realised
        return (
            Text(f"{entry.experiment_id}.r{entry.revision}"),
            Text(f"{follows.treatment}: {entry.words['en']}"),
            Text(entry.metric),
            Text(_effect(follows.predicted.estimate, follows.predicted.interval)),
            Text(_effect(realised.estimate, realised.interval)),
            Text("" if entry.ratio is None else f"{entry.ratio:.2f}"),
            Text(entry.verdict, style=colours[entry.verdict]),
        )

    table = Table("follow-up", "rule", "metric", "predicted", "realised", "ratio", "verdict")
    for entry in entries:
        table.add_row(*row(entry))
    terminal.console.print(table)
    summary = Summary.of(entries)
    show(", ".join(f"{verdict}: {count}" for verdict, count in sorted(summary.verdicts.items())))
    if summary.as_predicted is not None:
        show(
            f"{summary.as_predicted:.0%} of {summary.measured} predicted intervals hold the realised effect; realised "
            f"over predicted effect: {summary.median_ratio:.2f} (median)"
        )


def _effect(estimate: float | None, interval: tuple[float | None, float | None]) -> str:
    low, high = interval
    if estimate is None or low is None or high is None:
        return "not defined"
    return f"{estimate:+.4g} [{low:+.4g}, {high:+.4g}]"
