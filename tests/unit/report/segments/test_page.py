"""The page on creative segments says what to do, tells every segment in words, and takes names as text."""

import re
import subprocess
import sys

import pytest

from causal_tasks.report.segments import render_segments_html
from causal_tasks.report.segments.content import tell_segments
from tests.unit.report.allocation.test_page import rows_after, words
from tests.unit.report.conftest import HOSTILE
from tests.unit.report.segments import sample
from tests.unit.report.test_html import Elements, assert_names_are_text

EN = {"delivery": {"languages": ["en"]}}


@pytest.fixture(scope="module")
def page():
    return render_segments_html(sample.result(statement=EN))


def told(code="segments_pay", language="en", **changes):
    return tell_segments(sample.result(code, **changes), language)


def test_the_first_screen_says_what_segments_bring_which_hold_together_and_what_to_do(page):
    header = page.split("<header>")[1].split("</header>")[0]
    assert words(header) == (
        "推送文案 · push_messages.r1 Segments pay Showing each user the messages of the segment that fits does better than "
        "the best single message (当年今日) for everyone: opens +1.24 pp [+0.83, +1.65] per user; segments whose messages "
        "act alike: 怀旧; alike with exceptions: 发现 What to do Assign users by the file of assignments, and show each of them a "
        "message of that segment. Keep a small random group on all messages, so that the gain can be measured again."
    )


def test_every_policy_has_its_response_with_interval_and_those_that_choose_by_user_their_gain(page):
    rows = rows_after(page, "What assigning segments is worth")
    assert rows[1:4] == [
        "Messages of the assigned segment 10.05% [9.60, 10.50] ▲ +1.24 pp [+0.83, +1.65]",
        "Best message of the assigned segment 10.17% [9.56, 10.78] ▲ +1.36 pp [+0.77, +1.95]",
        "Message chosen by one model for each message 10.09% [9.46, 10.72] ▲ +1.28 pp [+0.71, +1.85]",
    ]
    assert rows[4] == "The best single message, 当年今日, for everyone 8.81% [7.95, 9.67] —"
    assert len(rows) == 8
    assert "the best message of the assigned segment: ◆ −0.08 pp [−0.45, +0.29]" in words(page)
    assert "The assigned segments against 无推送 for everyone: ▲ +4.93 pp [+4.19, +5.67]" in words(page)


def test_a_segment_is_told_in_words_with_its_sizes_and_whom_it_speaks_to(page):
    card = '<div class="card">'
    section = page.split("<h2>What each segment responds to</h2>")[1].split("<h2>")[0]
    first, second, third = (words(card + told) for told in section.split(card)[1:])
    assert first.startswith(
        "acts alike 怀旧 老歌回忆, 当年今日, 老友歌单 No difference was found between its 3 messages"
    )
    assert "Speaks to: high age, plan is not premium, country unknown, high night_share" in first
    assert "Shown (learned from) 18,000 Assigned 23,333 (33.3%) Best message 老歌回忆" in first
    assert "except that 每周发现 responds to features in its own way" in second
    assert "每周发现 speaks more than the segment as a whole to: high age, plan is not premium" in second
    assert third.startswith("nothing tells users apart 优惠 半价会员 Nothing known about users tells who responds")


def test_who_responds_to_what_is_a_table_of_means_with_intervals_in_which_own_messages_are_outlined(page):
    rows = rows_after(page, "Who responds to what")
    assert rows[0] == "Assigned segment Shown: 怀旧 Shown: 发现 Shown: 优惠 Shown: No message of a segment"
    assert rows[1].startswith("怀旧 10.00% [9.02, 10.98] 2,800 users 6.40% [5.42, 7.38] 2,500 users")
    assert len(re.findall(r'class="n heat-\d own"', page)) == 3


def test_the_shades_of_a_row_count_from_its_lowest_so_that_a_flat_row_stays_pale():
    result = sample.result()
    for cell in result["matrix"]:
        if cell["assigned"] == "发现":
            cell["response"] = sample.estimate(0.2, 0.005)
    shades = [[cell.shade for cell in cells] for _, cells in tell_segments(result, "en").value.matrix.rows]
    assert shades[0] == [5, 2, 2, 1]
    assert shades[1] == [1, 1, 1, 1]


def test_a_pair_that_too_few_users_are_in_is_a_dash_and_a_segment_nobody_was_assigned_has_no_row():
    result = sample.result()
    for cell in result["matrix"]:
        if cell["assigned"] == "优惠":
            cell.update(users=0, response=None)
    result["matrix"][1] |= {"users": 1, "response": None}
    matrix = tell_segments(result, "en").value.matrix
    assert [name for name, _ in matrix.rows] == ["怀旧", "发现"]
    empty = matrix.rows[0][1][1]
    assert (empty.mean, empty.interval, empty.users, empty.shade) == ("—", "", "1", 0)


def test_the_optimum_is_certified_in_plain_words_and_the_chosen_penalty_named(page):
    assert (
        "The optimum is certified: the objective, 9,321.5, lies at most 3.1 × 10⁻⁵ above the smallest possible "
        "(3.3 × 10⁻⁹ of it)." in words(page)
    )
    assert (
        "Chosen: 23.4% of the largest penalty at α = 0.1, the strongest penalty that predicts nearly as well"
        in words(page)
    )


def test_where_users_were_drawn_in_clusters_balance_is_not_tested_and_that_is_said():
    selection = told(balance=None).selection
    assert selection.balance == "Users were drawn in clusters, so features of single users can't be tested for balance."
    assert selection.imbalances == ()


def test_exposure_that_features_can_tell_is_said_to_look_not_random():
    balance = sample.result()["balance"] | {"flagged": True, "p_value": 1e-9}
    assert told(balance=balance).selection.balance.startswith(
        "Features tell which message users were shown (p < 0.001): exposure does not look random"
    )


def test_coefficients_are_said_to_have_no_interval(page):
    assert "have no interval; what the rule is worth is measured above, on users that nothing was learned from" in page


def test_a_reader_learns_the_file_its_columns_and_how_to_assign_other_users(page):
    use = words(page.split("<h2>How to use it</h2>")[1].split("<h2>")[0])
    assert "in the folder of this run: stages/assign_segments/0123456789ab/assignments.parquet" in use
    assert "score__… score of each segment" in use
    assert "causal-tasks assign-segments push_messages.r1 users.parquet assigned.parquet" in use


@pytest.mark.parametrize("code", ["segments_not_shown", "segments_harm", "nothing_found"])
def test_where_segments_do_not_pay_the_single_message_is_what_to_show(code):
    assert told(code).action.startswith("Show everyone 当年今日")


def test_nothing_found_says_so_and_draws_no_coefficients():
    content = told("nothing_found")
    assert content.headline == (
        "Nothing known about users tells which segment's messages suit whom, so everyone is assigned the same segment; "
        "the best single message is 当年今日"
    )
    assert [profile.coefficients for profile in content.profiles] == [None, None, None]
    assert [profile.share for profile in content.profiles] == ["100%", "0%", "0%"]


def test_nothing_found_is_not_told_as_a_loss_of_assigning_where_mixed_messages_did_worse_than_one():
    result = sample.result("nothing_found")
    result["differences"]["vs_best_creative"] = sample.estimate(-0.025, 0.002)
    assert tell_segments(result, "en").value.gains.title.startswith("Everyone is assigned the same segment")
    assert tell_segments(result, "en").profiles[0].sentence.endswith("responds to these messages and who does not.")


def test_a_segment_of_which_nothing_is_known_is_said_to_get_those_whom_no_other_speaks_to():
    assert told().profiles[2].sentence.endswith("it is assigned to those to whom no other segment speaks.")


def test_one_segment_is_not_told_as_a_choice():
    content = told("one_segment", named={"all": ("a", "b")})
    assert content.headline.startswith("There is one segment, so everyone is assigned it")
    assert content.value.gains.title.startswith("One segment, and so no choice")


def test_where_one_model_for_each_message_is_reliably_better_the_action_says_so():
    result = sample.result()
    assert "One model" not in tell_segments(result, "en").action
    result["differences"]["separate_vs_best_in_segment"] = sample.estimate(0.01, 0.002)
    # A single message of the segment is not what the action says to show.
    assert "One model" not in tell_segments(result, "en").action
    result["differences"]["vs_separate"] = sample.estimate(-0.008, 0.002)
    assert "messages of the assigned segment (+0.80 pp [+0.41, +1.19])" in tell_segments(result, "en").action


def test_separate_models_that_only_beat_harmful_segments_are_not_advised():
    result = sample.result("segments_harm")
    better = sample.estimate(0.01, 0.002)
    result["differences"] |= {"separate_vs_best_in_segment": better, "vs_separate": sample.estimate(-0.01, 0.002)}
    assert tell_segments(result, "en").action == "Show everyone 当年今日, and do not choose by segment."
    result["differences"]["separate_vs_best_creative"] = better
    assert "better than 当年今日 for everyone (+1.00 pp [+0.61, +1.39])" in tell_segments(result, "en").action


def test_a_segment_whose_messages_all_differ_a_little_names_none_that_agrees():
    result = sample.result()
    result["segments"][0] |= {"verdict": "partly", "agrees": [], "differs": result["segments"][1]["differs"]}
    assert "each of them also has users of its own" in tell_segments(result, "en").profiles[0].sentence


def test_a_segment_that_falls_apart_is_named_in_the_headline():
    result = sample.result()
    result["segments"][0] |= {"verdict": "apart", "shared": []}
    assert tell_segments(result, "en").headline.endswith(
        "; alike with exceptions: 发现; segments that do not hold together: 怀旧"
    )


def test_less_is_better_where_the_metric_should_fall():
    metric = sample.STATEMENT["metrics"][0] | {"direction": "down"}
    content = told("segments_pay", statement={"metrics": [metric]})
    assert content.value.gains.bars[0].tone == "bad"
    assert content.value.matrix.rows[0][1][0].shade == 1


def test_a_failed_trust_check_learns_nothing_and_names_the_check_and_its_remedy():
    content = told("invalid")
    assert (
        content.headline
        == "This experiment fails a trust check of its data (Sample ratio), so no segments were learned"
    )
    assert content.action.startswith("Find the cause first: Check the assignment configuration")
    page = render_segments_html(sample.result("invalid", statement=EN))
    assert "<img" not in page
    assert "Who responds to what" not in page
    assert "Can the data be trusted?" in page


def test_what_is_to_be_known_first_stands_in_the_header_and_what_went_as_it_should_in_the_appendix():
    content = told(notes=["arm_not_learned_from:无推送", "family_chosen:binomial", "not_converged"])
    assert [note[:33] for note in content.notes] == ["The search for the optimum was cu"]
    assert content.remarks == (
        "无推送 belongs to no segment: nothing was learned from it, and it serves for comparison.",
        "The model was chosen by the values of the response: Logistic model.",
    )


def test_policies_are_listed_in_the_same_order_whatever_that_of_the_file():
    result = sample.result()
    result["policies"] = dict(sorted(result["policies"].items()))
    assert tell_segments(result, "en").value.rows == told().value.rows


def test_too_little_data_says_what_is_missing():
    content = told("not_possible", "zh")
    assert content.badge == "无从学习"
    assert "（样本量）" in content.headline
    assert content.action
    assert (content.profiles, content.value, content.selection, content.use) == ((), None, None, None)


def test_where_control_is_a_message_itself_there_is_nothing_to_say_of_it():
    result = sample.result()
    result["policies"]["control"] = result["differences"]["vs_control"] = None
    value = tell_segments(result, "en").value
    assert len(value.rows) == 6
    assert value.over_control is None


def test_hostile_names_are_text_everywhere():
    display = {"zh": HOSTILE, "en": HOSTILE}
    metrics = [metric | {"display": display} for metric in sample.STATEMENT["metrics"]]
    features = {"dictionary": {"age": {"display": display}}}
    stated = {"name": HOSTILE, "owner": HOSTILE, "metrics": metrics, "features": features}
    named = {HOSTILE[:100]: (HOSTILE[:110], HOSTILE[1:111]), HOSTILE[2:100]: (HOSTILE[2:112],)}
    result = sample.result(named=named, statement=stated)
    result["segments"][0]["shared"] = [sample.level("plan", HOSTILE, 0.4)]
    page = render_segments_html(result)
    assert_names_are_text(page)


def test_the_page_is_whole_light_and_the_same_for_the_same_result(page):
    assert Elements(page).open == []
    assert len(page.encode()) < 400_000
    assert not re.search(r"(?:https?:)?//[a-z]", page.replace("s3://", ""))
    assert page == render_segments_html(sample.result(statement=EN))


def test_importing_the_views_loads_no_drawing_library():
    program = (
        "import sys, causal_tasks.report.segments as a; print(sorted({'altair', 'torch', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
