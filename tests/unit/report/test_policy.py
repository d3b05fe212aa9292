"""Each rollout is worth what it gains for a thousand users, with its interval and its cost."""

import pytest

from causal_tasks.report.charts import NARROW, WIDE, policy_chart, to_svg
from causal_tasks.report.content import tell
from tests.unit.report import sample
from tests.unit.report.sample_effects import estimate_of


def policies(language="zh", values=None, **changes):
    evidence = sample.evidence()
    record = evidence["policy"]["treatment"] | changes
    if values is not None:
        record["policies"] = [one(*value) for value in values]
    evidence["policy"] = {"treatment": record}
    (told,) = tell(sample.result(changes={"evidence": evidence}), language).policies
    return told


def one(policy, gain, error, over_all=None):
    against_all = None if over_all is None else estimate_of(*over_all)
    return {
        "policy": policy, "share": 0.3, "vs_none": estimate_of(gain, error), "vs_all": against_all,
        "vs_random": against_all, "spend": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ([("all", 0.1, 0.3), ("rules", 0.9, 0.2, (0.8, 0.3))], "可靠地优于全量"),
        ([("all", 0.8, 0.3), ("rules", 0.9, 0.2, (0.1, 0.3))], "但与全量尚不能区分"),
        ([("all", 0.9, 0.2), ("rules", 0.8, 0.2, (-0.1, 0.3))], "全量放量的收益最高：每千名用户 +900 分钟"),
        ([("all", 0.1, 0.3), ("rules", 0.2, 0.2, (0.1, 0.3))], "没有哪种放量方案可靠地优于不放量"),
    ],
)
def test_the_title_names_the_best_rollout_and_whether_it_reliably_is(values, title):
    assert title in policies(values=values).title


def test_gains_are_per_thousand_users_and_nobody_is_the_yardstick():
    bars = {bar.label: bar for bar in policies().bars}
    assert list(bars) == [
        "不放量",
        "全量放量",
        "只对受益人群放量（16%）",
        "全量但排除受损人群（87%）",
        "按模型预测逐人放量（47%）",
    ]
    assert bars["只对受益人群放量（16%）"].gain == pytest.approx(1290)
    assert bars["只对受益人群放量（16%）"].numbers == "+1,290 [+940, +1,640]"
    assert bars["不放量"].gain == 0.0


def test_the_table_compares_with_nobody_everybody_and_as_many_at_random():
    rows = policies("en").rows
    assert rows[0] == ("Everybody", "100.0%", "+400 [−290, +1,090]", "—", "—")
    assert rows[1][2:] == ("+1,290 [+940, +1,640]", "+890 [+320, +1,460]", "+1,220 [+830, +1,610]")


def test_a_cost_is_said_to_be_taken_off_and_none_to_be_missing():
    assert policies().caption.startswith("已扣除每名投放用户 0.020 分钟 的成本。")
    assert policies(cost=0.0).caption.startswith("未填写成本（mining.costs），按零计算。")


def test_a_share_gains_users():
    metrics = [sample.STATEMENT["metrics"][1] | {"role": "primary"}]
    changes = {
        "effects": [sample.measured("active", "primary", 0.004, 0.0016, 0.713)],
        "subpopulations": [],
        "did": [],
        "checks": [],
        "follow_up": [],
    }
    evidence = sample.evidence()
    evidence["policy"] = {"treatment": evidence["policy"]["treatment"] | {"policies": [one("all", 0.004, 0.0016)]}}
    (told,) = tell(sample.result("no_rule", changes | {"evidence": evidence}, metrics=metrics), "zh").policies
    assert told.bars[1].numbers == "+4.0 [+0.9, +7.1]"
    assert "每千名用户 +4.0 人 [+0.9, +7.1]" in told.title
    assert told.axis == "每千名用户的收益（人）"


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_the_chart_writes_every_rollout_with_its_gain(layout):
    svg = to_svg(policy_chart(policies(), layout, "safe"), layout)
    for text in ("不放量", "全量放量", "+1,290 [+940, +1,640]", "每千名用户的收益（分钟）"):
        assert f">{text}<" in svg


@pytest.mark.parametrize(
    ("cost", "gain", "said"),
    [(0.1, 0.1, True), (0.1, 0.9, False), (0.0, 0.1, False)],
    ids=["not worth", "worth", "free"],
)
def test_the_action_says_where_no_rollout_is_worth_its_cost(cost, gain, said):
    evidence = sample.evidence()
    rollouts = [one("all", -0.2, 0.3), one("rules", gain, 0.2)]
    evidence["policy"] = {"treatment": evidence["policy"]["treatment"] | {"cost": cost, "policies": rollouts}}
    action = sample.result("found_positive", {"evidence": evidence})["verdict"]["action"]
    assert ("扣除所述成本后" in action["zh"]) is said
    assert ("After the stated cost" in action["en"]) is said
