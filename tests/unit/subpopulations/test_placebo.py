"""Rules found where there is nothing to find, counted beside those that were found."""

import numpy as np
import pandas as pd

from tests.unit.subpopulations.test_stage import mined, prepared, stated

PLACEBOS = ["permuted_1", "permuted_2"]
NO_PAST = {"days": 7, "pre_days": 0}


def replicated(experiment, users, predictions, *, real):
    """A replication as ``replicate`` writes it: nothing to find, or the real arms for comparison."""
    random = np.random.default_rng(5)
    codes = pd.Index(experiment.arms).get_indexer(users["arm"].astype(object))
    table = predictions.assign(arm=codes if real else random.permutation(codes), outcome=users["y__minutes"].to_numpy())
    if not real:
        table["uplift__on"] = 0.1 * (users["heavy"] > 20) - 0.05 * (users["city"] == "a")
    return table


def counted(tmp_path, *, done=PLACEBOS, real=(), placebos=2):
    """What ``mine`` writes as ``placebo``."""
    experiment = stated(window=NO_PAST, mining={"stability_trees": 0, "placebos": placebos})
    users, predictions = prepared(experiment)
    more = {
        f"replicate/{item}": replicated(experiment, users, predictions, real=item in real).iloc[::2] for item in done
    }
    return mined(tmp_path, experiment, users, predictions, more=more)["placebo"]


def test_chance_finds_less_than_there_is(tmp_path):
    placebo = counted(tmp_path)
    assert [item["item"] for item in placebo["items"]] == PLACEBOS
    assert placebo["missing"] == []
    assert placebo["found"] >= 1
    assert placebo["expected"] < placebo["found"]
    assert placebo["expected"] == np.mean([item["confirmed"] for item in placebo["items"]])
    assert placebo["expected_discovered"] == np.mean([item["discovered"] for item in placebo["items"]])
    assert all(item["examined"] > 0 and item["users"] == 15_000 for item in placebo["items"])


def test_a_placebo_that_is_none_is_counted_as_what_it_finds(tmp_path):
    placebo = counted(tmp_path, real=["permuted_1"])
    real, dealt_anew = placebo["items"]
    assert real["confirmed"] == placebo["found"] >= 1
    assert real["discovered"] == placebo["found_discovered"]
    assert placebo["expected"] == (real["confirmed"] + dealt_anew["confirmed"]) / 2


def test_placebos_that_died_are_named_and_not_counted(tmp_path):
    placebo = counted(tmp_path, done=["permuted_2"])
    assert placebo["missing"] == ["permuted_1"]
    assert [item["item"] for item in placebo["items"]] == ["permuted_2"]


def test_without_any_nothing_is_expected(tmp_path):
    placebo = counted(tmp_path, done=[])
    assert (placebo["expected"], placebo["expected_discovered"]) == (None, None)
    assert placebo["missing"] == PLACEBOS


def test_an_experiment_that_wants_none_has_none(tmp_path):
    assert counted(tmp_path, done=[], placebos=0) is None
