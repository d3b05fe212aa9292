"""The command that serves decisions of a feed."""

import logging
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from causal_tasks.cli.terminal import Lake, settings_of
from causal_tasks.errors import ConfigurationError, InputError
from causal_tasks.experiment_parts import Id
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage

_GRACE_SECONDS = 10
_KEEP_ALIVE_SECONDS = 75
"""Longer than balancers keep idle connections (60 s): who closes second never loses a request that was just sent."""


def serve(
    feed: Annotated[str, typer.Argument(help="Id of a feed whose days are published in the lake.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65_535)] = 8090,
    poll: Annotated[float, typer.Option(help="Seconds between looks for a newer manifest.", min=0.1)] = 10.0,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for copies, of this process alone. Default: a new one, then removed.")
    ] = None,
    lake: Lake = None,
) -> None:
    """Answer over HTTP which arm a request gets, by the newest day of a feed; POST /decide, GET /health, /metrics."""
    try:
        import uvicorn

        from causal_tasks.dynamic.serving.app import create_app
    except ModuleNotFoundError as error:
        if error.name not in {"fastapi", "uvicorn"}:
            raise
        raise ConfigurationError(
            f"serving needs {error.name}, which is not installed", remedy='pip install "causal-tasks[serve]"'
        ) from error
    from causal_tasks.dynamic.serving.hot_swap import HotSwap

    settings = settings_of(lake)
    _check(feed, settings)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # uvicorn ends what is under way and then sends itself the signal again, which would leave the folder behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with TemporaryDirectory(prefix="causal-serve-") as temporary:
        swap = HotSwap(feed, settings, cache=cache or Path(temporary), poll=poll)
        uvicorn.run(
            create_app(swap),
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )


def _check(feed: str, settings: Settings) -> None:
    """Raises InputError for what no manifest could ever be found by: a server would wait for it without end."""
    try:
        TypeAdapter(Id).validate_python(feed)
    except ValidationError as error:
        raise InputError(
            f"{feed!r} is no id of a feed", remedy="name the feed_id of its statement, not the file"
        ) from error
    Storage(settings).filesystem(settings.lake)
