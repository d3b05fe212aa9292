"""A small lake on local disk: tables made from rows, and ``prepare`` run on them as the pipeline runs it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from causal_tasks.data.prepare import prepare
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import RunFolder, StageContext
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage

STATEMENT: dict[str, Any] = {
    "experiment_id": "exp-1",
    "control": "control",
    "treatments": ["treatment"],
    "status": "finished",
    "started_at": "2026-03-01T00:00:00Z",
    "ended_at": "2026-03-20T04:00:00Z",
    "window": {"days": 3, "pre_days": 2, "timezone": "UTC"},
    "metrics": [{"name": "plays", "role": "primary"}],
}

ASSIGNMENTS = pa.schema(
    [
        ("user_id", pa.int64()),
        ("experiment_id", pa.string()),
        ("arm", pa.string()),
        ("assigned_at", pa.timestamp("us", tz="UTC")),
    ]
)


def day(text: str) -> date:
    return date.fromisoformat(text)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def assignments(*rows: tuple[Any, str, str], experiment: str = "exp-1", schema: pa.Schema = ASSIGNMENTS) -> pa.Table:
    """Rows of (unit, arm, time in UTC)."""
    unit = schema.field("user_id").type
    return pa.table(
        {
            "user_id": pa.array([row[0] for row in rows], unit),
            "experiment_id": [experiment] * len(rows),
            "arm": [row[1] for row in rows],
            "assigned_at": pa.array([at(row[2]) for row in rows], pa.timestamp("us", tz="UTC")),
        }
    )


def daily(rows: list[tuple[Any, ...]], *names: str) -> pa.Table:
    """Rows of (unit, date, value of every name)."""
    columns = ["user_id", "date", *names]
    return pa.table({name: list(values) for name, values in zip(columns, zip(*rows, strict=True), strict=True)})


class Lake:
    """Tables in a folder, and what ``prepare`` makes of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = 0

    def write(self, table: str, *files: pa.Table, names: tuple[str, ...] = (), **options: Any) -> None:
        folder = self.root / "tables" / table
        for number, content in enumerate(files):
            path = folder / (names[number] if names else f"{number:03d}.parquet")
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(content, path, **options)

    def context(self, statement: Mapping[str, Any] = {}, **settings: Any) -> StageContext:
        experiment = Experiment.parse({**STATEMENT, **statement}, source="test")
        found = Settings(lake=f"file://{self.root}", **settings)
        self.runs += 1
        run = RunFolder(f"file://{self.root}/runs/{self.runs}", experiment, found)
        return StageContext(
            experiment=experiment,
            inputs={},
            item=None,
            folder=f"{run.uri}/out",
            run_uri=run.uri,
            settings=found,
            storage=Storage(found),
        )

    def prepare(self, statement: Mapping[str, Any] = {}, **settings: Any) -> "Prepared":
        context = self.context(statement, **settings)
        return Prepared(prepare(context), context.storage)


class Prepared:
    """The outputs of ``prepare``."""

    def __init__(self, outputs: Mapping[str, str], storage: Storage) -> None:
        self.folder = Path(outputs["users"].removeprefix("file://"))
        self.table: pa.Table = pq.read_table(self.folder)
        self.users: pd.DataFrame = storage.read_table(outputs["users"]).set_index("unit")
        self.waterfall = {step["step"]: step for step in storage.read_json(outputs["waterfall"])["steps"]}
        self.profile = storage.read_json(outputs["profile"])

    @property
    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}


def healthy(root: Path, **tables: pa.Table | None) -> Lake:
    """A lake with four units, two in each arm, all exposed on 3 March; ``tables`` replaces tables, None leaves one out."""
    lake = Lake(root)
    content: dict[str, pa.Table | None] = {
        "assignments": assignments(
            *((unit, "control" if unit % 2 else "treatment", "2026-03-03T10:00:00") for unit in (1, 2, 3, 4))
        ),
        "metrics": daily(
            [(unit, day(d), float(unit)) for unit in (1, 2, 3, 4) for d in ("2026-03-02", "2026-03-04", "2026-03-19")],
            "plays",
        ),
        "features": daily([(unit, day("2026-03-01"), 10 * unit, "b") for unit in (1, 2, 3, 4)], "age", "city"),
    } | tables
    for name, table in content.items():
        if table is not None:
            lake.write(name, table)
    return lake
