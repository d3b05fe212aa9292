"""``prepare`` against a SQL query that was written from the contract alone and shares no code with it."""

import itertools
import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.unit.data.lake import Lake, day

FIRST = day("2026-03-01")
DAYS = 14

ORACLE = """
WITH zoned AS (
  SELECT user_id, arm, assigned_at, (assigned_at AT TIME ZONE $zone)::DATE AS d, list_position($arms, arm) AS arm_order
  FROM assignments WHERE experiment_id = 'exp-1'
), first AS (
  SELECT user_id, arg_min(arm, (assigned_at, arm_order)) AS arm, arg_min(d, (assigned_at, arm_order)) AS start
  FROM zoned GROUP BY user_id
), single AS (
  SELECT f.* FROM first f WHERE NOT EXISTS (
    SELECT 1 FROM zoned z
    WHERE z.user_id = f.user_id AND z.arm <> f.arm AND z.d < f.start + $skip::INTEGER + $days::INTEGER)
), known AS (
  SELECT s.user_id, f.age, f.city, row_number() OVER (PARTITION BY s.user_id ORDER BY f.date DESC) AS newness
  FROM single s JOIN features f ON f.user_id = s.user_id
   AND f.date <= s.start - $lag::INTEGER AND f.date >= s.start - $max_age::INTEGER
), snapshot AS (SELECT * FROM known WHERE newness = 1
), cutoff AS (SELECT least($ended::DATE, (SELECT max(date) FROM metrics) + 1) AS d
), units AS (
  SELECT s.user_id, s.arm, s.start, k.age, k.city FROM single s LEFT JOIN snapshot k USING (user_id), cutoff
  WHERE ($eligible::DOUBLE IS NULL OR k.age > $eligible) AND s.start + $skip::INTEGER + $days::INTEGER <= cutoff.d
), clean AS (
  SELECT DISTINCT user_id, date, platform, CASE WHEN isnan(plays) THEN NULL ELSE plays END AS plays, clicks FROM metrics
), daily AS (
  SELECT user_id, date, sum(plays) AS plays, sum(clicks) AS clicks FROM clean GROUP BY user_id, date
), windows AS (
  SELECT u.user_id, d.date, d.plays, d.clicks,
    d.date >= u.start + $skip::INTEGER AND d.date < u.start + $skip::INTEGER + $days::INTEGER AS post,
    d.date < u.start AND d.date >= u.start - $pre_days::INTEGER AS pre
  FROM units u JOIN daily d USING (user_id)
)
SELECT u.user_id, u.arm, u.start, u.age, u.city,
  coalesce(sum(w.plays) FILTER (post), 0) AS y__total,
  avg(w.plays) FILTER (post) AS y__average,
  arg_max(w.plays, w.date) FILTER (post AND w.plays IS NOT NULL) AS y__latest,
  coalesce(max((w.plays <> 0)::INTEGER) FILTER (post), 0) AS y__active,
  sum(w.plays) FILTER (post) AS y__strict,
  coalesce(sum(w.plays) FILTER (pre), 0) AS pre__total,
  avg(w.plays) FILTER (pre) AS pre__average,
  arg_max(w.plays, w.date) FILTER (pre AND w.plays IS NOT NULL) AS pre__latest,
  coalesce(max((w.plays <> 0)::INTEGER) FILTER (pre), 0) AS pre__active,
  sum(w.plays) FILTER (pre) AS pre__strict,
  coalesce(sum(w.clicks) FILTER (post), 0) AS num__rate,
  coalesce(sum(w.plays) FILTER (post), 0) AS den__rate,
  coalesce(sum(w.clicks) FILTER (pre), 0) AS prenum__rate,
  coalesce(sum(w.plays) FILTER (pre), 0) AS preden__rate,
  {periods}
FROM units u LEFT JOIN windows w USING (user_id) GROUP BY ALL ORDER BY u.user_id
"""

# The first metric's mean per day over days a to b after the start; a day without a row is 0.
PERIOD = """coalesce(sum(w.plays) FILTER (w.date BETWEEN u.start + ({a}) AND u.start + ({b})), 0) / ({b} - ({a}) + 1)
  AS period__{number}"""

METRICS = [
    {"name": "total", "column": "plays", "role": "primary"},
    {"name": "average", "column": "plays", "aggregate": "mean"},
    {"name": "latest", "column": "plays", "aggregate": "last"},
    {"name": "active", "column": "plays", "aggregate": "any"},
    {"name": "strict", "column": "plays", "when_missing": "drop"},
    {"name": "rate", "numerator": "clicks", "denominator": "plays"},
]

days = st.integers(0, DAYS - 1).map(lambda offset: FIRST + timedelta(days=offset))
units = st.integers(1, 8)
values = st.sampled_from([0.0, 1.0, 2.5, -3.0, 0.1, None, float("nan")])
times = st.integers(0, 24 * DAYS - 1).map(lambda h: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=h, minutes=30))
assigned = st.lists(st.tuples(units, st.sampled_from(["control", "treatment"]), times), min_size=2, max_size=14)
metric_rows = st.lists(
    st.tuples(units, days, values, st.integers(0, 3), st.sampled_from(["ios", "android"])), min_size=1, max_size=60
)
feature_rows = st.lists(
    st.tuples(units, days, st.integers(1, 80), st.sampled_from(["a", "b", None])),
    max_size=30,
    unique_by=lambda row: row[:2],
)


@st.composite
def experiments(draw):
    return {
        "zone": draw(st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York"])),
        "days": draw(st.integers(1, 4)),
        "pre_days": draw(st.integers(1, 9)),
        "skip": draw(st.integers(0, 1)),
        "lag": draw(st.integers(0, 1)),
        "max_age": draw(st.integers(1, 6)),
        "eligible": draw(st.sampled_from([None, 20.0])),
        "ended": draw(st.sampled_from(["2026-03-09", "2026-03-20"])),
        "arms": ["control", "treatment"],
    }


def spans(days: int, first: int) -> list[tuple[int, int]]:
    """At most seven stretches of whole days of a window, each ending where its share of the window does."""
    ends = [math.floor(Fraction(days, min(days, 7)) * k) for k in range(min(days, 7) + 1)]
    return [(first + a, first + b - 1) for a, b in itertools.pairwise(ends)]


def query(stated) -> str:
    days = spans(stated["pre_days"], -stated["pre_days"]) + spans(stated["days"], stated["skip"])
    if stated["pre_days"] < 2:
        days = []
    return ORACLE.format(periods=", ".join(PERIOD.format(a=a, b=b, number=k) for k, (a, b) in enumerate(days)))


def _write(lake: Lake, stated, text_ids: bool, assignments, metrics, features, files: int) -> dict[str, pa.Table]:
    """The tables, with one plain unit in each arm, so that every example has something to analyse."""
    name = (lambda unit: f"user-{unit}") if text_ids else (lambda unit: unit)
    start = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assignments = [*assignments, (100, "control", start), (101, "treatment", start)]
    metrics = [*metrics, (100, day("2026-03-03"), 1.0, 1, "ios"), (101, day("2026-03-14"), 1.0, 1, "ios")]
    features = [*features, (100, day("2026-03-03"), 30, "a"), (101, day("2026-03-03"), 30, "b")]
    tables = {
        "assignments": pa.table(
            {
                "user_id": [name(u) for u, _, _ in assignments] + [name(7)],
                "experiment_id": ["exp-1"] * len(assignments) + ["another"],
                "arm": [arm for _, arm, _ in assignments] + ["elsewhere"],
                "assigned_at": pa.array([*(t for _, _, t in assignments), start], pa.timestamp("us", tz="UTC")),
            }
        ),
        "metrics": pa.table(
            {
                "user_id": [name(row[0]) for row in metrics],
                "date": [row[1] for row in metrics],
                "plays": pa.array([row[2] for row in metrics], pa.float64()),
                "clicks": [row[3] for row in metrics],
                "platform": [row[4] for row in metrics],
            }
        ),
        "features": pa.table(
            {
                "user_id": [name(row[0]) for row in features],
                "date": [row[1] for row in features],
                "age": [row[2] for row in features],
                "city": pa.array([row[3] for row in features], pa.string()),
            }
        ),
    }
    for table, content in tables.items():
        size = -(-content.num_rows // files)
        lake.write(table, *(content.slice(first, size) for first in range(0, content.num_rows, size)))
    return tables


# Each example writes files: shrinking one takes minutes, and a failure here is small already.
@settings(max_examples=25, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(experiments(), st.booleans(), assigned, metric_rows, feature_rows, st.integers(1, 3))
def test_every_row_equals_the_sql_query(stated, text_ids, assignments, metrics, features, files):
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        tables = _write(lake, stated, text_ids, assignments, metrics, features, files)
        connection = duckdb.connect()
        for table, content in tables.items():
            connection.register(table, content)
        expected = connection.sql(query(stated), params=stated).to_arrow_table()
        rule = {"all": [{"feature": "age", "op": ">", "value": stated["eligible"]}]}
        found = lake.prepare(
            {
                "ended_at": f"{stated['ended']}T12:00:00Z",
                "window": {
                    "days": stated["days"],
                    "pre_days": stated["pre_days"],
                    "first_day": "next" if stated["skip"] else "exposure",
                    "timezone": stated["zone"],
                    "snapshot": "before" if stated["lag"] else "assignment_day",
                },
                "metrics": METRICS,
                "features": {"max_age": stated["max_age"]},
                "eligible": rule if stated["eligible"] else None,
            }
        ).table
    assert found["unit"].to_pylist() == expected["user_id"].to_pylist()
    assert set(found.column_names) - set(expected.column_names) == {"unit", "part", "fold"}
    for column in expected.column_names[1:]:
        if column.startswith(("y__", "pre__", "num__", "den__", "prenum__", "preden__", "period__")):
            np.testing.assert_allclose(
                np.array(found[column].to_pylist(), float), np.array(expected[column].to_pylist(), float), atol=1e-12
            )
        else:
            assert found[column].to_pylist() == expected[column].to_pylist(), column


@pytest.mark.parametrize("text_ids", [False, True])
def test_a_larger_random_experiment_equals_the_sql_query(tmp_path, text_ids):
    rng = np.random.default_rng(7)

    def random_days(n):
        return [FIRST + timedelta(days=int(offset)) for offset in rng.integers(0, DAYS, n)]

    hours = rng.integers(0, 24 * DAYS, 600)
    assignments = [
        (
            int(u),
            ["control", "treatment"][int(u) % 2 if rng.random() > 0.1 else 0],
            datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=int(h)),
        )
        for u, h in zip(rng.integers(102, 500, 600), hours, strict=True)
    ]
    metrics = [
        (int(u), d, float(v), int(c), p)
        for u, d, v, c, p in zip(
            rng.integers(102, 520, 6000),
            random_days(6000),
            rng.integers(0, 3, 6000),
            rng.integers(0, 2, 6000),
            rng.choice(["ios", "android"], 6000),
            strict=True,
        )
    ]
    features = {
        (int(u), d): (int(u), d, int(a), None)
        for u, d, a in zip(rng.integers(102, 520, 2000), random_days(2000), rng.integers(1, 80, 2000), strict=True)
    }
    stated = {
        "zone": "Asia/Shanghai",
        "days": 3,
        "pre_days": 9,
        "skip": 0,
        "lag": 1,
        "max_age": 30,
        "eligible": None,
        "ended": "2026-03-20",
        "arms": ["control", "treatment"],
    }
    lake = Lake(tmp_path)
    tables = _write(lake, stated, text_ids, assignments, metrics, list(features.values()), 3)
    connection = duckdb.connect()
    for table, content in tables.items():
        connection.register(table, content)
    expected = connection.sql(query(stated), params=stated).to_arrow_table()
    found = lake.prepare({"window": {"days": 3, "pre_days": 9}, "metrics": METRICS}).table
    assert found.num_rows > 200
    names = ["unit", "arm", "start", "age", "y__total", "y__average", "y__latest", "pre__active", "num__rate"]
    for column in [*names, *(f"period__{k}" for k in range(10))]:
        assert found[column].to_pylist() == expected["user_id" if column == "unit" else column].to_pylist(), column
