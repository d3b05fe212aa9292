"""The pictures of creative segments hold what the tables say and are light enough to send."""

import struct

import pytest

from causal_tasks.report.charts.canvas import NARROW, WIDE, to_svg
from causal_tasks.report.charts.gains import gains_chart
from causal_tasks.report.picture import MAX_BYTES
from causal_tasks.report.segments import draw_segments_picture
from causal_tasks.report.segments.charts import path_chart, segments_chart
from causal_tasks.report.segments.content import tell_segments
from tests.unit.report.segments import sample
from tests.unit.report.test_picture import FONT, needs_font


@needs_font
@pytest.mark.parametrize("code", ["segments_pay", "nothing_found", "invalid"])
def test_the_picture_is_a_png_about_twelve_hundred_pixels_wide(code):
    picture = draw_segments_picture(sample.result(code), "zh", FONT)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    assert 1150 <= width <= 1300
    assert 300 <= height <= 3000
    assert len(picture) < MAX_BYTES


@pytest.mark.parametrize("layout", [WIDE, NARROW], ids=["wide", "narrow"])
def test_coefficients_stand_under_their_segment_with_their_sign(layout):
    profiles = tell_segments(sample.result(), "en").profiles
    chart = segments_chart(profiles, 2, layout, "safe")
    ends = [row["value"] for row in chart.layer[0].data.values]
    assert ends == [0.412, -0.2, -0.33, 0.214]
    svg = to_svg(chart, layout)
    for named in (
        "怀旧 · acts alike",
        "发现 · acts alike with exceptions",
        "plan: premium",
        "+0.41",
        "\N{MINUS SIGN}0.33",
    ):
        assert named in svg


def test_gains_are_drawn_in_the_unit_of_the_axis_with_their_intervals():
    gains = tell_segments(sample.result(), "en").value.gains
    chart = gains_chart(gains, WIDE, "safe")
    assert gains.x_title == "opens, assigned segments minus the other (percentage points)"
    assert [round(row["value"], 2) for row in chart.layer[0].data.values] == [1.24, 1.36, 2.15]
    assert round(chart.layer[1].data.values[0]["low"], 2) == 0.83


def test_the_path_of_the_chosen_alpha_is_solid_and_the_chosen_point_lies_on_it():
    path = tell_segments(sample.result(), "en").selection.path
    chart = path_chart(path, WIDE, "safe")
    position, point = path.chosen
    assert point in path.lines[position].points
    assert chart.layer[2].data.values == [{"share": point.share, "score": point.score}]
    dashes = chart.layer[1].encoding.strokeDash.to_dict()["scale"]
    assert dashes["range"][dashes["domain"].index("α = 0.1")] == [1, 0]
    assert [line.label for line in path.lines] == ["α = 0.05", "α = 0.1", "α = 0.2"]
    assert len({str(dash) for dash in dashes["range"]}) == 3


def test_a_single_penalty_has_no_path():
    result = sample.result()
    chosen = next(row for row in result["selection"]["curve"] if row["chosen"])
    result["selection"] = {"curve": [chosen]}
    assert tell_segments(result, "en").selection.path is None
