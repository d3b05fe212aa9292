"""``python -m local_stack``: the stack from the command line."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from causal_tasks.errors import CausalTasksError
from local_stack.stack import STATE, Stack, running_stack
from local_stack.supervision import stop

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)

Root = Annotated[Path, typer.Option(help="State folder: data, logs, records of processes.")]
Port = Annotated[int | None, typer.Option(help="Of the Airflow UI. Default: a free one.")]


@app.command()
def up(root: Root = STATE, port: Port = None, fresh: bool = False) -> None:
    """Start everything and stay until Ctrl-C or ``down``; ``--fresh`` begins with an empty lake."""
    began = time.monotonic()
    with running_stack(root, port=port, fresh=fresh) as stack:
        print(f"up after {time.monotonic() - began:.0f} s", flush=True)
        _stay(stack)


@app.command()
def down(root: Root = STATE) -> None:
    """Stop everything that was started in a state folder, whoever started it."""
    print("stopped" if stop(root) else "nothing was up")


@app.command()
def status(root: Root = STATE) -> None:
    """Say where the stack is, how to log in, and whether it is healthy."""
    stack = Stack.load(root)
    _describe(stack)
    unhealthy = stack.airflow().unhealthy()
    print(f"not healthy: {', '.join(unhealthy)}" if unhealthy else "all of Airflow is healthy")
    raise typer.Exit(1 if unhealthy else 0)


@app.command()
def demo(
    root: Root = STATE,
    port: Port = None,
    users: Annotated[int, typer.Option(envvar="USERS", min=1000, help="Users in the simulated experiment.")] = 100_000,
) -> None:
    """Mine a simulated experiment from end to end; on a terminal the UI stays until Ctrl-C (KEEP=0: it does not)."""
    from local_stack.demo import run_demo  # noqa: PLC0415 - loads pandas, which no other command needs

    keep = os.environ.get("KEEP", "1" if sys.stdin.isatty() else "0") != "0"
    with running_stack(root, port=port, fresh=True) as stack:
        run_demo(stack, root, users=users)
        if keep:
            print()
            _stay(stack)


def _describe(stack: Stack) -> None:
    print(f"Airflow       {stack.address}   user {stack.user}   password {stack.password}")
    print(f"S3            {stack.store.endpoint}   key {stack.store.key}   secret {stack.store.secret}")
    print(f"group inbox   {stack.robot.inbox}", flush=True)


def _stay(stack: Stack) -> None:
    _describe(stack)
    print("Ctrl-C ends it.", flush=True)
    with suppress(KeyboardInterrupt):
        signal.pause()


def _end(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main() -> None:
    """Run the command line; a known error prints its cause and remedy and exits with 1."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    try:
        app()
    except CausalTasksError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
