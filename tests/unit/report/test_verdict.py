"""The headline says what was found, and nothing more."""

import pytest

from causal_tasks.report.verdict import tone_of
from tests.unit.report import sample


@pytest.mark.parametrize("ending", sample.ENDINGS)
def test_each_ending_has_its_code(ending):
    code = "nothing_found" if ending == "leads_only" else ending
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
    assert verdict["headline"]["zh"] == "本次实验没有证据充分的差异人群，但「设备属于 pad」的用户有苗头，值得复验"
    assert "做一次复验实验，不宜据此放量" in verdict["action"]["zh"]
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


@pytest.mark.parametrize(
    ("estimate", "words"), [(2.0, "整体效果为正"), (-2.0, "整体效果为负"), (0.1, "整体效果尚不能与零区分")]
)
def test_without_a_distinct_group_the_overall_effect_decides(estimate, words):
    effects = [sample.measured("play_minutes", "primary", estimate, 0.35, 96.4)]
    assert words in sample.result("nothing_found", {"effects": effects})["verdict"]["action"]["zh"]


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
