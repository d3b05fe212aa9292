"""What drives the differences: features by importance, and who stands at either end of the ranking."""

from causal_tasks.report.charts import NARROW, WIDE, drivers_chart, to_svg
from causal_tasks.report.content import tell
from tests.unit.report import sample


def test_the_strongest_features_are_named_and_ranked():
    (told,) = tell(sample.result(), "zh").drivers
    assert told.title == "效果的差别主要由这些特征决定：年龄、夜间收听占比、会员等级"
    assert [(bar.label, bar.numbers) for bar in told.bars[-2:]] == [("注册天数", "8%"), ("设备", "<1%")]


def test_features_that_decide_nothing_are_not_named():
    weak = [{"feature": "age", "importance": 0.0, "interval": [-0.01, 0.01]}]
    (told,) = tell(sample.result(changes={"drivers": {"treatment": weak}}), "en").drivers
    assert told.title == "No single feature drives differences in effect"
    assert told.bars[0].low == 0.0


def test_characteristics_compare_the_best_fifth_with_the_worst():
    (told,) = tell(sample.result(), "zh").drivers
    assert told.characteristics[0] == ("年龄", "21.4", "38.9", "−17.5 [−17.9, −17.1]", "−1.31")
    assert told.characteristics[2] == ("会员等级：vip", "5.0%", "44.0%", "−39.0 [−40.2, −37.8]", "−0.98")


def test_without_a_model_there_is_nothing_to_tell():
    assert tell(sample.result("too_small"), "zh").drivers == ()
    assert tell(sample.result(changes={"drivers": {}, "evidence": None}), "zh").drivers == ()


def test_with_several_treatments_each_has_its_own():
    told = tell(sample.several_arms(("a", "b")), "en").drivers
    assert [drivers.treatment for drivers in told] == ["a", "b"]


def test_the_chart_writes_every_feature_with_its_importance():
    (told,) = tell(sample.result(), "zh").drivers
    for layout in (WIDE, NARROW):
        svg = to_svg(drivers_chart(told, layout, "safe"), layout)
        assert ">夜间收听占比<" in svg
        assert ">31%<" in svg
