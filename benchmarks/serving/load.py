"""Load on a server: requests at times that do not depend on its answers, or as fast as it answers.

At a rate, arrivals are a Poisson process, and a latency counts from the scheduled time to the last byte of the answer:
what waits because the server, or this client, is late is part of it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.processes import MeasurementError

_HEADER_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Load:
    """What a load has met.

    Attributes:
        latency: Seconds of each request, shape (n,).
        lag: Seconds by which the client sent each request later than scheduled, while a connection was free.
        seconds: From the first request to the last answer.
        failures: Answers other than 200, and requests that got none.
    """

    latency: np.ndarray
    lag: np.ndarray
    seconds: float
    failures: int

    def quantile(self, share: float) -> float:
        """Milliseconds that this share of requests stays within."""
        return float(np.quantile(self.latency, share, method="higher")) * 1e3


def load_at_rate(port: int, requests: Sequence[bytes], *, rate: float, seconds: float, connections: int = 64) -> Load:
    """Send requests, in turn, at times of a Poisson process."""
    gaps = np.random.default_rng(0).exponential(1 / rate, int(rate * seconds))
    return asyncio.run(_at_times(port, requests, np.cumsum(gaps), connections))


def load_without_pause(port: int, requests: Sequence[bytes], *, seconds: float, connections: int = 8) -> Load:
    """Send a request on each connection as soon as the one before is answered."""
    return asyncio.run(_without_pause(port, requests, seconds, connections))


@dataclass
class _Client:
    """Connections, those that are free, and what waits for one."""

    latency: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)
    failures: int = 0
    lost: int = 0
    free: deque["_Connection"] = field(default_factory=deque)
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)

    def send(self, scheduled: float, request: bytes) -> None:
        if self.free:
            self.lag.append(time.perf_counter() - scheduled)
            self.free.pop().send(scheduled, request)
        else:
            self.waiting.append((scheduled, request))

    def answered(self, connection: "_Connection", scheduled: float, status: bytes) -> None:
        self.latency.append(time.perf_counter() - scheduled)
        self.failures += status != b"200"
        if self.waiting:
            connection.send(*self.waiting.popleft())
        else:
            self.free.append(connection)


class _Connection(asyncio.Protocol):
    """One request at a time over a connection that is kept."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._content = b""
        self._scheduled: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._client.free.append(self)

    def send(self, scheduled: float, request: bytes) -> None:
        self._scheduled = scheduled
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._content += data
        head, end, body = self._content.partition(_HEADER_END)
        if end and len(body) >= _length(head):
            scheduled, self._content, self._scheduled = self._scheduled, b"", None
            self._client.answered(self, scheduled, head[9:12])

    def connection_lost(self, _: Exception | None) -> None:
        if self._scheduled is not None:
            self._client.lost += 1
        elif self in self._client.free:
            self._client.free.remove(self)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise MeasurementError("an answer has no Content-Length", remedy="mend the server that is measured")


async def _connected(port: int, connections: int) -> tuple[_Client, list[asyncio.Transport]]:
    client = _Client()
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: _Connection(client), "127.0.0.1", port) for _ in range(connections)]
    return client, [transport for transport, _ in made]


async def _at_times(port: int, requests: Sequence[bytes], times: np.ndarray, connections: int) -> Load:
    client, transports = await _connected(port, connections)
    began = time.perf_counter()
    for place, scheduled in enumerate((began + times).tolist()):
        if (wait := scheduled - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        client.send(scheduled, requests[place % len(requests)])
    return await _finished(client, transports, len(times), began)


async def _without_pause(port: int, requests: Sequence[bytes], seconds: float, connections: int) -> Load:
    client, transports = await _connected(port, connections)
    began = time.perf_counter()
    sent = 0
    while time.perf_counter() - began < seconds:
        while client.free:
            client.send(time.perf_counter(), requests[sent % len(requests)])
            sent += 1
        await asyncio.sleep(0)
    return await _finished(client, transports, sent, began)


async def _finished(client: _Client, transports: list[asyncio.Transport], sent: int, began: float) -> Load:
    deadline = time.perf_counter() + 30
    while (missing := sent - len(client.latency) - client.lost) and client.lost < len(transports):
        if time.perf_counter() > deadline:
            raise MeasurementError(f"{missing} requests got no answer", remedy="read the server's log")
        await asyncio.sleep(0.001)
    seconds = time.perf_counter() - began
    for transport in transports:
        transport.close()
    failures = client.failures + client.lost + missing
    return Load(np.array(client.latency), np.array(client.lag), seconds, failures)
