"""An observational comparison shows in every view what it is, and how comparable its arms are."""

import pytest

from causal_tasks.report.charts import HALF, WIDE, love_chart, overlap_chart, to_svg
from causal_tasks.report.content import tell
from causal_tasks.report.markdown import render_markdown
from tests.unit.report import sample


def balance(language="zh", **changes):
    (told,) = tell(sample.observational({"balance": sample.balance(**changes)}), language).balance
    return told


def test_balanced_arms_are_said_to_be_and_what_that_does_not_show():
    told = balance()
    assert told.title == "匹配后 6 个特征的差别都在 0.1 以内（最大 0.04），两组在看得见的特征上可比"
    assert told.is_balanced
    assert "看不见的差别仍可能存在" in render_markdown(sample.observational(), "zh")


def test_features_that_stay_apart_are_counted_and_warned_of():
    result = sample.observational({"balance": sample.balance(worst_after=0.18)})
    (told,) = tell(result, "en").balance
    assert told.title.startswith("After matching 1 of 6 features still differ by more than 0.1 (at most 0.18)")
    assert "imbalance" in result["notes"]
    assert "imbalance" not in sample.observational()["notes"]


def test_covariates_are_named_as_readers_know_them_and_drawn_without_sign():
    told = balance()
    assert [(point.label, point.before, point.after) for point in told.points[:4]] == [
        ("注册天数", 0.71, 0.043),
        ("会员等级：vip", 0.48, 0.018),
        ("年龄", 0.33, 0.012),
        ("实验前的播放时长", 0.29, 0.008),
    ]
    assert told.rows[1] == ("会员等级：vip", "−0.480", "−0.018")


def test_matched_effective_and_trimmed_users_are_counted():
    assert dict(balance().facts) == {
        "匹配上的策略组用户": "9,604 / 9,812",
        "用到的对照组用户": "36,112 / 39,800",
        "对照组有效人数": "11,930",
        "无可比对象而剔除": "策略 208，对照 3,688（7.8%）",
        "倾向得分分桶数": "20",
    }


@pytest.mark.parametrize(
    ("placebo", "words", "is_warned"),
    [((0.11, 0.21), "没有可区分的差别（应当如此）", False), ((0.9, 0.2), "还有看不见的差别没有消除", True)],
)
def test_what_matching_finds_before_exposure_is_its_placebo(placebo, words, is_warned):
    result = sample.observational({"balance": sample.balance(placebo=placebo)})
    (told,) = tell(result, "zh").balance
    assert words in told.placebo_sentence
    assert ("matching_placebo" in result["notes"]) == is_warned


def test_without_a_pre_window_there_is_no_placebo():
    told = balance(placebo=None)
    assert (told.placebo, told.placebo_sentence) == (None, "")


def test_many_users_without_a_counterpart_are_warned_of():
    matched = sample.balance()
    matched["treatment"] |= {"trimmed": {"treatment": 4_000, "control": 12_000, "share": 0.31}}
    assert "trimmed" in sample.observational({"balance": matched})["notes"]
    assert "trimmed" not in sample.observational()["notes"]


def test_propensities_are_shares_of_their_arm_and_trimmed_ends_are_marked():
    overlap = balance().overlap
    assert sum(within.treatment for within in overlap) == pytest.approx(1)
    assert sum(within.control for within in overlap) == pytest.approx(1)
    assert [within.is_trimmed for within in overlap] == [True, *[False] * 18, True]


def test_the_love_plot_names_every_covariate_and_its_bound():
    svg = to_svg(love_chart(balance(), WIDE, "safe"), WIDE)
    assert all(label in svg for label in ("注册天数", "会员等级：vip", "实验前的播放时长"))
    assert svg.count('stroke-dasharray="4,3"') == 1


def test_the_overlap_names_both_arms():
    svg = to_svg(overlap_chart(balance(), HALF, "safe"), HALF)
    assert ">treatment<" in svg
    assert ">control<" in svg


def test_what_else_is_to_be_known_of_a_matching_is_told_once():
    matched = sample.balance()
    matched["treatment"] |= {"notes": ["few_buckets: 8", "unbalanced", "placebo_failed"]}
    (told,) = tell(sample.observational({"balance": matched}), "en").balance
    assert told.notes == ("only 8 buckets",)


def test_where_effects_do_not_differ_the_badge_promises_no_decision():
    assert tell(sample.result("nothing_found", randomized=False), "zh").badge == "未见效果差异"
    assert tell(sample.result("nothing_found"), "zh").badge == "可统一决策"


def test_the_worth_of_a_rollout_is_told_with_a_doubt():
    (policies,) = tell(sample.observational(), "zh").policies
    assert policies.caption.endswith("分组不是随机的，这些数字只供参考。")


def test_every_view_says_observational():
    result = sample.observational()
    content = tell(result, "zh")
    assert content.is_observational
    assert "观察性比较" in content.headline
    assert any("观察性比较" in note for note in content.notes)
    assert "**观察性比较**" in render_markdown(result, "zh")
    assert content.overall.method.endswith("倾向得分匹配后策略组用户的平均效应（ATT）。")


def test_a_randomised_experiment_has_no_such_section():
    content = tell(sample.result(), "zh")
    assert (content.balance, content.is_observational, content.overall.method) == ((), False, "")
