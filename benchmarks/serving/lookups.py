"""The lookup against a Python dict and SQLite: seconds to write, bytes of a user, microseconds to find one."""

import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.document import seconds, table
from benchmarks.serving.workload import FEED, scores
from causal_tasks.dynamic.lookup import Lookup, write_lookup
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage

_FINDS = 20_000


def compare_lookups(folder: Path, users: Sequence[str]) -> str:
    """Write all users three times and find some, one by one, in random order; returns a Markdown table."""
    preference, allowed = scores(len(users), seed=0)
    asked = [users[place] for place in np.random.default_rng(1).integers(0, len(users), _FINDS)]
    rows = [
        _ours(folder, users, preference, allowed, asked),
        _dict(users, preference, allowed, asked),
        _sqlite(folder, users, preference, allowed, asked),
    ]
    header = [
        f"{len(users):,} users, {len(FEED.arms)} arms",
        "write s",
        "open ms",
        "bytes per user",
        "find µs",
        "p99 µs",
    ]
    return table(header, rows)


def _ours(folder, users, preference, allowed, asked) -> list[str]:
    path = folder / "compared.safetensors"
    storage = Storage(Settings(lake=f"file://{folder}"))
    began = time.perf_counter()
    write_lookup(f"file://{path}", users, preference, allowed, FEED.arms, storage=storage)
    written = time.perf_counter() - began
    began = time.perf_counter()
    lookup = Lookup.open(path)
    opened = time.perf_counter() - began
    return _row("lookup", written, opened, path.stat().st_size / len(users), lookup.find, asked)


def _dict(users, preference, allowed, asked) -> list[str]:
    began = time.perf_counter()
    held = {user: (preference[place], allowed[place]) for place, user in enumerate(users)}
    written = time.perf_counter() - began
    entry = held[users[0]]
    size = sys.getsizeof(held) / len(users) + sys.getsizeof(users[0]) + sys.getsizeof(entry)
    size += sum(map(sys.getsizeof, entry)) + preference[0].nbytes + allowed[0].nbytes
    return _row("dict of NumPy rows, in memory", written, None, size, held.get, asked)


def _sqlite(folder, users, preference, allowed, asked) -> list[str]:
    path = folder / "compared.sqlite"
    began = time.perf_counter()
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE scores (user TEXT PRIMARY KEY, preference BLOB, allowed BLOB) WITHOUT ROWID")
        rows = ((user, preference[place].tobytes(), allowed[place].tobytes()) for place, user in enumerate(users))
        base.executemany("INSERT INTO scores VALUES (?, ?, ?)", rows)
    written = time.perf_counter() - began
    base.close()
    began = time.perf_counter()
    base = sqlite3.connect(path)
    opened = time.perf_counter() - began

    def find(user: str):
        one, two = base.execute("SELECT preference, allowed FROM scores WHERE user = ?", (user,)).fetchone()
        return np.frombuffer(one, np.float32), np.frombuffer(two, bool)

    return _row("SQLite", written, opened, path.stat().st_size / len(users), find, asked)


def _row(
    name: str,
    written: float,
    opened: float | None,
    size: float,
    find: Callable[[str], object],
    asked: Sequence[str],
) -> list[str]:
    took = np.empty(len(asked))
    for place, user in enumerate(asked):
        began = time.perf_counter()
        found = find(user)
        took[place] = time.perf_counter() - began
        assert found is not None
    return [
        name,
        seconds(written),
        "-" if opened is None else f"{opened * 1e3:.1f}",
        f"{size:.0f}",
        f"{np.median(took) * 1e6:.1f}",
        f"{np.quantile(took, 0.99) * 1e6:.1f}",
    ]
