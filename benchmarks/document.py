"""Writes measurements into a Markdown file, between markers, with the machine and the command that made them."""

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import psutil

from causal_tasks.errors import InputError

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"

_PACKAGES = ("causal-tasks", "dask", "pandas", "pyarrow", "duckdb", "polars", "xgboost-cpu", "lightgbm", "optuna")


def write_section(page: Path, name: str, content: str) -> None:
    """Replace what stands between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``.

    Raises:
        InputError: The page lacks a marker.
    """
    text = page.read_text()
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise InputError(f"{page} does not hold the markers {begin} and {end} once", remedy="write them back")
    before, rest = text.split(begin)
    page.write_text(f"{before}{begin}\n{content.strip()}\n{end}{rest.split(end)[1]}")


def measure_parts(package: str, page: Path, names: Sequence[str], seeds: int) -> None:
    """Write the sections of a page that modules of a package make, each by its ``section(seeds)``.

    Raises:
        InputError: As for ``write_section``.
    """
    for name in names:
        module = import_module(f"{package}.{name}")
        write_section(page, name, f"{circumstances(package)}\n\n{module.section(seeds)}")
        print(f"{name}: {page}")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are aligned to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def seconds(value: float) -> str:
    """Seconds with the digits that a repetition would confirm."""
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def gigabytes(value: int) -> str:
    """Bytes as GB (10^9)."""
    return f"{value / 1e9:.2f}"


def mean_and_error(values: Sequence[float] | np.ndarray, *, sign: str = "") -> str:
    """The mean of independent values and its standard error; ``sign`` as in a format specification."""
    return f"{np.mean(values):{sign}.3f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.3f}"


def ratio(value: float) -> str:
    """A factor."""
    return f"{value:.2f}"


def circumstances(module: str) -> str:
    """The command that ran, when, on what machine and with what packages, as Markdown."""
    command = " ".join(["python", "-m", module, *sys.argv[1:]])
    found = ", ".join(f"{name} {number}" for name in _PACKAGES if (number := _version(name)))
    memory = psutil.virtual_memory().total / 2**30
    return "\n".join(
        [
            f"`{command}`, {datetime.now(UTC):%Y-%m-%d}.",
            f"Machine: {_cpu_model()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB of memory, "
            f"{platform.system()}; load before the start: {os.getloadavg()[0]:.1f}.",
            f"Python {platform.python_version()}, {found}.",
        ]
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
