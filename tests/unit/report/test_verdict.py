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


def test_with_several_treatments_a_finding_names_its_arm():
    arms = ["a", "b"]
    rule = sample.segment(sample.YOUNG_NIGHT, 1, "positive", 7.9, 1.1, 0.164, "confirmed", treatment="b")
    changes = {
        "subpopulations": [rule],
        "effects": sample.effects(arms),
        "evidence": sample.evidence(treatments=arms),
    }
    result = sample.result("found_positive", changes, treatments=arms)
    assert "（b）从策略中受益" in result["verdict"]["headline"]["zh"]
    assert "several_treatments" in result["notes"]


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
    assert "各策略的整体结论不同" in verdict["action"]["zh"]


def test_an_effect_is_good_when_it_goes_the_way_the_metric_should():
    assert tone_of([0.1, 0.3], 1) == "good"
    assert tone_of([0.1, 0.3], -1) == "bad"
    assert tone_of([-0.3, -0.1], -1) == "good"
    assert tone_of([-0.1, 0.3], 1) == "unclear"
    assert tone_of([0.0, 0.3], 1) == "unclear"
    assert tone_of([None, None], 1) == "unclear"
