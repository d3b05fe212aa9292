"""Commands that spend a budget: on the users of an experiment, and on others with what was learned there."""

from collections.abc import Mapping, Sequence
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
from causal_tasks.errors import InputError
from causal_tasks.pipelines import ALLOCATE
from causal_tasks.pipelines.execution import load_experiment, require_ready
from causal_tasks.run_folder import RunFolder


def allocate(
    experiment: Annotated[str, typer.Argument(help="Id of an experiment in the lake, or its file (JSON or YAML).")],
    budget: Annotated[
        list[float] | None, typer.Option(help="Per user; repeat. Default: as the experiment states.")
    ] = None,
    method: Annotated[list[str] | None, typer.Option(help="To compare; repeat. Default: as stated.")] = None,
    price: Annotated[
        list[str] | None, typer.Option(help="ARM=PRICE, what an arm costs for everybody; repeat. Others are free.")
    ] = None,
    logs: Annotated[str | None, typer.Option(help="Table of users whose arms were not drawn at random.")] = None,
    lake: Lake = None,
    revision: Revision = None,
) -> None:
    """Learn from one finished experiment who should get which arm at each budget, and what that brings."""
    settings = settings_of(lake)
    stated = load_experiment(experiment_address(experiment), settings, revision=revision)
    params = {
        "budgets": budget or None,
        "methods": method or None,
        "prices": _by_arm(price, "price") if price else None,
        "logs": uri(logs) if logs else None,
    }
    stated = ALLOCATE.restated(stated, params)
    require_ready(stated)
    folder = RunFolder.open(stated, settings)
    run_with_progress(ALLOCATE, folder)
    _summarise(folder)


def reallocate(
    run: Annotated[str, typer.Argument(help="Run id <experiment_id>.r<revision>, or the address of its folder.")],
    table: Annotated[str, typer.Argument(help="Parquet file, or folder of Parquet files, with the model's features.")],
    output: Annotated[str, typer.Argument(metavar="OUT", help="Parquet file to write; never replaced.")],
    budget: Annotated[float | None, typer.Option(help="For all users of the table together.")] = None,
    budget_per_user: Annotated[float | None, typer.Option(help="On average.")] = None,
    capacity: Annotated[
        list[str] | None, typer.Option(help="ARM=USERS, who may get an arm at most; repeat. Others have no bound.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Column of ids. Default: that of the experiment.")] = None,
    new_levels: Annotated[
        Literal["error", "missing"], typer.Option(help="What a category is that the model has not learned from.")
    ] = "error",
    lake: Lake = None,
) -> None:
    """Spend a budget on the users of a table by the method that a run chose; nothing is trained."""
    from causal_tasks.allocation.knapsack.allocation import NOT_BINDING
    from causal_tasks.allocation.reallocation import ARM
    from causal_tasks.allocation.reallocation import reallocate as spend_anew

    amount = budget if budget is not None else budget_per_user
    if amount is None or (budget is not None and budget_per_user is not None):
        raise InputError("a budget is for all users or per user", remedy="give either --budget or --budget-per-user")
    with rows_bar("predicting") as progress:
        written = spend_anew(
            run,
            uri(table),
            uri(output),
            budget=amount,
            per_user=budget is None,
            capacity=_capacities(capacity or []),
            unit=unit,
            new_levels=new_levels,
            settings=settings_of(lake),
            progress=progress,
        )
    spent = written.spending[ARM]
    note_new_levels(written.new_levels)
    if NOT_BINDING in spent["notes"]:
        show("note: everybody has the best arm already; more money brings nothing", style="yellow")
    show(
        f"spend:    {spent['spend']:,.2f} of {spent['budget']:,.2f}; one more brings about {spent['shadow_price']:.3g}"
    )
    show(f"arms:     {_shares(spent['shares'], list(spent['shares']))}")
    show(f"file:     {written.uri} ({written.rows:,} rows)")


def _capacities(stated: Sequence[str]) -> dict[str, int]:
    """Users by arm from ARM=USERS.

    Raises:
        InputError: One is not of that form, or no whole number.
    """
    numbers = _by_arm(stated, "capacity")
    if broken := {arm: users for arm, users in numbers.items() if not users.is_integer()}:
        raise InputError(f"--capacity is no whole number of users: {broken}", remedy="write --capacity coupon_10=500")
    return {arm: int(users) for arm, users in numbers.items()}


def _by_arm(stated: Sequence[str], option: str) -> dict[str, float]:
    """Numbers by arm from ARM=NUMBER.

    Raises:
        InputError: One is not of that form.
    """
    numbers = {}
    for text in stated:
        arm, mark, number = text.rpartition("=")
        try:
            numbers[arm] = float(number)
        except ValueError:
            mark = ""
        if not mark or not arm:
            raise InputError(f"--{option} {text!r} is not ARM=NUMBER", remedy=f"write --{option} coupon_10=0.5")
    return numbers


def _summarise(folder: RunFolder) -> None:
    from causal_tasks.report.allocation.content import tell_allocation

    result = folder.storage.read_json(f"{folder.uri}/{ALLOCATE.published('result')}")
    content = tell_allocation(result, folder.experiment.delivery.languages[0])
    terminal.console.print(f"\n{content.headline}", style="bold", markup=False, highlight=False)
    terminal.console.print(content.action, markup=False, highlight=False)
    if result["overall"]:
        terminal.console.print(_values(result), _arms(result))
        show(f"\nmethod: {result['methods']['chosen']} ({result['methods']['reason']})")
        show(f"file:   {folder.uri}/{result['run']['allocation']}")
    show(f"report: {folder.uri}/{ALLOCATE.published('report')}")


def _values(result: Mapping[str, Any]) -> Table:
    """What every budget brings."""
    table = Table("budget per user", "outcome per user", "above the same for all", "the next 1 brings")
    for row in result["budgets"]:
        table.add_row(
            Text(f"{row['budget']:g}"),
            Text(estimate_text(row["policies"]["chosen"]["outcome"])),
            Text(estimate_text(row["differences"]["vs_constant"], sign="+")),
            Text(f"{row['shadow_price']:.3g}"),
        )
    return table


def _arms(result: Mapping[str, Any]) -> Table:
    """Share of users by arm at every budget."""
    budgets = result["budgets"]
    table = Table("share of users", *(f"at {row['budget']:g}" for row in budgets))
    for arm in result["arms"]:
        table.add_row(Text(arm), *(Text(f"{row['shares'][arm]:.1%}") for row in budgets))
    return table


def _shares(shares: Mapping[str, float], arms: Sequence[str]) -> str:
    return ", ".join(f"{arm} {shares[arm]:.1%}" for arm in arms)
