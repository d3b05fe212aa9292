"""Ports that are free on every interface at the moment of asking."""

import random
import socket
from contextlib import ExitStack

from causal_tasks.errors import ConfigurationError

GRPC_OFFSET = 10_000
"""SeaweedFS serves gRPC at its HTTP port plus this."""

_LOWEST, _HIGHEST = 12_000, 22_000  # with the offset still below 32768, where Linux hands out client ports


def require_free(port: int) -> int:
    """``port`` itself, if nobody listens there.

    Raises:
        ConfigurationError: Somebody does. Starting anyway would be worse than failing: health checks and the
            scheduler's workers would talk to the stranger.
    """
    with ExitStack() as held:
        if not _hold(port, held):
            raise ConfigurationError(f"port {port} is taken", remedy="free it, or leave the port to be chosen")
    return port


def free_ports(count: int) -> list[int]:
    """Distinct free ports, each with its gRPC sibling free as well.

    Raises:
        ConfigurationError: There are not enough of them.
    """
    candidates = random.SystemRandom().sample(range(_LOWEST, _HIGHEST), k=_HIGHEST - _LOWEST)
    chosen: list[int] = []
    with ExitStack() as held:
        for port in candidates:
            if len(chosen) == count:
                return chosen
            if _hold(port, held) and _hold(port + GRPC_OFFSET, held):
                chosen.append(port)
    raise ConfigurationError(
        f"fewer than {count} free ports between {_LOWEST} and {_HIGHEST}", remedy="stop what occupies them"
    )


def _hold(port: int, held: ExitStack) -> bool:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.enter_context(listener)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("", port))
        listener.listen()
    except OSError:
        return False
    return True
