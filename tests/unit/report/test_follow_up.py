"""The next experiment is told ready to run, and what would refute the finding; a follow-up says what became of it."""

import json

import pytest

from causal_tasks.experiment import Experiment
from causal_tasks.report.content import tell
from causal_tasks.report.markdown import render_markdown
from tests.unit.report import sample


def test_a_planned_experiment_tells_who_how_many_how_long_and_what_would_refute_it():
    first, _, harmed = tell(sample.result("found_both"), "zh").follow_up
    assert first.who == "年龄 ≤ 25 且 夜间收听占比 > 0.3"
    assert (first.users, first.days, first.effect, first.detectable) == ("4,120", "约 9 天", "+6.3 分钟", "6.3 分钟")
    assert first.refuted == "区间下限不高于零，且上限低于 +6.3 分钟"
    assert harmed.refuted == "区间上限不低于零，且下限高于 −5.0 分钟"


def test_the_statement_is_short_json_that_loads_as_an_experiment():
    (planned,) = tell(sample.result("found_positive"), "zh").follow_up
    experiment = Experiment.parse(json.loads(planned.statement), source="report")
    assert experiment.follows.rule == "s1"
    assert experiment.eligible == sample.YOUNG_NIGHT
    assert len(planned.statement.split("\n")) < 40


def test_of_a_dataset_nobody_knows_how_many_days_it_takes():
    plans = [plan | {"days": None} for plan in sample.findings("found_positive").follow_up]
    result = sample.result("found_positive", {"follow_up": plans})
    (planned,) = tell(result, "zh").follow_up
    assert planned.days == ""
    assert "| 4,120 | — |" in render_markdown(result, "zh")


@pytest.mark.parametrize(
    ("realised", "error", "verdict", "meaning"),
    [
        (5.2, 0.9, "confirmed", "规律成立"),
        (0.5, 0.9, "retired", "规律不成立，已淘汰"),
        (4.0, 3.0, "open", "尚不能判断"),
    ],
)
def test_a_follow_up_tells_predicted_and_measured_and_what_that_means(realised, error, verdict, meaning):
    told = tell(sample.follow_up_result(realised, error), "zh").confirmation
    assert told.verdict == verdict
    assert meaning in told.meaning
    assert told.who == "年龄 ≤ 25 且 夜间收听占比 > 0.3"
    assert told.predicted.estimate == "+6.3 分钟"
    assert told.realised.value == realised
    assert told.source == "规律来自 music_autoplay.r1 的规则 s1"


def test_an_experiment_that_follows_none_has_no_such_section():
    assert tell(sample.result(), "zh").confirmation is None


def test_the_confirmation_comes_first_in_every_view():
    text = render_markdown(sample.follow_up_result(), "en")
    assert text.startswith("# The follow-up experiment confirms that users where age ≤ 25")
    assert text.index("## Did the earlier finding repeat?") < text.index("## Overall effect")
