"""Every ending, verdict, policy and note on creative segments has its words in both languages."""

import re
from pathlib import Path

import pytest

import causal_tasks.segments
from causal_tasks.evaluation import inverse_propensity
from causal_tasks.report.segments.briefing import SegmentsBriefing
from causal_tasks.report.text import catalog
from causal_tasks.rule import LANGUAGES
from tests.unit.report.segments import sample
from tests.unit.report.segments.test_message import CODES

VERDICTS = ("together", "partly", "apart", "flat", "single")
NOTES = {
    "alpha_above_half",
    "arm_not_learned_from",
    "family_chosen",
    "few_differ",
    "few_matched",
    "new_levels",
    "not_converged",
    "nothing_shared",
    "unbalanced_exposure",
    "users_without_response",
}
WRITTEN = r'(?:f"|yield "|append\(")([a-z]+(?:_[a-z]+)+)(?::\{|"\)?$)'


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_ending_verdict_policy_and_note_has_its_words(language):
    wanted = {f"creatives.{part}.{code}" for code in CODES for part in ("badge", "headline", "action")}
    wanted |= {f"creatives.{part}.{verdict}" for verdict in VERDICTS for part in ("verdict", "word")}
    wanted |= {f"creatives.verdict.{said}" for said in ("partly_none_agree", "flat_rest")}
    wanted |= {f"creatives.separate_better.{rival}" for rival in ("segments", "best_creative")}
    wanted |= {f"creatives.policy.{name}" for name in sample.result()["policies"]}
    wanted |= {f"creatives.notes.{code}" for code in NOTES}
    assert wanted <= catalog(language).sentences.keys()


def test_every_note_that_the_sources_write_is_among_them():
    sources = [*Path(causal_tasks.segments.__path__[0]).rglob("*.py"), Path(inverse_propensity.__file__)]
    texts = [path.read_text(encoding="utf-8") for path in sources]
    written = {code for text in texts for code in re.findall(WRITTEN, text, re.MULTILINE)}
    assert {"few_matched", "alpha_above_half", "users_without_response"} <= written
    assert written <= NOTES


def told(*notes, language="en"):
    return SegmentsBriefing.of(sample.result(), language).notes(notes)


def test_a_note_names_policies_features_and_models_as_the_page_does():
    assert told("few_matched:separate")[0].endswith("rough: Message chosen by one model for each message.")
    assert told("few_differ:best_segment")[0].endswith("rough: The best single segment, 怀旧, for everyone.")
    assert told("family_chosen:gaussian", language="zh") == ("按反应的取值选用了：线性模型。",)
    assert told("new_levels:plan", language="zh")[0].startswith("部分被分配的用户，其会员的取值")
    assert told("users_without_response")[0].startswith("12 users have no value")


def test_a_note_without_words_is_shown_and_not_dropped():
    assert told("moon_phase:full", "moon_phase:full") == ("moon_phase:full",)


@pytest.mark.parametrize(
    ("weighted", "whom", "label"),
    [
        (sample.number("age", 0.3), "high age", "age"),
        (sample.number("age", -0.3), "low age", "age"),
        (sample.level("plan", "free", 0.3), "plan is free", "plan: free"),
        (sample.level("plan", "free", -0.3), "plan is not free", "plan: free"),
        (sample.missing("country", 0.3), "country unknown", "country: unknown"),
        (sample.missing("country", -0.3), "country known", "country: unknown"),
        (sample.number("pre__opened", 0.3), "high opens before exposure", "opens before exposure"),
    ],
)
def test_a_coefficient_is_told_as_whom_it_speaks_for(weighted, whom, label):
    briefing = SegmentsBriefing.of(sample.result(), "en")
    assert briefing.whom(weighted) == whom
    assert briefing.term_name(weighted["term"]) == label
