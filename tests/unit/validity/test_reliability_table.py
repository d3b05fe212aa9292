"""Every way in which data goes wrong: what is found, how it is graded, and what a reader is told in both languages."""

import json
from functools import cache

import pytest

from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.checks import tell_checks
from causal_tasks.validity.stage import HOUSEKEEPING, TRUST, judge
from tests.unit.validity.cases import assignments, features, metrics, tables

CASES = assignments.CASES | tables.CASES | metrics.CASES | features.CASES


@cache
def found(name):
    return CASES[name].found()


def of_case(name):
    """The check that the case is about."""
    case = CASES[name]
    experiment, checks, _ = found(name)
    (check,) = [c for c in checks if c.code == case.code and (case.subject is None or c.subject == case.subject)]
    return experiment, check


@pytest.mark.parametrize("name", CASES)
def test_a_problem_is_found_and_graded(name):
    case, (_, check) = CASES[name], of_case(name)
    assert check.status == case.status
    if case.value is not None:
        assert check.value == pytest.approx(case.value, abs=0.005)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_problem_is_told_with_its_figures_and_what_to_do(name, language):
    experiment, check = of_case(name)
    result = {"experiment": experiment.model_dump(mode="json", by_alias=True), "checks": [check.to_dict()]}
    (row,) = tell_checks(Briefing.of(result, language)).rows
    assert row.sentence == filled(getattr(CASES[name], language), check)
    assert row.remedy


def filled(sentence, check):
    """What a classifier finds depends on its release: those figures are taken from the check."""
    if "<auc>" not in sentence:
        return sentence
    return sentence.replace("<auc>", f"{check.details['auc']:.3f}").replace("<bound>", f"{check.value:.3f}")


@pytest.mark.parametrize("name", CASES)
def test_a_problem_of_trust_makes_the_experiment_invalid_and_one_of_tidiness_nothing(name):
    case, (_, checks, screening) = CASES[name], found(name)
    verdict = judge([check for check in checks if check.code == case.code])
    if case.code in TRUST and case.status == "fail":
        assert (verdict.status, verdict.reason) == ("invalid", case.code)
    else:
        assert verdict.status == ("valid" if case.code in HOUSEKEEPING else "warning")
    assert ("extra" in screening.used) == ("extra" in case.features and "extra" not in screening.dropped)


@pytest.mark.parametrize("name", CASES)
def test_whatever_is_wrong_the_checks_are_json_without_nan(name):
    _, checks, _ = found(name)
    json.dumps([check.to_dict() for check in checks], allow_nan=False)
