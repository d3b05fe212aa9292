"""Public data with published answers, imported as a person imports it, and a dataset in a real object store."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from causal_tasks.data.public import import_public
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import load_experiment, run_stage
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage


@dataclass
class Seen:
    """What the stages up to ``measure`` made of an experiment."""

    users: pd.DataFrame
    waterfall: dict[str, Any]
    checks: dict[str, dict[str, Any]]
    verdict: dict[str, Any]
    effects: dict[tuple[str, str], dict[str, Any]]

    def rates(self, metric):
        """Per cent of users by arm."""
        return (100 * self.users.groupby("arm")[f"y__{metric}"].mean()).to_dict()


def seen(layout, file, settings):
    import_public(layout, file, settings)
    run = RunFolder.open(load_experiment(layout, settings), settings)
    results: dict[str, Any] = {}
    for stage in ("prepare", "validate", "measure"):
        inputs = [results[need].manifest for need in MINE[stage].needs]
        results[stage] = run_stage(MINE, stage, run=run, inputs=inputs)

    def uri(stage, output):
        return f"{run.uri}/{run.read_manifest(results[stage].manifest).outputs[output].path}"

    def read(stage, output):
        return run.storage.read_json(uri(stage, output))

    return Seen(
        run.storage.read_table(uri("prepare", "users")),
        {step["step"]: step for step in read("prepare", "waterfall")["steps"]},
        {check["code"]: check for check in read("validate", "checks")},
        read("validate", "verdict"),
        {(row["metric"], row["treatment"]): row["effect"] for row in read("measure", "effects")},
    )


@pytest.fixture(scope="module")
def public(test_data, tmp_path_factory):
    """Import a file of the test data and run the stages up to ``measure``."""
    lake = tmp_path_factory.mktemp("public")
    return lambda layout, file: seen(layout, f"file://{test_data}/{file}", Settings(lake=f"file://{lake}"))


def test_hillstrom_has_the_published_rates_and_loses_nobody(public):
    """Published by Hillstrom (2008): 10.6, 18.3 and 15.1 % visited."""
    found = public("hillstrom", "hillstrom.csv.gz")
    assert len(found.users) == found.users["unit"].nunique() == 64_000
    assert found.waterfall["rows"]["units"] == found.waterfall["analysed"]["units"]
    assert found.waterfall["analysed"]["units"] == {"No E-Mail": 21_306, "Mens E-Mail": 21_307, "Womens E-Mail": 21_387}
    visits = {arm: round(rate, 2) for arm, rate in found.rates("visit").items()}
    assert visits == {"No E-Mail": 10.62, "Mens E-Mail": 18.28, "Womens E-Mail": 15.14}
    conversions = {arm: round(rate, 3) for arm, rate in found.rates("conversion").items()}
    assert conversions == {"No E-Mail": 0.573, "Mens E-Mail": 1.253, "Womens E-Mail": 0.884}
    assert round(100 * found.effects["visit", "Mens E-Mail"]["estimate"], 2) == 7.66
    assert round(100 * found.effects["visit", "Womens E-Mail"]["standard_error"], 2) == 0.32
    assert round(found.effects["spend", "Womens E-Mail"]["estimate"], 3) == 0.424
    assert (found.verdict["status"], found.verdict["mining"]) == ("valid", True)
    assert round(found.checks["sample_ratio"]["value"], 2) == 0.90
    assert "history_segment" not in found.users


def test_starbucks_has_the_published_purchase_rates(public):
    """Published: IRR 0.00945, the difference of purchase rates, and a net revenue of -2334.60 when sent to everybody."""
    found = public("starbucks", "starbucks_promo.csv.gz")
    assert found.waterfall["analysed"]["units"] == {"No": 42_170, "Yes": 42_364}
    assert {arm: round(rate, 3) for arm, rate in found.rates("purchase").items()} == {"No": 0.756, "Yes": 1.702}
    effect = found.effects["purchase", "Yes"]
    assert round(100 * effect["estimate"], 3) == 0.945
    bought = found.users.groupby("arm")["y__purchase"].sum()
    assert 10 * bought["Yes"] - 0.15 * effect["n_treatment"] - 10 * bought["No"] == pytest.approx(-2334.60)
    assert found.verdict["status"] == "valid"
    assert list(found.users["V5"].cat.categories) == ["1", "2", "3", "4"]


def test_criteo_is_compared_with_its_design_and_exposure_is_no_feature(public):
    found = public("criteo", "criteo_uplift_1000.csv.gz")
    assert found.waterfall["analysed"]["units"] == {"0": 137, "1": 863}
    assert found.checks["sample_ratio"]["status"] == "pass"
    assert found.verdict == {"status": "warning", "mining": False, "reason": "arm_size"}
    assert "exposure" not in found.users


def test_a_csv_file_in_an_object_store_is_read_as_on_disk(object_store, tmp_path):
    frame = pd.DataFrame({"ID": range(200), "Promotion": ["Yes", "No"] * 100, "purchase": [0, 0, 1, 1] * 50})
    frame = frame.assign(**{f"V{i}": range(200) for i in range(1, 8)})
    frame.to_csv(tmp_path / "training.csv.gz", index=False)
    uri = f"{object_store.lake}/incoming/training.csv.gz"
    Storage(object_store).write_bytes(uri, (tmp_path / "training.csv.gz").read_bytes())
    remote = seen("starbucks", uri, object_store)
    local = seen("starbucks", f"file://{tmp_path}/training.csv.gz", Settings(lake=f"file://{tmp_path}"))
    pd.testing.assert_frame_equal(remote.users, local.users)
    assert remote.effects == local.effects
