"""From what segments can be learned, and what is refused with its cause before anything is learned."""

import numpy as np
import pytest

from causal_tasks.errors import InputError
from tests.unit.segments.stages.segment_runs import SEGMENTS, SegmentRun, prepared, segmenting, statement


def planned(tmp_path, experiment, users=None, **options):
    made = SegmentRun(tmp_path, experiment, prepared(experiment) if users is None else users, **options)
    made.stage("plan_segments")
    return made


def test_segments_and_separate_creatives_are_learned_and_the_rest_is_reference(tmp_path):
    made = planned(tmp_path, statement())
    plan = made.json("plan_segments", "plan")
    assert made.json("plan_segments", "items") == ["segments", "separate"]
    assert (plan["segments"], plan["reference"], plan["response"]) == (SEGMENTS, ["none"], "opened")
    assert plan["features"] == ["age", "city"]
    assert plan["notes"] == ["arm_not_learned_from:none", "family_chosen:binomial", "users_without_response"]


def test_every_user_with_a_response_is_learned_from_a_reference_or_measured(tmp_path):
    users = prepared(statement())
    found = planned(tmp_path, statement(), users).json("plan_segments", "plan")["users"]
    known, discovery, shown = users["y__opened"].notna(), users["part"] == "discovery", users["arm"] != "none"
    assert found == {
        "all": len(users),
        "learned": (known & discovery & shown).sum(),
        "measured": (known & ~discovery).sum(),
        "reference": (discovery & ~shown).sum(),
        "without_response": (~known).sum(),
    }


def test_the_best_are_those_of_the_users_who_are_learned_from(tmp_path):
    experiment = statement()
    users = prepared(experiment)
    best = planned(tmp_path, experiment, users).json("plan_segments", "plan")["best"]
    learned = users[(users["part"] == "discovery") & (users["arm"] != "none")]
    means = learned.groupby("arm", observed=True)["y__opened"].mean()
    assert best["creative"] == means.idxmax()
    assert best["in_segment"] == {"old": means[["classic", "vinyl"]].idxmax(), "young": "fresh"}
    old = learned[learned["arm"] != "fresh"]["y__opened"].mean()
    assert best["segment"] == ("old" if old > means["fresh"] else "young")


def test_of_a_response_of_which_less_is_better_the_best_has_the_least(tmp_path):
    more = planned(tmp_path / "more", statement()).json("plan_segments", "plan")["best"]
    less = planned(tmp_path / "less", statement(segmenting=segmenting(response="left")))
    # Who has not opened has left, so that both say the same.
    assert less.json("plan_segments", "plan")["best"] == more
    assert less.json("plan_segments", "plan")["family"] == "binomial"


@pytest.mark.parametrize(
    ("changes", "family"),
    [
        ({"response": "opened"}, "binomial"),
        ({"response": "minutes"}, "gaussian"),
        ({"response": "opened", "family": "poisson"}, "poisson"),
    ],
)
def test_the_family_follows_the_values_unless_it_is_stated(changes, family, tmp_path):
    made = planned(tmp_path, statement(segmenting=segmenting(**changes)))
    plan = made.json("plan_segments", "plan")
    assert plan["family"] == family
    assert (f"family_chosen:{family}" in plan["notes"]) == ("family" not in changes)


def test_votes_down_are_no_responses_of_one(tmp_path):
    experiment = statement()
    users = prepared(experiment)
    users["y__opened"] -= (users.index % 3 == 0) & (users["y__opened"] == 0)
    assert set(users["y__opened"].dropna()) == {-1, 0, 1}
    assert planned(tmp_path, experiment, users).json("plan_segments", "plan")["family"] == "gaussian"


def test_a_ratio_is_learned_as_a_number(tmp_path):
    metrics = [{"name": "rate", "role": "primary", "numerator": "n", "denominator": "d"}]
    assert planned(tmp_path, statement(metrics=metrics)).json("plan_segments", "plan")["family"] == "gaussian"


def test_an_alpha_at_which_nothing_is_shared_is_noted(tmp_path):
    experiment = statement(segmenting=segmenting(alphas=[0.1, 0.5]))
    assert "alpha_above_half:0.5" in planned(tmp_path, experiment).json("plan_segments", "plan")["notes"]


@pytest.mark.parametrize(
    "verdict",
    [
        {"status": "invalid", "mining": True, "reason": "sample_ratio"},
        {"status": "warning", "mining": False, "reason": "arm_size"},
    ],
)
def test_an_experiment_that_failed_its_checks_teaches_nothing(verdict, tmp_path):
    users = prepared(statement())
    users.loc[users["arm"] == "fresh", "y__opened"] = 0.0
    made = planned(tmp_path, statement(), users, verdict=verdict)
    assert made.json("plan_segments", "items") == []
    assert made.json("plan_segments", "plan")["best"] is None
    assert made.json("plan_segments", "plan")["users"]["learned"] > 0


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"segmenting": None}, "states no segmenting"),
        ({"randomized": False}, "was not randomised"),
        ({"segmenting": segmenting(response="minutes", family="binomial")}, r"'minutes' does not fit .* 'binomial'"),
        ({"segmenting": segmenting(response="minutes", family="poisson")}, r"'minutes' does not fit .* 'poisson'"),
    ],
)
def test_a_statement_that_does_not_fit_the_data_is_refused(changes, complaint, tmp_path):
    with pytest.raises(InputError, match=complaint):
        planned(tmp_path, statement(**changes))


def test_a_creative_to_which_nobody_responds_is_named(tmp_path):
    users = prepared(statement())
    users.loc[users["arm"] == "fresh", "y__opened"] = 0.0
    with pytest.raises(InputError, match=r"'opened' is 0 for all \d+ users .* who were shown 'fresh'"):
        planned(tmp_path, statement(), users)


@pytest.mark.parametrize(("part", "purpose"), [("discovery", "learned from"), ("estimation", "measured on")])
def test_a_creative_shown_to_too_few_is_named(part, purpose, tmp_path):
    users = prepared(statement())
    few = np.flatnonzero((users["arm"] == "vinyl") & (users["part"] == part) & users["y__opened"].notna())
    with pytest.raises(InputError, match=rf"'vinyl' was shown to 9 users .* {purpose}, fewer than 20"):
        planned(tmp_path, statement(), users.drop(few[9:]))
