"""The headline says what was found, and nothing more."""

import pytest

from causal_tasks.report.tone import tone_of
from tests.unit.report import sample


@pytest.mark.parametrize("ending", sample.ENDINGS)
def test_each_ending_has_its_code(ending):
    code = "nothing_found" if ending in {"leads_only", "no_rule"} else ending
    assert sample.result(ending)["verdict"]["code"] == code


@pytest.mark.parametrize("ending", sample.ENDINGS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_headline_and_action_are_whole_sentences_without_gaps(ending, language):
    verdict = sample.result(ending)["verdict"]
    for sentence in (verdict["headline"][language], verdict["action"][language]):
        assert len(sentence) > 10
        assert not {"{", "}"} & set(sentence)
        assert "None" not in sentence
        assert "「」" not in sentence
        assert "()" not in sentence
        assert "（）" not in sentence


def test_an_invalid_experiment_names_the_failed_check_and_its_remedy_first():
    verdict = sample.result("invalid")["verdict"]
    assert verdict["validity"] == "invalid"
    assert "分流比例 SRM" in verdict["headline"]["zh"]
    assert "暂不能用于决策" in verdict["headline"]["zh"]
    assert "核对分流配置" in verdict["action"]["zh"]
    assert "Sample ratio" in verdict["headline"]["en"]


def test_an_invalid_experiment_keeps_its_numbers():
    result = sample.result("invalid")
    assert result["subpopulations"]
    assert result["evidence"]


def test_nothing_found_names_the_smallest_effect_that_could_have_been_seen():
    verdict = sample.result("nothing_found")["verdict"]
    assert "占 20% 的人群真有 2.5 分钟以上的效果" in verdict["action"]["zh"]
    assert "20% of users with an effect of 2.5 minutes or more" in verdict["action"]["en"]


def test_promising_rules_alone_are_no_finding_but_are_named_as_leads():
    verdict, notes = (sample.result("leads_only")[part] for part in ("verdict", "notes"))
    assert verdict["code"] == "nothing_found"
    assert verdict["headline"]["zh"] == "本次实验没有证据充分的差异人群，但「设备属于 pad」的用户有苗头，值得验证"
    assert "做一次后续实验，不宜据此放量" in verdict["action"]["zh"]
    assert "promising_only" in notes
    assert "promising_only" not in sample.result("found_both")["notes"]


def test_a_finding_names_the_strongest_rule_its_share_and_how_many_there_are():
    verdict = sample.result("found_both")["verdict"]
    assert "「年龄 ≤ 25 且 夜间收听占比 > 0.3」的用户等 2 类人群受益" in verdict["headline"]["zh"]
    assert "约占 16.4%" in verdict["action"]["zh"]
    assert "and 1 more" in verdict["headline"]["en"]
    assert "member level is vip" in verdict["headline"]["en"]


def test_with_several_treatments_the_headline_says_which_one_works_for_whom():
    result = sample.several_arms(("a", "b", "c"))
    verdict = result["verdict"]
    assert verdict["headline"]["zh"] == (
        "本次实验显示：a 使「年龄 ≤ 25 且 夜间收听占比 > 0.3」的用户受益；"
        "b 使「会员等级属于 silver、gold 且 注册天数 ≤ 90」的用户受益；"
        "a 使「会员等级属于 vip 且 注册天数 > 730（或缺失）」的用户受损"
    )
    assert verdict["headline"]["en"].startswith("This experiment suggests that a benefits users where age ≤ 25")
    assert "受益人群分别用对其有效的策略" in verdict["action"]["zh"]
    assert "several_treatments" in result["notes"]


def test_of_many_treatments_three_clauses_are_named_and_the_rest_is_counted():
    arms = ("a", "b", "c", "d")
    rules = [
        sample.segment(sample.TABLET, i, "positive", 3.0, 0.5, 0.1, "confirmed", treatment=a)
        for i, a in enumerate(arms)
    ]
    rules += [sample.segment(sample.LONG_VIP, 9, "negative", -3.0, 0.5, 0.1, "confirmed", treatment="d")]
    headline = sample.several_arms(arms, {"subpopulations": rules})["verdict"]["headline"]["en"]
    assert [name for name in arms if f"{name} benefits users" in headline] == ["a", "b"]
    assert "d harms users where member level is vip" in headline
    assert headline.endswith("; 2 more groups are in the report")


def test_a_lead_of_one_of_several_treatments_names_it():
    lead = sample.segment(sample.TABLET, 3, "positive", 2.4, 1.2, 0.046, "promising", treatment="b")
    verdict = sample.several_arms(("a", "b"), {"subpopulations": [lead]})["verdict"]
    assert "「设备属于 pad」的用户（b）有苗头" in verdict["headline"]["zh"]


def flat(estimate, **stated):
    """A run in which effects do not differ, with that overall effect."""
    effects = [sample.measured("play_minutes", "primary", estimate, 0.35, 96.4)]
    return sample.result("nothing_found", {"effects": effects}, **stated)


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (2.0, "没有看出播放时长的效果因人而异：整体变好，可以对全部用户统一放量"),
        (-2.0, "没有看出播放时长的效果因人而异：整体变差，对全部用户都不宜放量"),
        (0.1, "没有看出播放时长的效果因人而异，整体效果也尚不能与零区分"),
    ],
)
def test_where_effects_do_not_differ_one_decision_follows_from_the_overall_effect(estimate, words):
    result = flat(estimate)
    assert result["verdict"]["headline"]["zh"] == f"本次实验{words}"
    assert result["verdict"]["heterogeneity"] == "absent"
    assert "omnibus_failed" in result["notes"]


def test_leads_do_not_change_that_one_decision_is_for_all():
    lead = sample.segment(sample.TABLET, 3, "positive", 2.4, 1.2, 0.046, "promising", reasons=["omnibus"])
    verdict = sample.result("nothing_found", {"subpopulations": [lead]})["verdict"]
    assert "no evidence that the effect on play time differs among users" in verdict["headline"]["en"]
    assert "leads only and do not change this" in verdict["action"]["en"]


def test_effects_that_differ_without_a_rule_are_said_to_differ():
    verdict = sample.result("no_rule")["verdict"]
    assert verdict["heterogeneity"] == "present"
    assert verdict["headline"]["zh"] == "本次实验中播放时长的效果因人而异，但没有一条规则经得起独立检验"
    assert "补充能区分用户的特征" in verdict["action"]["zh"]


def test_too_few_users_to_test_leave_open_whether_effects_differ():
    evidence = sample.evidence(flat=True)
    untested = {"p_value": None, "passed": False, "tests": {}}
    evidence["heterogeneity"] = {"treatment": evidence["heterogeneity"]["treatment"] | {"omnibus": untested}}
    verdict = sample.result("nothing_found", {"evidence": evidence})["verdict"]
    assert verdict["heterogeneity"] == "unknown"
    assert verdict["headline"]["zh"] == "本次实验未发现播放时长效果与众不同的人群"


def test_a_rollout_is_not_advised_without_a_word_on_a_harmed_guardrail():
    effects = [
        sample.measured("play_minutes", "primary", 2.0, 0.35, 96.4),
        sample.measured("active", "guardrail", -0.02, 0.004, 0.71),
    ]
    result = sample.result("nothing_found", {"effects": effects})
    assert "但护栏指标活跃率变差，放量前请先权衡" in result["verdict"]["action"]["zh"]
    assert "guardrail_harmed" in result["notes"]


def test_an_observational_comparison_says_so_and_advises_no_rollout_without_an_experiment():
    verdict = sample.observational()["verdict"]
    assert verdict["observational"] is True
    assert verdict["headline"]["zh"].startswith("本次观察性比较")
    assert verdict["headline"]["en"].startswith("This observational comparison")
    assert "整体变好，但差异可能来自分组方式" in verdict["action"]["zh"]
    assert verdict["action"]["zh"].endswith("放量之前，请先做一次随机实验。")
    assert sample.result()["verdict"]["observational"] is False


def test_an_observational_comparison_never_supports_a_rollout_to_everybody():
    verdict = flat(2.0, randomized=False)["verdict"]
    assert "只有整体结论，且须用随机实验验证" in verdict["headline"]["zh"]
    assert "可以对全部用户统一放量" not in verdict["headline"]["zh"] + verdict["action"]["zh"]


@pytest.mark.parametrize(
    ("realised", "error", "headline", "action"),
    [
        (5.2, 0.9, "复现了规律：「年龄 ≤ 25 且 夜间收听占比 > 0.3」的用户受益，实测 +5.2 分钟", "的用户放量；"),
        (0.5, 0.9, "未能复现规律", "这条规则已淘汰"),
        (4.0, 3.0, "尚无定论", "再做一次后续实验"),
    ],
)
def test_a_follow_up_is_headed_by_what_it_says_about_its_rule(realised, error, headline, action):
    verdict = sample.follow_up_result(realised, error)["verdict"]
    assert headline in verdict["headline"]["zh"]
    assert "预测 +6.3 分钟" in verdict["headline"]["zh"]
    assert action in verdict["action"]["zh"]


def test_a_follow_up_whose_data_is_in_doubt_is_headed_by_the_doubt():
    verdict = sample.follow_up_result(validity=sample.validity("invalid"), checks=sample.checks("invalid"))["verdict"]
    assert verdict["code"] == "invalid"
    assert "未通过可信性检查" in verdict["headline"]["zh"]


@pytest.mark.parametrize(
    ("estimate", "words"), [(2.0, "整体效果为正"), (-2.0, "整体效果为负"), (0.1, "整体效果尚不能与零区分")]
)
def test_without_a_distinct_group_the_overall_effect_decides(estimate, words):
    effects = [sample.measured("play_minutes", "primary", estimate, 0.35, 96.4)]
    assert words in sample.result("no_rule", {"effects": effects})["verdict"]["action"]["zh"]


def test_treatments_that_differ_overall_are_not_summed_up():
    effects = [
        sample.measured("play_minutes", "primary", estimate, 0.35, 96.4, treatment=arm)
        for arm, estimate in (("a", 2.0), ("b", -2.0))
    ]
    changes = {"effects": effects, "evidence": sample.evidence(flat=True, treatments=("a", "b"))}
    verdict = sample.result("nothing_found", changes, treatments=["a", "b"])["verdict"]
    assert "各策略的整体结论不同：a 变好、b 变差，请分别决策" in verdict["action"]["zh"]


def test_treatments_that_agree_overall_are_summed_up_without_repetition():
    effects = [sample.measured("play_minutes", "primary", 2.0, 0.35, 96.4, treatment=arm) for arm in ("a", "b")]
    changes = {"effects": effects, "evidence": sample.evidence(flat=True, treatments=("a", "b"))}
    verdict = sample.result("nothing_found", changes, treatments=["a", "b"])["verdict"]
    assert verdict["action"]["zh"].startswith("各策略的整体效果均为正")


def test_an_effect_is_good_when_it_goes_the_way_the_metric_should():
    assert tone_of([0.1, 0.3], 1) == "good"
    assert tone_of([0.1, 0.3], -1) == "bad"
    assert tone_of([-0.3, -0.1], -1) == "good"
    assert tone_of([-0.1, 0.3], 1) == "unclear"
    assert tone_of([0.0, 0.3], 1) == "unclear"
    assert tone_of([None, None], 1) == "unclear"
