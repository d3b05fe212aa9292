"""The page on a feed's day says what deciding brings, what is served and watched, and takes names as text."""

import copy
import re
import subprocess
import sys

import pytest

from causal_tasks.report.dynamic import render_day_html
from causal_tasks.report.dynamic.content import tell_day
from tests.unit.report.allocation.test_page import rows_after, words
from tests.unit.report.conftest import HOSTILE
from tests.unit.report.dynamic import sample
from tests.unit.report.test_html import Elements, assert_names_are_text

EN = {"delivery": sample.FEED["delivery"] | {"languages": ["en"]}}


@pytest.fixture(scope="module")
def page():
    return render_day_html(sample.result(feed=EN))


def told(code="pays", language="en", **changes):
    return tell_day(sample.result(code, **changes), language)


def light(content, name):
    return next(row for row in content.checks.rows if row.name == name)


def test_the_first_screen_says_what_deciding_brings_with_its_interval_and_what_is_not_in_it(page):
    header = page.split("<header>")[1].split("</header>")[0]
    assert words(header) == (
        "短视频 · videos.r1/2026-10-31 Pays Choosing the mix of durations request by request does better than changing "
        "nothing: watch time +4.3% [+2.7%, +6.0%] per request What to do The decision is served. Let the experiment go "
        "on, so that it can be measured again. Before relying on the figure, run the decision itself against control on "
        "separate users: what it does to their following days is not in it."
    )


@pytest.mark.parametrize("code", ["not_shown", "harms", "guard_broken", "invalid"])
def test_where_it_is_not_shown_to_pay_nothing_is_switched_on_and_that_is_said(code):
    content = told(code)
    assert "nothing is switched on" in content.headline
    assert "reatment is off" in content.action
    assert dict(content.switching.served)["Thresholds"] == "all never"
    assert content.switching.title == "No treatment is in use; measured only: more_long"


@pytest.mark.parametrize("code", ["not_shown", "invalid"])
def test_the_chart_says_no_more_than_the_verdict(code):
    """An interval above zero of too few users, or of arms that were not drawn as stated, shows nothing."""
    content = told(code, differences=sample.result("pays")["differences"])
    assert content.value.gains.title == "Deciding request by request is not shown to do better than changing nothing"
    assert told("pays").value.gains.title == "Deciding request by request does better than changing nothing"


def test_a_gain_that_has_no_relative_size_is_told_in_its_unit():
    result = sample.result()
    result["differences"]["dynamic_vs_control"]["relative"] = None
    assert "watch time +2.60 s [+1.62, +3.58] per request" in tell_day(result, "en").headline


@pytest.mark.parametrize(
    ("reason", "said"),
    [("never", "No threshold made"), ("few_matched:dynamic", "Too few users"), ("interval_holds_zero", "Choosing")],
)
def test_why_nothing_was_shown_is_said(reason, said):
    assert told("not_shown", verdict={"code": "not_shown", "reasons": [reason]}).headline.startswith(said)


def test_where_control_is_the_best_arm_it_is_told_once():
    result = sample.result()
    result["policies"]["best_arm"]["arm"] = "control"
    value = tell_day(result, "en").value
    assert len(value.rows) == 4
    assert len(value.gains.bars) == 3


def test_a_weighting_without_a_guard_is_not_said_to_break_one():
    pareto = copy.deepcopy(sample.result()["pareto"])
    pareto["rows"][1]["guards_kept"] = None
    assert told(pareto=pareto).trade.rows[1].states == ""


def test_a_broken_guard_is_named_in_the_headline():
    assert told("guard_broken").headline.endswith("fall by more than is tolerated: active days, 7 days")


def test_every_way_to_decide_has_its_value_and_what_the_decision_brings_over_it(page):
    rows = rows_after(page, "What deciding is worth")[1:]
    assert rows[0] == ("By preference and interest, request by request 62.40 s [61.50, 63.30] — 59.0% 11,300 matched")
    assert rows[1].endswith("61.20 s [60.30, 62.10] ▲ +1.20 s [+0.51, +1.89] 65.0% 11,300 matched")
    assert rows[3].startswith("more_long for everyone, the best single arm")
    assert len(rows) == 5
    assert "33,800 requests of 1,210 users that neither models nor thresholds saw" in page


def test_a_treatment_is_told_with_its_bucket_threshold_and_share_of_requests(page):
    rows = rows_after(page, "When a treatment is switched on")[1:]
    assert rows == ["more_long long 12.5 s 32.0%", "more_short short never 0.0%"]
    assert "In use: more_long; never: more_short" in page


def test_what_is_served_stays_that_of_a_newer_day_in_a_backfill():
    run = sample.result()["run"] | {"published": False, "kept": "2026-11-02"}
    content = told(run=run)
    assert content.action.endswith("Served stays what was published for a newer day, 2 Nov 2026.")
    assert content.switching.served == (("Since", "scores of 2 Nov 2026"),)


@pytest.mark.parametrize(
    ("kept", "shown", "state", "status"),
    [(True, True, "kept", "pass"), (True, False, "open", "warn"), (False, False, "broken", "fail")],
)
def test_a_guard_is_kept_broken_or_not_known_yet(kept, shown, state, status):
    guards = [sample.result()["guards"][0] | {"kept": kept, "shown": shown}]
    content = told(guards=guards)
    assert content.guards[0].state == state
    assert light(content, "Guarded response").status == status


def test_drift_is_a_table_of_segments_by_weeks_in_which_alarms_are_outlined(page):
    rows = rows_after(page, "Do the thresholds still fit?")
    assert rows[0] == "Segment, week from 5 Oct 2026 12 Oct 2026 19 Oct 2026"
    assert rows[1].startswith("high 0.00 s [0.00, 0.00] 4,200 requests")
    assert "low — 4,200 requests" in rows[2]
    assert rows[2].endswith("+1.40 s [+0.52, +2.28] more_long ξ 40.0 s 4,200 requests")
    assert len(re.findall(r'class="n alarm"', page)) == 1
    assert "1 of 5 cells raise an alarm: low, week from 19 Oct 2026" in page


def test_without_a_column_of_segments_all_users_are_one():
    assert {segment for segment, _ in told(feed={"segment": None}).drift.rows} == {"All users"}


def test_without_an_alarm_the_light_is_green():
    drift = copy.deepcopy(sample.result()["drift"])
    drift["rows"][5]["alarm"] = False
    quiet = told(drift=drift | {"alarms": 0})
    assert light(quiet, "Thresholds still fit").status == "pass"
    assert light(told(), "Thresholds still fit").status == "warn"


@pytest.mark.parametrize(("p_value", "status"), [(0.3, "pass"), (0.005, "warn"), (0.0005, "fail")])
def test_arms_that_are_not_in_the_stated_shares_turn_their_light(p_value, status):
    coverage = sample.result()["coverage"] | {"shares_p_value": p_value}
    assert light(told(coverage=coverage), "Shares of arms").status == status


def test_a_way_to_decide_that_few_matched_is_named_by_its_light_alone():
    content = told(notes=["few_matched:interest", "few_differ:interest"])
    assert light(content, "Enough matches").sentence.startswith(
        "Too few users, or too unequal ones, tell what this brings: By interest alone"
    )
    assert content.notes == ()


def test_other_notes_are_told_first_and_one_without_words_is_shown_as_it_is():
    content = told(notes=["responses_outlast_periods", "moon_phase:full"])
    assert content.notes[0].startswith("Responses are summed over more days than a period has")
    assert content.notes[1] == "moon_phase:full"


def test_how_models_were_trained_is_told_with_the_day_that_they_were_refreshed_from():
    assert told().training.preference == (
        "The preference model was refreshed on 14,390 periods of 3,600 users, from that of 30 Oct 2026; it was last "
        "trained from scratch on 27 Oct 2026."
    )
    training = copy.deepcopy(sample.result()["training"])
    training["preference"] |= {"how": "anew", "from": None, "reason": "levels:city"}
    assert told(training=training).training.preference == (
        "The preference model was trained from scratch on 14,390 periods of 3,600 users, as city has new values."
    )


def test_published_scores_stand_beside_the_spread_of_random_rankings():
    score = {"value": 0.0942, "null_mean": 0.0, "null_sd": 0.0031, "z": 30.0}
    preference = sample.result()["preference"]
    preference[2]["published"] = {"qini": score, "auuc": score, "lift_at_30": score}
    published = told(preference=preference).training.published
    assert published == (("active days, 7 days", "more_long", *["0.0942 (sd 0.0031)"] * 3),)


def test_other_weights_are_a_table_in_which_the_stated_ones_stand_out_and_dominated_ones_step_back():
    trade = told().trade
    assert [row.states for row in trade.rows] == ["as stated", "", "dominated, guard not shown to be kept"]
    assert trade.rows[1].weights == "watch time, 7 days: 1.0; active days, 7 days: 705"
    assert trade.rows[0].changes[0].estimate == "+120 s"


def test_without_requests_everything_is_told_of_periods_and_nothing_of_interest():
    content = tell_day(sample.preference_only(), "en")
    assert content.headline.startswith("Choosing the mix of durations user by user does better")
    assert content.headline.endswith("per user and period")
    assert content.value.rows[0].policy == "By preference, user by user"
    assert (content.drift, content.training.interest) == (None, None)
    assert "request" not in " ".join([content.value.note, content.value.metric])
    assert "Thresholds still fit" not in [row.name for row in content.checks.rows]
    assert Elements(render_day_html(sample.preference_only())).open == []


def test_several_weighted_responses_have_no_unit_in_common():
    responses = copy.deepcopy(sample.FEED["responses"])
    responses[1]["weight"] = 600.0
    content = told(feed={"responses": responses})
    assert content.switching.rows[0][2] == "12.5"
    assert content.switching.curves[0].x_title == "Threshold ξ"
    assert content.value.rows[0].value.startswith("62.40 s")


def test_a_reward_that_is_no_response_goes_by_its_column():
    content = told(feed={"reward": "clicks"})
    assert "clicks +4.3%" in content.headline
    assert content.value.rows[0].value == "62.40 [61.50, 63.30]"


def test_one_threshold_for_all_is_one_curve():
    thresholds = copy.deepcopy(sample.result()["thresholds"])
    thresholds["curve"] = [row | {"treatment": None} for row in thresholds["curve"] if row["treatment"] == "more_long"]
    thresholds |= {"per_treatment": False, "chosen": {"more_long": 12.5, "more_short": 12.5}}
    switching = told(thresholds=thresholds).switching
    assert [curve.title for curve in switching.curves] == ["All treatments: 12.5 s"]
    assert switching.caption.startswith("Value by a threshold that all treatments have in common")


def test_how_much_interest_counts_is_told():
    thresholds = sample.result()["thresholds"]
    assert "1 + 0.5 · (r − 1)" in told().switching.weight
    assert "nothing" in told(thresholds=thresholds | {"interest_weight": 0.0}).switching.weight
    assert told(thresholds=thresholds | {"interest_weight": None}).switching.weight == ""


def test_a_single_threshold_has_no_curve():
    thresholds = copy.deepcopy(sample.result()["thresholds"])
    thresholds["curve"] = [row for row in thresholds["curve"] if row["xi"] in (None, 12.5)]
    assert told(thresholds=thresholds).switching.curves == ()


def test_hostile_names_are_text_everywhere():
    display = {"zh": HOSTILE, "en": HOSTILE}
    responses = [one | {"display": display, "unit": display} for one in sample.FEED["responses"]]
    result = sample.result(feed={"name": HOSTILE, "owner": HOSTILE, "responses": responses})
    result["drift"]["rows"][5]["segment"] = HOSTILE
    result["policies"]["best_arm"]["arm"] = HOSTILE
    page = render_day_html(result)
    assert_names_are_text(page)


def test_the_page_is_whole_light_and_the_same_for_the_same_result(page):
    assert Elements(page).open == []
    assert len(page.encode()) < 400_000
    assert not re.search(r"(?:https?:)?//[a-z]", page)
    assert page == render_day_html(sample.result(feed=EN))


def test_importing_the_views_loads_no_drawing_library():
    program = (
        "import sys, causal_tasks.report.dynamic as a; print(sorted({'altair', 'torch', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
