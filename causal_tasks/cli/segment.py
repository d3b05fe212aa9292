"""Commands that learn segments from an experiment, and assign them to users of another table."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from causal_tasks.cli import terminal
from causal_tasks.cli.runs import run_with_progress
from causal_tasks.cli.terminal import (
    Lake,
    Revision,
    estimate_text,
    experiment_address,
    note_new_levels,
    rows_bar,
    settings_of,
    show,
    uri,
)
from causal_tasks.pipelines import SEGMENT
from causal_tasks.pipelines.execution import load_experiment, require_ready
from causal_tasks.run_folder import RunFolder

POLICIES = {
    "segments": "assigned segment",
    "best_in_segment": "its best creative",
    "separate": "separate models",
    "best_creative": "best creative for all",
    "best_segment": "best segment for all",
    "mix": "all mixed",
    "control": "control for all",
}
"""What is printed of each policy."""

AGAINST_BEST_CREATIVE = {
    "segments": "vs_best_creative",
    "best_in_segment": "best_in_segment_vs_best_creative",
    "separate": "separate_vs_best_creative",
}
"""Policies and their difference from the best creative."""


def segment(
    experiment: Annotated[str, typer.Argument(help="Id of an experiment in the lake, or its file (JSON or YAML).")],
    lake: Lake = None,
    revision: Revision = None,
) -> None:
    """Learn from one finished experiment who responds to which kind of message, and whether choosing by that pays."""
    settings = settings_of(lake)
    stated = load_experiment(experiment_address(experiment), settings, revision=revision)
    require_ready(stated)
    folder = RunFolder.open(stated, settings)
    run_with_progress(SEGMENT, folder)
    _summarise(folder)


def assign_segments(
    run: Annotated[str, typer.Argument(help="Run id <experiment_id>.r<revision>, or the address of its folder.")],
    table: Annotated[str, typer.Argument(help="Parquet file, or folder of Parquet files, with the model's features.")],
    output: Annotated[str, typer.Argument(metavar="OUT", help="Parquet file to write; never replaced.")],
    unit: Annotated[str | None, typer.Option(help="Column of ids. Default: that of the experiment.")] = None,
    new_levels: Annotated[
        Literal["error", "missing"], typer.Option(help="What a category is that the model has not learned from.")
    ] = "error",
    lake: Lake = None,
) -> None:
    """Assign a segment to the users of a table by what a run has learned; nothing is trained."""
    from causal_tasks.segments.assigned_table import assign_table

    with rows_bar("assigning") as progress:
        written = assign_table(
            run,
            uri(table),
            uri(output),
            unit=unit,
            new_levels=new_levels,
            settings=settings_of(lake),
            progress=progress,
        )
    note_new_levels(written.new_levels)
    for name, users in written.users.items():
        show(f"{name}: {users:,} rows ({users / written.rows:.1%})")
    show(f"file: {written.uri} ({written.rows:,} rows)")


def _summarise(folder: RunFolder) -> None:
    from causal_tasks.report.segments.content import tell_segments

    result = folder.storage.read_json(f"{folder.uri}/{SEGMENT.published('result')}")
    content = tell_segments(result, folder.experiment.delivery.languages[0])
    terminal.console.print(f"\n{content.headline}", style="bold", markup=False, highlight=False)
    terminal.console.print(content.action, markup=False, highlight=False)
    if result["policies"]:
        terminal.console.print(_segments(result), _policies(result))
        show(f"file:   {folder.uri}/{result['run']['assignments']}")
    show(f"report: {folder.uri}/{SEGMENT.published('report')}")


def _segments(result: Mapping[str, Any]) -> Table:
    """What was found of each segment."""
    table = Table("segment", "creatives", "verdict", "they share", "share assigned")
    for row in result["segments"]:
        terms = [_term(found["term"], found["coefficient"]) for found in row["shared"][:3]]
        table.add_row(
            Text(row["segment"]),
            Text(", ".join(row["creatives"])),
            Text(row["verdict"]),
            Text(", ".join(terms) or "-"),
            Text(f"{row['share']:.1%}"),
        )
    return table


def _term(term: Mapping[str, Any], coefficient: float) -> str:
    """A covariate with the sign of its coefficient."""
    words = {
        "number": term["column"],
        "level": f"{term['column']} = {term['level']}",
        "missing": f"{term['column']} missing",
    }
    return f"{'+' if coefficient > 0 else '-'} {words[term['kind']]}"


def _policies(result: Mapping[str, Any]) -> Table:
    """What each policy brings."""
    table = Table("who is shown what", result["response"], "less best creative")
    for policy, words in POLICIES.items():
        value, difference = result["policies"][policy], AGAINST_BEST_CREATIVE.get(policy)
        if value:
            against = estimate_text(result["differences"][difference], sign="+") if difference else "-"
            table.add_row(Text(words), Text(estimate_text(value)), Text(against))
    return table
