"""The picture of an allocation is light enough to send and the charts hold what the table says."""

import struct
from itertools import pairwise

import pytest

from causal_tasks.report.allocation import draw_allocation_picture
from causal_tasks.report.allocation.charts import shares_chart, spending_chart
from causal_tasks.report.allocation.content import tell_allocation
from causal_tasks.report.charts.canvas import NARROW, WIDE, to_svg
from causal_tasks.report.picture import MAX_BYTES
from tests.unit.report.allocation import sample
from tests.unit.report.test_picture import FONT, needs_font

LONG = "一张非常非常长的优惠券名称用来测试换行与溢出"


@needs_font
@pytest.mark.parametrize("code", ["targeting_pays", "invalid"])
def test_the_picture_is_a_png_about_twelve_hundred_pixels_wide(code):
    picture = draw_allocation_picture(sample.result(code), "zh", FONT)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    assert 1150 <= width <= 1300
    assert 300 <= height <= 3000
    assert len(picture) < MAX_BYTES


@pytest.mark.parametrize("layout", [WIDE, NARROW], ids=["wide", "narrow"])
def test_bars_are_cut_at_the_cumulated_shares_and_every_budget_and_arm_is_named(layout):
    shares = tell_allocation(sample.result(arms=("none", "coupon", LONG)), "en").shares
    chart = shares_chart(shares, layout, "safe")
    pieces = chart.layer[0].data.values
    assert [round(piece["to"] - piece["from"], 9) for piece in pieces] == pytest.approx(
        [share for bar in shares.bars for share in bar.shares], abs=1e-9
    )
    svg = to_svg(chart, layout)
    for named in ("none", "coupon", "0.40 yuan", "1.25 yuan"):
        assert named in svg


def test_the_axis_of_the_curve_holds_every_bound_and_zero():
    result = sample.result()
    result["curve"]["chosen"][3]["low"] = -0.8
    chart = spending_chart(tell_allocation(result, "en").spending, WIDE, "safe")
    low, high = chart.layer[2].encoding.y.to_dict()["scale"]["domain"]
    assert low == -0.8
    assert high >= max(point["high"] for point in result["curve"]["chosen"])


def test_where_two_stage_was_chosen_it_is_drawn_once():
    result = sample.result()
    del result["curve"]["two_stage"]
    spending = tell_allocation(result, "en").spending
    assert [line.policy for line in spending.lines] == ["chosen", "constant"]
    assert "Best two-stage" not in to_svg(spending_chart(spending, WIDE, "safe"), WIDE)


def test_twelve_budgets_and_seven_arms_still_have_a_place_each():
    amounts = tuple(round(0.1 * step, 1) for step in range(1, 13))
    arms = ("control", *(f"coupon_{n}" for n in range(6)))
    shares = tell_allocation(sample.result(arms=arms, budgets=amounts), "en").shares
    pieces = shares_chart(shares, NARROW, "safe").layer[0].data.values
    tops = sorted({piece["top"] for piece in pieces})
    assert len(pieces) == 84
    assert min(after - before for before, after in pairwise(tops)) >= 22
