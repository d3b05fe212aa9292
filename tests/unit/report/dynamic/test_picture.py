"""The pictures of a feed's day hold what the tables say and are light enough to send."""

import struct

import pytest

from causal_tasks.report.charts.canvas import NARROW, TILE, WIDE, to_svg
from causal_tasks.report.charts.gains import gains_chart
from causal_tasks.report.dynamic import draw_day_picture
from causal_tasks.report.dynamic.charts import threshold_chart
from causal_tasks.report.dynamic.content import tell_day
from causal_tasks.report.picture import MAX_BYTES
from tests.unit.report.dynamic import sample
from tests.unit.report.test_picture import FONT, needs_font


@needs_font
@pytest.mark.parametrize("told", [sample.result(), sample.preference_only("not_shown")], ids=["requests", "periods"])
def test_the_picture_is_a_png_about_twelve_hundred_pixels_wide(told):
    picture = draw_day_picture(told, "zh", FONT)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    assert 1150 <= width <= 1300
    assert 300 <= height <= 3000
    assert len(picture) < MAX_BYTES


@pytest.mark.parametrize("layout", [WIDE, NARROW], ids=["wide", "narrow"])
def test_gains_are_drawn_with_their_intervals_changing_nothing_first(layout):
    gains = tell_day(sample.result(), "en").value.gains
    chart = gains_chart(gains, layout, "safe")
    assert gains.x_title == "watch time per request, the decision minus the other way (s)"
    assert [round(row["value"], 2) for row in chart.layer[0].data.values] == [2.6, 2.1, 1.4, 1.2]
    assert round(chart.layer[1].data.values[0]["low"], 2) == 1.62
    assert "Over: Nothing changed" in to_svg(chart, layout)


def test_the_curve_has_its_band_the_value_of_changing_nothing_and_the_threshold_in_use():
    used, unused = tell_day(sample.result(), "en").switching.curves
    chart = threshold_chart(used, TILE, "safe")
    band = chart.layer[0].data.values
    assert [row["threshold"] for row in band] == [-20.0, 0.0, 10.0, 12.5, 40.0]
    assert all(row["low"] < row["value"] < row["high"] for row in band)
    assert chart.layer[1].data.values[0]["value"] == 59.8
    assert chart.layer[-1].data.values == [{"threshold": 12.5}]
    assert (used.title, unused.title) == ("more_long: 12.5 s", "more_short: never")
    assert len(threshold_chart(unused, TILE, "safe").layer) == len(chart.layer) - 1
