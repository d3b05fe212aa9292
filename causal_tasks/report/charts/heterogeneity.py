"""Whether effects differ: the TOC curve, five groups by predicted effect, and predicted against measured effects."""

from typing import Any

from causal_tasks.report.charts.canvas import Layout, chart_of, quiet_axis, small_title
from causal_tasks.report.palette import INK, MUTED, PALETTES
from causal_tasks.report.sections.heterogeneity import Calibration, Groups, Toc

_SHOWN_FROM = 0.05
"""Share from which the TOC curve sets the scale: before it the band of a handful of users would."""

_HEIGHT = 230


def toc_chart(toc: Toc, layout: Layout, theme: str) -> Any:
    """What users ranked first gain above the average user, with its band.

    Returns:
        An Altair chart; its title is the unit of the vertical axis.
    """
    import altair as alt

    colour = PALETTES[theme].good
    points = [dict(zip(("share", "toc", "low", "high"), point, strict=True)) for point in toc.points]
    telling = [point for point in points if point["share"] >= _SHOWN_FROM] or points
    low, high = min(0.0, *(p["low"] for p in telling)), max(0.0, *(p["high"] for p in telling))
    share = alt.Axis(format=".0%", tickCount=5, grid=False, title=toc.x_title)
    x = alt.X("share:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=share)
    scale = alt.Scale(domain=[low, high], nice=True)
    y = alt.Y("toc:Q", scale=scale, axis=quiet_axis(title=None))
    return alt.layer(
        chart_of(points)
        .mark_area(opacity=0.15, color=colour, clip=True)
        .encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q"),
        chart_of([{"y": 0.0}]).mark_rule(color=MUTED, strokeWidth=1.2).encode(y=alt.Y("y:Q", scale=scale)),
        chart_of(points).mark_line(color=colour, strokeWidth=2.6, clip=True).encode(x=x, y=y),
    ).properties(width=layout.width - 62, height=_HEIGHT, title=small_title(toc.y_title, layout))


def groups_chart(groups: Groups, layout: Layout, theme: str) -> Any:
    """Measured mean effect of each group as a bar with its interval, and the predicted one as a diamond.

    Returns:
        An Altair chart; its title is the unit of the vertical axis.
    """
    import altair as alt

    palette = PALETTES[theme]
    bars = [
        {
            "group": bar.label,
            "estimate": bar.estimate,
            "low": bar.low,
            "high": bar.high,
            "predicted": bar.predicted,
            "colour": palette.of(bar.tone),
            "zero": 0.0,
        }
        for bar in groups.bars
    ]
    x = alt.X("group:N", sort=None, axis=alt.Axis(title=groups.x_title, labelAngle=0, grid=False, ticks=False))
    y = alt.Y("estimate:Q", axis=quiet_axis(title=None))
    base = chart_of(bars)
    return alt.layer(
        base.mark_bar(size=34, opacity=0.8).encode(x=x, y=y, color=alt.Color("colour:N", scale=None)),
        base.mark_rule(color=INK, strokeWidth=1.4).encode(x=x, y="low:Q", y2="high:Q"),
        base.mark_rule(color=MUTED, strokeWidth=1.2).encode(y="zero:Q"),
        base.mark_point(shape="diamond", size=90, fill="white", stroke=INK, strokeWidth=1.6, opacity=1).encode(
            x=x, y="predicted:Q"
        ),
    ).properties(width=layout.width - 62, height=_HEIGHT, title=small_title(groups.y_title, layout))


def calibration_chart(calibration: Calibration, layout: Layout, theme: str) -> Any:
    """Predicted against measured effects with intervals, and the line on which predictions are right.

    Returns:
        An Altair chart; its title is the unit of the vertical axis.
    """
    import altair as alt

    colour = PALETTES[theme].good
    points = [dict(zip(("predicted", "observed", "low", "high"), p, strict=True)) for p in calibration.points]
    ends = [point["predicted"] for point in points]
    low, high = min(ends), max(ends)
    pad = 0.06 * (high - low) or 1.0
    low, high = low - pad, high + pad
    across = alt.Scale(domain=[low, high], nice=False)
    x = alt.X("predicted:Q", scale=across, axis=alt.Axis(tickCount=5, grid=False, title=calibration.x_title))
    y = alt.Y("observed:Q", axis=quiet_axis(title=None))
    line = [{"predicted": low, "observed": low}, {"predicted": high, "observed": high}]
    return alt.layer(
        chart_of([{"y": 0.0}]).mark_rule(color=MUTED, strokeWidth=1, opacity=0.6).encode(y="y:Q"),
        chart_of(line).mark_line(color=MUTED, strokeDash=[5, 4], strokeWidth=1.6).encode(x=x, y=y),
        chart_of(points).mark_rule(color=colour, opacity=0.45, strokeWidth=1.4).encode(x=x, y="low:Q", y2="high:Q"),
        chart_of(points).mark_point(color=colour, filled=True, size=46, opacity=1).encode(x=x, y=y),
    ).properties(width=layout.width - 62, height=_HEIGHT, title=small_title(calibration.y_title, layout))
