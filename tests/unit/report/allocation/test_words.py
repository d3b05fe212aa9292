"""Every ending, method, reason and note of an allocation has its words in both languages."""

import re
from pathlib import Path

import pytest

import causal_tasks.allocation
from causal_tasks.allocation.methods import METHODS
from causal_tasks.report.allocation.briefing import AllocationBriefing
from causal_tasks.report.text import catalog
from causal_tasks.rule import LANGUAGES
from causal_tasks.uplift.candidates import CANDIDATES
from tests.unit.report.allocation import sample
from tests.unit.report.allocation.test_message import CODES

REASONS = ("better", "not_distinguishable", "baseline_best", "only_two_stage", "no_two_stage")
NOTES = {
    "arm_missing_in_cluster",
    "baseline_added",
    "budget_above_dearest",
    "budget_below_cheapest",
    "budget_not_binding",
    "cheaper_than_control",
    "cost_hardly_differs",
    "decision_loss_did_not_help",
    "file_overspends",
    "file_underspends",
    "gap",
    "learned_gate_no_better",
    "logs_unused",
    "mixed_with_cheapest",
    "only_the_average",
    "teacher_did_not_help",
    "users_without_values",
}
WRITTEN = r'(?:f"|notes_ \+= \(")([a-z]+(?:_[a-z]+)+)(?::\{|",\))'


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_ending_reason_and_note_has_its_words(language):
    wanted = {f"allocation.{part}.{code}" for code in CODES for part in ("badge", "headline", "action")}
    wanted |= {f"allocation.why.{reason}" for reason in REASONS} | {f"allocation.notes.{code}" for code in NOTES}
    assert wanted <= catalog(language).sentences.keys()


def test_every_note_that_the_sources_write_is_among_them():
    folder = Path(causal_tasks.allocation.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
    written = {code for text in texts for code in re.findall(WRITTEN, text)}
    assert {"cheaper_than_control", "arm_missing_in_cluster"} <= written
    assert written <= NOTES


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_method_belongs_to_a_family_with_words(language):
    briefing = AllocationBriefing.of(sample.result(), language)
    for method in (*METHODS, *(f"two_stage_{candidate}" for candidate in CANDIDATES)):
        assert briefing.family(method)
    with pytest.raises(KeyError, match="moon_phase"):
        briefing.family("moon_phase")


def test_a_note_without_words_is_shown_and_not_dropped():
    briefing = AllocationBriefing.of(sample.result(), "en")
    assert briefing.notes(["moon_phase:full"]) == ("moon_phase:full",)
