"""The join of three tables to one row per user, three times: by this library, by DuckDB and by Polars.

Each engine is a module with ``join(question)``, which leaves the rows in memory in the engine's own form and any
order, ``to_arrow(result)``, and ``write(question, target)``, which leaves them on disk, sorted by user.
"""

from collections.abc import Mapping

ENGINES: Mapping[str, str] = {
    "causal_tasks": "benchmarks.engines.library",
    "duckdb": "benchmarks.engines.sql",
    "polars": "benchmarks.engines.lazy_frames",
}
"""Module by name of the engine; importing it needs the engine."""
