"""The command that applies what a run has learned to users of another table."""

import time
from typing import Annotated, Literal

import typer

from causal_tasks.cli.terminal import Lake, note_new_levels, rows_bar, settings_of, show


def score(
    model: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Run id <experiment_id>.r<revision>, id of an experiment in the lake, or folder of a run or of a "
            "saved learner.",
        ),
    ],
    table: Annotated[str, typer.Argument(help="Parquet file, or folder of Parquet files, with the model's features.")],
    output: Annotated[str, typer.Argument(metavar="OUT", help="Parquet file to write; never replaced.")],
    unit: Annotated[
        str | None, typer.Option(help="Column of ids. Default: that of the experiment; a saved learner needs it.")
    ] = None,
    new_levels: Annotated[
        Literal["error", "missing"], typer.Option(help="What a category is that the model has not learned from.")
    ] = "error",
    lake: Lake = None,
) -> None:
    """Predict the effect on every user of a table, and say to which mined rules each of them belongs."""
    from causal_tasks.uplift.scoring import score_table

    began = time.monotonic()
    with rows_bar("scoring") as progress:
        scored = score_table(
            model,
            table,
            output,
            unit=unit,
            new_levels=new_levels,
            settings=settings_of(lake),
            progress=progress,
        )
    for column in scored.rules:
        mined = column.mined
        about = f"{mined.id}, {mined.kind} for {mined.treatment}, {mined.grade}"
        show(f"{column.name}: {mined.words} ({about}): {column.members:,} rows ({column.members / scored.rows:.1%})")
    note_new_levels(scored.new_levels)
    show(f"{scored.rows:,} rows in {time.monotonic() - began:.1f} s: {scored.uri}")
