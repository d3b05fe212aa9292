"""Real data with known faults: each raises the alarm that it should, and sound data raises none."""

from typing import Any

import pandas as pd
import pytest

from causal_tasks.experiment import Experiment
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from tests.integration import dating_app


class Seen:
    """What ``prepare`` and ``validate`` say about an experiment."""

    def __init__(self, statement: dict[str, Any], lake) -> None:
        experiment = Experiment.parse(statement, source="test")
        run = RunFolder.open(experiment, Settings(lake=f"file://{lake}"))
        prepared = run_stage(MINE, "prepare", run=run, inputs=[]).manifest
        validated = run_stage(MINE, "validate", run=run, inputs=[prepared]).manifest
        self._run, self._manifests = run, {"prepare": prepared, "validate": validated}
        self.checks = self.read("validate", "checks")
        self.verdict = self.read("validate", "verdict")

    def read(self, stage, output):
        manifest = self._run.read_manifest(self._manifests[stage])
        return self._run.storage.read_json(f"{self._run.uri}/{manifest.outputs[output].path}")

    def __getitem__(self, code):
        (check,) = [check for check in self.checks if check["code"] == code]
        return check


def test_cookie_cats_warns_of_its_sample_ratio(test_data, tmp_path):
    """Published as a lesson: 44,700 and 45,489 players in arms of equal size, p = 0.0086."""
    players = pd.read_csv(test_data / "cookie_cats.csv.gz")
    players.to_parquet(tmp_path / "cookie_cats.parquet", index=False)
    seen = Seen(
        {
            "experiment_id": "cookie_cats",
            "status": "finished",
            "unit": "userid",
            "control": "gate_30",
            "treatments": ["gate_40"],
            "dataset": {"uri": f"file://{tmp_path}/cookie_cats.parquet", "arm_column": "test_version"},
            "metrics": [
                {"name": "retention_7", "aggregate": "any", "role": "primary"},
                {"name": "retention_1", "aggregate": "any"},
            ],
            # The file knows nothing of the players before the test; a table needs a feature all the same.
            "features": {"include": ["sum_gamerounds"]},
        },
        tmp_path,
    )
    ratio = seen["sample_ratio"]
    assert ratio["status"] == "warn"
    assert ratio["details"]["observed"] == {"gate_30": 44_700, "gate_40": 45_489}
    assert round(ratio["value"], 4) == 0.0086
    assert seen.verdict["status"] == "warning"


def write_orders(lake, rows, user, arm, revenue):
    """Tables of rows that name a user, an arm, a ``time`` and revenue, as if records went on for another month."""
    later = pd.DataFrame({"user_id": [0], "date": [pd.Timestamp("2019-09-30").date()], "revenue": [0.0]})
    days = rows["time"].dt.tz_localize(None).dt.date
    tables = {
        "assignments": pd.DataFrame(
            {"user_id": rows[user], "experiment_id": "trap", "arm": rows[arm], "assigned_at": rows["time"]}
        ),
        "metrics": pd.concat([pd.DataFrame({"user_id": rows[user], "date": days, "revenue": rows[revenue]}), later]),
        # Neither source knows anything of its users.
        "features": pd.DataFrame({"user_id": rows[user].unique(), "known": 0}),
    }
    for name, table in tables.items():
        folder = lake / "tables" / name
        folder.mkdir(parents=True)
        table.to_parquet(folder / "part-0.parquet", index=False)


def trap(control, treatment):
    return {
        "experiment_id": "trap",
        "status": "finished",
        "ended_at": "2019-10-01T00:00:00Z",
        "control": control,
        "treatments": [treatment],
        "window": {"days": 30, "pre_days": 0, "timezone": "UTC"},
        "metrics": [{"name": "revenue", "role": "primary"}],
    }


def test_test_results_of_unknown_origin_fail_for_users_in_both_arms(test_data, tmp_path):
    """1,541 of 6,324 users are in both arms; the file has no times, and is made to look like one day."""
    rows = pd.read_csv(test_data / "ab_test_results_dq.csv.gz").assign(time=pd.Timestamp("2019-08-01", tz="UTC"))
    write_orders(tmp_path, rows, "USER_ID", "VARIANT_NAME", "REVENUE")
    seen = Seen(trap("control", "variant"), tmp_path)
    contamination = seen["contamination"]
    assert (contamination["status"], sum(contamination["details"]["dropped"].values())) == ("fail", 1541)
    assert contamination["value"] == pytest.approx(1541 / 6324)
    assert (
        seen["duplicates"]["details"]["duplicates"]["assignments"] == rows.duplicated(["USER_ID", "VARIANT_NAME"]).sum()
    )
    assert seen.verdict["status"] == "invalid"


def test_web_shop_orders_warn_of_visitors_in_both_arms(test_data, tmp_path):
    """Published in solutions of the course it comes from: 58 of 1,031 visitors ordered in both groups."""
    orders = pd.read_csv(test_data / "store_ab_orders.csv.gz")
    orders["time"] = pd.to_datetime(orders["date"]).dt.tz_localize("UTC")
    write_orders(tmp_path, orders, "visitorId", "group", "revenue")
    seen = Seen(trap("A", "B"), tmp_path)
    contamination = seen["contamination"]
    assert (contamination["status"], sum(contamination["details"]["dropped"].values())) == ("warn", 58)
    assert contamination["value"] == pytest.approx(58 / 1031)
    assert {seen[code]["status"] for code in ("sample_ratio", "contamination_symmetry", "maturity")} == {"pass"}


def test_the_two_control_groups_of_the_dating_app_raise_no_alarm(test_data, tmp_path):
    arms = {"control_1": "control_1", "control_2": "control_2"}
    dating_app.write_tables(test_data, tmp_path, arms, experiment_id="dating_aa")
    seen = Seen(dating_app.statement("dating_aa", "control_1", ["control_2"]), tmp_path)
    assert [check["code"] for check in seen.checks if check["status"] != "pass"] == []
    assert seen.verdict == {"status": "valid", "mining": True, "reason": None}
