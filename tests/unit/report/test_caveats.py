"""Caveats are chosen by machine and follow from the findings alone."""

import pytest

from causal_tasks.report.text import catalog
from causal_tasks.rule import LANGUAGES
from tests.unit.report import sample
from tests.unit.report import sample_models as models


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_caveat_has_its_words(language):
    codes = set(sample.observational()["notes"]) | set(sample.several_arms()["notes"])
    codes |= {"did_headline", "did_refused", "pre_trend_untested", "pre_trend", "imbalance", "matching_placebo"}
    codes |= {"trimmed", "omnibus_failed", "chance", "guardrail_harmed", "replicates_failed", "placebos_failed"}
    codes |= {"stability_not_measured", "picture_left_out"}
    assert {f"notes.{code}" for code in codes} <= catalog(language).sentences.keys()


def test_a_model_that_failed_and_a_replication_that_failed_are_different_caveats():
    seed = models.FAILURE.model_copy(update={"stage": "replicate", "item": "seed_1"})
    placebo = models.FAILURE.model_copy(update={"stage": "replicate", "item": "permuted_1"})
    notes = sample.result(changes={"failures": {"replicate/seed_1": seed}})["notes"]
    assert ("replicates_failed" in notes, "candidates_failed" in notes) == (True, False)
    notes = sample.result(changes={"failures": {"replicate/permuted_1": placebo}})["notes"]
    assert "replicates_failed" not in notes
    assert "candidates_failed" in sample.result()["notes"]


def test_stability_that_was_not_measured_is_told():
    evidence = sample.evidence() | {"notes": ["stability_not_measured"]}
    assert "stability_not_measured" in sample.result(changes={"evidence": evidence})["notes"]


def test_arms_that_parted_before_matter_where_nobody_randomised():
    parted = {"did": sample.did(trend=0.02)}
    assert "pre_trend" in sample.observational(parted)["notes"]
    assert "pre_trend" not in sample.result(changes=parted)["notes"]


def test_an_observational_comparison_is_marked():
    assert "observational" in sample.observational()["notes"]
    assert "observational" not in sample.result()["notes"]
