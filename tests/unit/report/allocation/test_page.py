"""The page on an allocation says what to do, shows every budget and method, and takes names as text."""

import re
import subprocess
import sys

import pytest

from causal_tasks.report.allocation import render_allocation_html
from causal_tasks.report.allocation.content import tell_allocation
from tests.unit.report.allocation import sample
from tests.unit.report.conftest import HOSTILE
from tests.unit.report.test_html import Elements, assert_names_are_text

EN = {"delivery": {"languages": ["en"]}}


def words(fragment):
    return " ".join(" ".join(Elements(fragment).text).split())


def rows_after(page, heading):
    table = page.split(f"<h2>{heading}</h2>")[1].split("</table>")[0]
    return [words(row) for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)]


@pytest.fixture(scope="module")
def page():
    return render_allocation_html(sample.result(statement=EN))


def test_the_first_screen_says_what_targeting_brings_who_gets_what_and_what_to_do(page):
    header = page.split("<header>")[1].split("</header>")[0]
    assert words(header) == (
        "午间红包 · lunch_coupons.r1 Targeting pays With 0.40 yuan to 1.25 yuan per user (mean over 3 budgets), choosing "
        "the arm user by user brings more than the same for everyone: lunch orders +0.118 orders [+0.077, +0.159] per "
        "user; at 0.40 yuan per user the split is 51% 无券, 33% 满30减10, 16% 满30减5 What to do Spend by the file of allocations "
        "(decision_focused). Keep a small random group on the same mix for everyone, so that the gain can be measured "
        "again; solve again with each new budget, no training needed."
    )


def test_every_budget_has_its_gain_with_interval_and_what_more_money_brings(page):
    assert rows_after(page, "What each budget brings")[1:] == [
        "0.40 yuan ▲ +0.130 orders [+0.079, +0.181] ▲ +0.334 orders [+0.267, +0.401] 3.314 orders [3.234, 3.394] "
        "the next 1 yuan spent brings about 0.71 orders",
        "0.80 yuan ▲ +0.119 orders [+0.068, +0.170] ▲ +0.430 orders [+0.363, +0.497] 3.410 orders [3.330, 3.490] "
        "the next 1 yuan spent brings about 0.52 orders",
        "1.25 yuan ▲ +0.106 orders [+0.055, +0.157] ▲ +0.538 orders [+0.471, +0.605] 3.518 orders [3.438, 3.598] "
        "the next 1 yuan spent brings about 0.30 orders",
    ]


def test_methods_stand_beside_two_stage_and_those_that_failed_say_why(page):
    rows = rows_after(page, "Which method spends it")
    assert rows[1] == "decision_focused chosen 3.420 orders [3.340, 3.500] ▲ +0.031 orders [+0.007, +0.055] 41.3 s"
    assert rows[3] == "two_stage_t_lightgbm best two-stage 3.390 orders [3.310, 3.470] — 41.3 s"
    assert rows[-2] == "clusters failed clusters: 3 units in cluster 7; lower the number of clusters"
    assert rows[-1].startswith("bilevel failed The process was killed or ran out of memory")
    assert "its margin over the best two-stage method is" in page


def test_the_intervals_by_which_a_method_is_chosen_are_said_to_hold_for_all_at_once(page):
    assert "Its intervals (98.8%) hold for all methods at once" in page


def test_a_reader_learns_the_file_its_columns_and_how_to_solve_again(page):
    use = words(page.split("<h2>How to use it</h2>")[1].split("<h2>")[0])
    assert "In the folder of this run: stages/assign/0123456789ab/allocation.parquet" in use
    assert "0.80 yuan arm__0.8 80,000 yuan" in use
    assert "causal-tasks reallocate lunch_coupons.r1 users.parquet allocation.parquet --budget-per-user 0.4" in use


def test_a_failed_trust_check_allocates_nothing_and_names_the_check_and_its_remedy():
    content = tell_allocation(sample.result("invalid"), "en")
    assert (
        content.headline == "This experiment fails a trust check of its data (Sample ratio), so no budget was allocated"
    )
    assert content.action.startswith("Find the cause first: Check the assignment configuration")
    page = render_allocation_html(sample.result("invalid", statement=EN))
    assert "<img" not in page
    assert "What each budget brings" not in page
    assert "Can the data be trusted?" in page


def test_too_little_data_says_what_is_missing():
    content = tell_allocation(sample.result("not_possible"), "zh")
    assert content.badge == "数据不足"
    assert content.action
    assert content.budgets == ()


@pytest.mark.parametrize("code", ["targeting_not_shown", "targeting_harms"])
def test_where_targeting_does_not_pay_the_mix_for_everyone_is_named_and_not_the_targeted_shares(code):
    headline = tell_allocation(sample.result(code), "en").headline
    assert headline.endswith("; the same for everyone is, at 0.40 yuan per user: 55% 无券, 45% 满30减5")
    assert "the same mix of arms" in tell_allocation(sample.result(code), "en").action


def test_one_budget_is_named_without_a_mean_and_the_likeliest_of_several_is_the_example():
    assert tell_allocation(sample.result(budgets=(0.4,)), "en").headline.startswith("With 0.4 yuan per user, choosing")
    result = sample.result()
    result["budgets"][1]["weight"] = 0.6
    assert "; at 0.80 yuan per user the split is " in tell_allocation(result, "en").headline


def test_less_is_better_where_the_metric_should_fall():
    metrics = [sample.STATEMENT["metrics"][0] | {"direction": "down"}, sample.STATEMENT["metrics"][1]]
    content = tell_allocation(sample.result("targeting_harms", statement={"metrics": metrics}), "en")
    assert content.budgets[0].over_all.tone == "good"


def test_more_money_takes_off_a_metric_that_should_fall():
    metrics = [sample.STATEMENT["metrics"][0] | {"direction": "down"}, sample.STATEMENT["metrics"][1]]
    result = sample.result(statement={"metrics": metrics})
    result["budgets"][0] |= {"marginal_return": 1.3, "ten_percent_more": 0.05}
    row = tell_allocation(result, "en").budgets[0]
    assert row.next == "the next 1 yuan spent takes off about 1.3 orders"
    assert row.more == "−0.050 orders"
    assert tell_allocation(result, "zh").budgets[0].next == "再多花 1 元，约减少 1.3 单"


def test_a_share_gains_points_per_user_and_users_per_money():
    metrics = [{"name": "orders", "role": "primary", "aggregate": "any"}, sample.STATEMENT["metrics"][1]]
    row = tell_allocation(sample.result(statement={"metrics": metrics}), "en").budgets[0]
    assert row.over_all.estimate == "+13.0 pp"
    assert row.next == "the next 1 yuan spent brings about 0.71 users"


@pytest.mark.parametrize(
    ("marginal", "told"),
    [
        (1.3, "the next 1 yuan spent brings about 1.3 orders"),
        (0.1, "the next 1 yuan spent brings about 0.10 orders"),
        (0.013, "the next 10 yuan spent brings about 0.13 orders"),
        (0.00042, "the next 1,000 yuan spent brings about 0.42 orders"),
        (240.0, "the next 1 yuan spent brings about 240 orders"),
        (0.0, "the next 1 yuan spent brings about 0 orders"),
    ],
)
def test_what_more_money_brings_is_told_for_an_amount_that_makes_it_readable(marginal, told):
    result = sample.result()
    result["budgets"][0]["marginal_return"] = marginal
    assert tell_allocation(result, "en").budgets[0].next == told


def test_budgets_are_listed_from_small_to_large_and_written_with_as_many_decimals_as_they_have():
    content = tell_allocation(sample.result(budgets=(2.0, 0.125, 10.0)), "en")
    assert [row.budget for row in content.budgets] == ["0.125 yuan", "2.000 yuan", "10.000 yuan"]


def test_prices_by_arm_have_no_unit_and_are_listed():
    priced = {"budgeting": {"prices": {"满30减5": 0.5, "满30减10": 1.0}, "budgets": [0.4]}}
    prices = {"无券": 0, "满30减5": 0.5, "满30减10": 1.0}
    content = tell_allocation(sample.result(statement=priced, budgets=(0.4,), cost=None, prices=prices), "en")
    assert content.budgets[0].budget == "0.4"
    assert ("Cost", "prices by arm: 无券 0, 满30减5 0.5, 满30减10 1") in content.facts.rows


def test_notes_are_told_once_where_they_hold_for_every_method():
    result = sample.result(notes=["cheaper_than_control:满30减5"])
    result["methods"]["board"][0]["notes"] = ["cheaper_than_control:满30减5", "arm_missing_in_cluster:3"]
    result["budgets"][0]["notes"] = ["budget_not_binding", "budget_not_binding:0.4"]
    content = tell_allocation(result, "en")
    assert content.notes == ("Arm 满30减5 costs less on average than control, so no budget speaks against it.",)
    assert [len(row.notes) for row in content.methods.rows] == [1, 0, 0, 0]
    assert len(content.budgets[0].notes) == 1


def test_where_two_stage_was_chosen_there_is_no_margin_over_it():
    result = sample.result()
    result["methods"] |= {"chosen": "two_stage_t_lightgbm", "reason": "not_distinguishable"}
    result["overall"]["vs_two_stage"] = None
    for record in result["budgets"]:
        record["differences"]["vs_two_stage"] = None
    methods = tell_allocation(result, "en").methods
    assert methods.margin is None
    assert methods.standing.startswith(
        "decision_focused looked better on these users, but by less than one standard error"
    )
    assert [row.state for row in methods.rows] == ["other", "chosen", "other", "other"]


def test_hostile_names_are_text_everywhere():
    display = {"zh": HOSTILE, "en": HOSTILE}
    metrics = [metric | {"display": display, "unit": display} for metric in sample.STATEMENT["metrics"]]
    stated = {"name": HOSTILE, "owner": HOSTILE, "metrics": metrics, "unit": HOSTILE[:100]}
    result = sample.result(arms=(HOSTILE[:120], HOSTILE[1:121]), statement=stated)
    result["methods"]["failed"] = {HOSTILE: {"message": HOSTILE, "remedy": HOSTILE}}
    page = render_allocation_html(result)
    assert_names_are_text(page)


def test_the_page_is_whole_light_and_the_same_for_the_same_result(page):
    assert Elements(page).open == []
    assert len(page.encode()) < 400_000
    assert not re.search(r"(?:https?:)?//[a-z]", page.replace("s3://", ""))
    assert page == render_allocation_html(sample.result(statement=EN))


def test_importing_the_views_loads_no_drawing_library():
    program = "import sys, causal_tasks.report.allocation as a; print(sorted({'altair', 'torch', 'lightgbm'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
