"""The join in DuckDB's SQL, in the quickest of the forms tried: newest day first, wide rows by that day afterwards."""

from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks.engines.question import Outcome, Question

_QUERY = """
WITH zoned AS (
  SELECT user_id, arm, assigned_at, (assigned_at AT TIME ZONE '{zone}')::DATE AS day
  FROM read_parquet('{assignments}') WHERE experiment_id = '{experiment_id}'
), first AS (
  SELECT user_id, arg_min(arm, assigned_at) AS arm, min(day) AS start FROM zoned GROUP BY user_id
), switched AS (
  SELECT z.user_id FROM zoned z JOIN first f ON z.user_id = f.user_id AND z.arm <> f.arm AND z.day < f.start + {days}
), units AS (
  SELECT user_id, arm, start FROM first ANTI JOIN switched USING (user_id) WHERE start + {days} <= DATE '{cutoff}'
), windows AS (
  SELECT m.user_id, {aggregates}
  FROM read_parquet('{metrics}') m JOIN units u ON m.user_id = u.user_id
  WHERE m.date >= u.start - {pre_days} AND m.date < u.start + {days} GROUP BY m.user_id
), newest AS (
  SELECT f.user_id, max(f.date) AS date
  FROM read_parquet('{features}') f JOIN units u ON f.user_id = u.user_id
  WHERE f.date < u.start AND f.date >= u.start - {max_age} GROUP BY f.user_id
), snapshot AS (
  SELECT f.* FROM read_parquet('{features}') f JOIN newest USING (user_id, date)
)
SELECT u.user_id AS unit, u.arm, u.start, {known}, {outcomes}
FROM units u LEFT JOIN windows w ON u.user_id = w.user_id LEFT JOIN snapshot s ON u.user_id = s.user_id
"""


def join(question: Question) -> pa.Table:
    """The answer in any order."""
    with _connected() as connection:
        return connection.sql(_query(question)).to_arrow_table()


def to_arrow(result: pa.Table) -> pa.Table:
    """The answer as it is."""
    return result


def write(question: Question, target: Path) -> None:
    """Write the answer, sorted by user, to one Parquet file."""
    with _connected() as connection:
        connection.execute(f"COPY ({_query(question)} ORDER BY u.user_id) TO '{target}' (FORMAT parquet)")


def _connected() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")
    return connection


def _query(question: Question) -> str:
    experiment = question.experiment
    outcomes = tuple(question.outcomes())
    return _QUERY.format(
        experiment_id=experiment.experiment_id,
        zone=experiment.window.timezone,
        days=experiment.window.days,
        pre_days=experiment.window.pre_days,
        max_age=experiment.features.max_age,
        cutoff=question.cutoff,
        assignments=question.files("assignments"),
        metrics=question.files("metrics"),
        features=question.files("features"),
        aggregates=", ".join(_aggregate(outcome) for outcome in outcomes),
        known=", ".join(f's."{name}"' for name in question.features),
        outcomes=", ".join(f"coalesce(w.{outcome.name}, 0)::DOUBLE AS {outcome.name}" for outcome in outcomes),
    )


def _aggregate(outcome: Outcome) -> str:
    function = f"sum({outcome.column})" if outcome.how == "sum" else f"max(({outcome.column} <> 0)::INTEGER)"
    return f"{function} FILTER (m.date {'>=' if outcome.after_exposure else '<'} u.start) AS {outcome.name}"
