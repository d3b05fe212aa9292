"""Both catalogues say the same things, every check has its words, and no sentence promises too much."""

import re
from importlib.resources import files
from typing import get_args

import pytest
import yaml

from causal_tasks.experiment import Delivery
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.checks import CHECK_CODES, tell_checks
from causal_tasks.report.text import catalog
from causal_tasks.rule import LANGUAGES
from causal_tasks.validity.grading import CODES
from tests.unit.report import sample

VERDICTS = (
    "invalid",
    "too_small",
    "no_model",
    "nothing_found",
    "no_rule",
    "leads_only",
    "found_positive",
    "found_negative",
    "found_both",
    "follow_up_confirmed",
    "follow_up_retired",
    "follow_up_open",
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_files_of_a_catalogue_speak_of_the_same_part(language):
    folder = files("causal_tasks.report").joinpath(f"locales/{language}")
    parts = [part for file in folder.iterdir() for part in yaml.safe_load(file.read_text(encoding="utf-8"))]
    assert len(set(parts)) == len(parts)


def test_both_languages_have_the_same_keys():
    assert catalog("zh").sentences.keys() == catalog("en").sentences.keys()


def test_both_languages_fill_in_the_same_fields_but_for_counting_the_first_in_or_out():
    zh, en = catalog("zh"), catalog("en")
    assert {key for key in zh.sentences if zh.fields(key) != en.fields(key)} == {"verdict.and_more"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_check_that_validation_makes_has_its_words(language):
    assert set(CHECK_CODES) == set(CODES)
    wanted = {f"checks.{code}.{part}" for code in CODES for part in ("name", "pass", "warn", "fail", "remedy")}
    assert wanted <= catalog(language).sentences.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_verdict_and_theme_has_its_words(language):
    themes = get_args(Delivery.model_fields["theme"].annotation)
    wanted = {f"verdict.{code}.{part}" for code in VERDICTS for part in ("headline", "action")}
    tones = ("good", "bad", "unclear", "mixed", "observational")
    wanted |= {f"verdict.one_decision.headline_{tone}" for tone in tones} | {"verdict.one_decision.action"}
    wanted |= {f"badge.{code}" for code in (*VERDICTS, "one_decision", "observational")} | {
        f"forest.colours.{theme}" for theme in themes
    }
    assert wanted <= catalog(language).sentences.keys()


def test_an_unknown_check_raises_instead_of_showing_its_code():
    result = sample.result("found_both", {"checks": [sample.check("moon_phase")]})
    with pytest.raises(KeyError, match="moon_phase"):
        tell_checks(Briefing.of(result, "zh"))


def test_an_unknown_text_says_where_to_add_it():
    with pytest.raises(KeyError, match="report/locales"):
        catalog("en")("no.such.text")


def test_a_value_that_looks_like_a_template_is_inserted_as_it_is():
    assert catalog("en")("verdict.who", rule="{0.__class__} {threshold}") == "users where {0.__class__} {threshold}"


@pytest.mark.parametrize(
    ("language", "forbidden"),
    [("zh", r"证明|必将|必然|一定会|保证"), ("en", r"\bprove|\bwill increase|\bwill improve|guarantee")],
)
def test_no_sentence_promises_more_than_an_experiment_shows(language, forbidden):
    promising = [
        key for key, sentence in catalog(language).sentences.items() if re.search(forbidden, sentence, re.IGNORECASE)
    ]
    assert promising == []


def test_a_chinese_sentence_holds_no_english_full_stop():
    wrong = [key for key, sentence in catalog("zh").sentences.items() if re.search(r"[\u4e00-\u9fff][.,;]", sentence)]
    assert wrong == []
