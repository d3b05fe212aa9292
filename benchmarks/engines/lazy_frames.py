"""The join in Polars' lazy frames on its streaming engine, in the quickest of the forms tried, as in ``sql``."""

from pathlib import Path

import polars as pl
import pyarrow as pa

from benchmarks.engines.question import Outcome, Question

_SINCE = (pl.col("date") - pl.col("start")).dt.total_days()


def join(question: Question) -> pl.DataFrame:
    """The answer in any order."""
    return _plan(question).collect(engine="streaming")


def to_arrow(result: pl.DataFrame) -> pa.Table:
    """The answer's columns."""
    return result.to_arrow()


def write(question: Question, target: Path) -> None:
    """Write the answer, sorted by user, to one Parquet file, compressed as the other engines do."""
    _plan(question).sort("unit").sink_parquet(target, compression="snappy", engine="streaming")


def _plan(question: Question) -> pl.LazyFrame:
    units = _units(question)
    start = units.select("user_id", "start")
    joined = units.join(_windows(question, start), on="user_id", how="left")
    joined = joined.join(_snapshot(question, start), on="user_id", how="left")
    names = [outcome.name for outcome in question.outcomes()]
    return joined.with_columns(pl.col(names).fill_null(0)).rename({"user_id": "unit"}).select(question.columns)


def _units(question: Question) -> pl.LazyFrame:
    window, days = question.experiment.window, pl.duration(days=question.experiment.window.days)
    zoned = (
        pl.scan_parquet(question.files("assignments"))
        .filter(pl.col("experiment_id") == question.experiment.experiment_id)
        .select("user_id", "arm", "assigned_at")
        .with_columns(day=pl.col("assigned_at").dt.convert_time_zone(window.timezone).dt.date())
    )
    first = zoned.group_by("user_id").agg(arm=pl.col("arm").sort_by("assigned_at").first(), start=pl.col("day").min())
    switched = zoned.join(first, on="user_id", suffix="_first").filter(
        (pl.col("arm") != pl.col("arm_first")) & (pl.col("day") < pl.col("start") + days)
    )
    mature = first.filter(pl.col("start") + days <= question.cutoff)
    return mature.join(switched.select("user_id"), on="user_id", how="anti")


def _windows(question: Question, start: pl.LazyFrame) -> pl.LazyFrame:
    window = question.experiment.window
    metrics = pl.scan_parquet(question.files("metrics")).select("user_id", "date", *question.metric_columns)
    inside = metrics.join(start, on="user_id").filter(_SINCE.is_between(-window.pre_days, window.days, closed="left"))
    return inside.group_by("user_id").agg(_aggregate(outcome) for outcome in question.outcomes())


def _snapshot(question: Question, start: pl.LazyFrame) -> pl.LazyFrame:
    features = pl.scan_parquet(question.files("features")).select("user_id", "date", *question.features)
    known = features.select("user_id", "date").join(start, on="user_id")
    known = known.filter(_SINCE.is_between(-question.experiment.features.max_age, 0, closed="left"))
    newest = known.group_by("user_id").agg(pl.col("date").max())
    return features.join(newest, on=["user_id", "date"], how="semi").drop("date")


def _aggregate(outcome: Outcome) -> pl.Expr:
    counts = _SINCE.ge(0) if outcome.after_exposure else _SINCE.lt(0)
    if outcome.how == "sum":
        made = pl.when(counts).then(pl.col(outcome.column)).otherwise(0).sum()
    else:
        made = (counts & (pl.col(outcome.column) != 0)).any()
    return made.cast(pl.Float64).alias(outcome.name)
