"""Public data with published answers, imported as a person imports it, and a dataset in a real object store."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.public_data import chance, curves, effects, policies, rules, scores
from causal_tasks import run_experiment
from causal_tasks.data.public import import_public
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import load_experiment, run_stage
from causal_tasks.report.result import SCHEMA_VERSION
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


@pytest.fixture(scope="module", params=["hillstrom.csv.gz", "starbucks_promo.csv.gz"])
def result(request, test_data, tmp_path_factory):
    """The result of a whole run with one light candidate."""
    settings = Settings(lake=f"file://{tmp_path_factory.mktemp('mined')}")
    stated = import_public(request.param.split(".")[0].split("_")[0], f"file://{test_data}/{request.param}", settings)
    light = {"candidates": ("t_lightgbm",), "trials": 1, "stability_trees": 0, "placebos": 1}
    mining = stated.experiment.mining.model_copy(update=light)
    return run_experiment(stated.experiment.model_copy(update={"mining": mining}), settings)


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


def test_the_whole_pipeline_gives_a_complete_result_without_a_number_that_is_none(result):
    json.dumps(result, allow_nan=False)
    assert result["schema_version"] == SCHEMA_VERSION == 3
    assert (result["failures"], result["verdict"]["validity"]) == ([], "valid")
    assert result["verdict"]["heterogeneity"] == "present"
    assert result["models"]["winner"].startswith("t_lightgbm")
    assert result["subpopulations"]
    assert {"did": [], "balance": None, "confirmation": None}.items() <= result.items()
    treatments = result["experiment"]["treatments"]
    assert all(
        set(result["evidence"][part]) == set(treatments) for part in ("auuc", "autoc", "heterogeneity", "policy", "toc")
    )
    assert [row["item"] for row in result["placebo"]["items"]] == ["permuted_1"]
    assert {row["rule"] for row in result["follow_up"]} <= {rule["id"] for rule in result["subpopulations"]}


def test_one_group_of_each_data_set_is_confirmed_and_none_where_arms_are_dealt_anew(result):
    confirmed = [rule["sql"] for rule in result["subpopulations"] if rule["grade"] == "confirmed"]
    expected = {"hillstrom": '"womens" > 0', "starbucks": """"V4" IN ('2') AND "V5" IN ('1', '3', '4')"""}
    assert confirmed == [expected[result["experiment"]["experiment_id"]]]
    assert [row["confirmed"] for row in result["placebo"]["items"]] == [0]


def test_the_tables_of_the_page_hold_a_number_wherever_there_is_one(result):
    for make in (effects, scores, curves, rules, chance, policies):
        header, _, *rows = make(result).splitlines()
        assert rows
        assert {row.count("|") for row in rows} == {header.count("|")}
        assert not [row for row in rows if "nan" in row or "None" in row]


def test_the_value_of_treating_everybody_is_the_average_effect_less_its_cost(result):
    """The first is a mean of doubly robust scores of estimation users, the second of plain outcomes of all users."""
    (primary,) = [metric["name"] for metric in result["experiment"]["metrics"] if metric["role"] == "primary"]
    for treatment, found in result["evidence"]["policy"].items():
        (everybody,) = [policy for policy in found["policies"] if policy["policy"] == "all"]
        (average,) = [
            row["effect"] for row in result["effects"] if (row["metric"], row["treatment"]) == (primary, treatment)
        ]
        low, high = everybody["vs_none"]["interval"]
        assert found["cost"] == result["experiment"]["mining"]["costs"].get(treatment, 0)
        assert low < average["estimate"] - found["cost"] < high
        assert everybody["vs_none"]["standard_error"] == pytest.approx(average["standard_error"] / 0.4**0.5, rel=0.1)


def test_what_policies_gain_adds_up(result):
    """Against treating everybody is against treating nobody less what everybody gains; nobody is told of a tie."""
    for found in result["evidence"]["policy"].values():
        everybody, *others = found["policies"]
        for policy in others:
            assert 0 < policy["share"] < 1
            assert policy["spend"] == pytest.approx(policy["share"] * found["cost"])
            gain = policy["vs_none"]["estimate"] - everybody["vs_none"]["estimate"]
            assert policy["vs_all"]["estimate"] == pytest.approx(gain)


def test_qini_is_what_auuc_has_above_half_of_the_average_effect(result):
    """The average effect is that of estimation users, here from the counts and means of the buckets."""
    for treatment, buckets in result["evidence"]["buckets"].items():
        table = pd.DataFrame(buckets)
        average = np.average(table["mean_treatment"], weights=table["n_treatment"]) - np.average(
            table["mean_control"], weights=table["n_control"]
        )
        auuc, qini = (result["evidence"][score][treatment] for score in ("auuc", "qini"))
        assert qini["estimate"] == pytest.approx(auuc["estimate"] - average / 2, abs=1e-12)
        assert auuc["random"] == pytest.approx(average / 2)
        assert result["evidence"]["curve"][treatment][-1]["gain"] == pytest.approx(average)
        assert qini["interval"][0] < qini["estimate"] < qini["interval"][1]


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
