"""The command line: everything the library does, for people and for other processes."""

import os

# Before any OpenMP library loads: threads that spin while they wait slow down fits that share cores up to 80 times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from collections.abc import Callable

import typer

from causal_tasks.cli.allocate import allocate, reallocate
from causal_tasks.cli.data import import_dataset, simulate, simulate_coupons, simulate_creatives, simulate_videos
from causal_tasks.cli.feed import daily
from causal_tasks.cli.follow_up import audience, ledger
from causal_tasks.cli.machine import doctor, schema
from causal_tasks.cli.runs import message, run, stage
from causal_tasks.cli.score import score
from causal_tasks.cli.segment import assign_segments, segment
from causal_tasks.cli.serve import serve
from causal_tasks.cli.terminal import errors
from causal_tasks.errors import CausalTasksError, InputError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)
_COMMANDS: dict[str, Callable[..., None]] = {
    "run": run,
    "stage": stage,
    "message": message,
    "score": score,
    "allocate": allocate,
    "reallocate": reallocate,
    "segment": segment,
    "assign-segments": assign_segments,
    "serve": serve,
    "daily": daily,
    "audience": audience,
    "ledger": ledger,
    "simulate": simulate,
    "simulate-coupons": simulate_coupons,
    "simulate-creatives": simulate_creatives,
    "simulate-videos": simulate_videos,
    "import": import_dataset,
    "doctor": doctor,
    "schema": schema,
}
for name, command in _COMMANDS.items():
    app.command(name)(command)


def main() -> None:
    """Run the command line; a known error prints its cause and remedy and exits with 2 (wrong input) or 1."""
    try:
        app()
    except CausalTasksError as error:
        errors.print(f"[bold red]{type(error).__name__}[/]: ", end="")
        errors.print(error.message, markup=False, highlight=False)
        if error.remedy:
            errors.print(f"What to do: {error.remedy}", markup=False, highlight=False)
        raise SystemExit(2 if isinstance(error, InputError) else 1) from None
