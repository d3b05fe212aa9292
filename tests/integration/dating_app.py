"""The dating app's A/A/B price test as the three tables that the pipeline reads."""

from pathlib import Path

import pandas as pd

DAY = pd.Timestamp("2017-10-14")
DAYS = 32
FEATURES = ["age", "gender", "country", "age_filter_start", "age_filter_end"]


def write_tables(source: Path, lake: Path, arms: dict[str, str], *, experiment_id: str) -> pd.DataFrame:
    """Write assignments, metrics and features of the groups in ``arms`` (group -> arm); returns the users."""
    users = pd.read_csv(source / "dating_aab_users.csv.gz")
    daily = pd.read_csv(source / "dating_aab_daily.csv.gz")
    users = users[users["group"].isin(arms)]
    tables = {
        "assignments": pd.DataFrame(
            {
                "user_id": users["user_id"],
                "experiment_id": experiment_id,
                "arm": users["group"].map(arms),
                "assigned_at": DAY.tz_localize("UTC"),
            }
        ),
        "metrics": daily.assign(date=(DAY + pd.to_timedelta(daily["day"] - 1, unit="D")).dt.date)[
            ["user_id", "date", "active", "revenue", "payments"]
        ],
        "features": users[["user_id", *FEATURES]],
    }
    for name, table in tables.items():
        folder = lake / "tables" / name
        folder.mkdir(parents=True)
        table.to_parquet(folder / "part-0.parquet", index=False)
    return users


def statement(experiment_id: str, control: str, treatments: list[str]) -> dict:
    return {
        "experiment_id": experiment_id,
        "status": "finished",
        "started_at": DAY.tz_localize("UTC").isoformat(),
        "ended_at": (DAY + pd.Timedelta(days=DAYS)).tz_localize("UTC").isoformat(),
        "control": control,
        "treatments": treatments,
        "window": {"days": DAYS, "pre_days": 0, "timezone": "UTC"},
        "metrics": [
            {"name": "paying", "column": "payments", "aggregate": "any", "role": "primary"},
            {"name": "revenue"},
            {"name": "active_days", "column": "active"},
        ],
        "mining": {"seed": 1, "candidates": ["t_lightgbm"], "finalists": 1, "trials": 2},
    }
