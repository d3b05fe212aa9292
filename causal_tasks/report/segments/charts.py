"""The charts of creative segments beside their gains: coefficients, and cross-validation along the path."""

from collections.abc import Sequence
from typing import Any

from causal_tasks.report.charts.bars import Bar, bars_chart
from causal_tasks.report.charts.canvas import Layout, chart_of, legend_columns, quiet_axis, small_title, top_legend
from causal_tasks.report.line_breaking import broken
from causal_tasks.report.palette import INK, MUTED, PALETTES
from causal_tasks.report.segments.profiles import CoefficientBar, Coefficients, Profile
from causal_tasks.report.segments.selection import Path, PathLine

_AXIS_WIDTH = 62
_DASHES = ([1, 0], [7, 3], [2, 3], [9, 3, 2, 3])


def coefficients_chart(coefficients: Coefficients, layout: Layout, theme: str) -> Any:
    """The largest coefficients that the creatives of one segment share; at least one.

    Returns:
        An Altair chart without title.
    """
    bars = [_bar(bar, theme) for bar in coefficients.bars]
    return bars_chart(bars, layout, title=coefficients.x_title, gap=6)


def segments_chart(profiles: Sequence[Profile], most: int, layout: Layout, theme: str) -> Any:
    """The ``most`` largest coefficients of several segments, each under its name; at least one coefficient.

    Returns:
        An Altair chart without title.
    """
    known = [(profile, profile.coefficients) for profile in profiles if profile.coefficients]
    bars = [
        _bar(bar, theme, heading=f"{profile.segment} · {profile.word}")
        for profile, coefficients in known
        for bar in coefficients.bars[:most]
    ]
    return bars_chart(bars, layout, title=known[0][1].x_title, gap=6)


def path_chart(path: Path, layout: Layout, theme: str) -> Any:
    """Held-out log-likelihood along the penalties by alpha, the chosen point a diamond.

    The band is one standard error of the difference to the best point, drawn for the chosen alpha.

    Returns:
        An Altair chart; its title is the unit of the vertical axis.
    """
    import altair as alt

    colour, (position, point) = PALETTES[theme].good, path.chosen
    labels = [line.label for line in path.lines]
    own = [index == position for index in range(len(labels))]
    shares = [point.share for line in path.lines for point in line.points]
    legend = top_legend(
        legend_columns(labels, layout), layout, symbolType="stroke", symbolStrokeWidth=2.4, symbolSize=420
    )
    x = alt.X(
        "share:Q",
        scale=alt.Scale(type="log", domain=[max(shares), min(shares)], nice=False),
        axis=alt.Axis(format="~%", tickCount=4, grid=False, title=path.x_title),
    )
    heights = alt.Scale(domain=list(_heights(path)), nice=True, clamp=True)
    y = alt.Y("score:Q", scale=heights, axis=quiet_axis(title=None))
    shade = alt.Color(
        "label:N", scale=alt.Scale(domain=labels, range=[colour if is_own else MUTED for is_own in own]), legend=legend
    )
    dash = alt.StrokeDash(
        "label:N",
        scale=alt.Scale(domain=labels, range=[_DASHES[index % len(_DASHES)] for index in _dash_order(own)]),
        legend=legend,
    )
    rows = [row for line in path.lines for row in _rows(line)]
    band = chart_of(_rows(path.lines[position])).mark_area(opacity=0.15, color=colour)
    mark = chart_of([{"share": point.share, "score": point.score}])
    title = small_title(broken(path.y_title, layout.characters(layout.width), lines=2), layout)
    return alt.layer(
        band.encode(x=x, y=alt.Y("low:Q", scale=heights), y2="high:Q"),
        chart_of(rows).mark_line(strokeWidth=2).encode(x=x, y=y, color=shade, strokeDash=dash),
        mark.mark_point(shape="diamond", size=150, filled=True, opacity=1, color=INK).encode(x=x, y=y),
    ).properties(width=layout.width - _AXIS_WIDTH, height=240, title=title)


def _dash_order(own: Sequence[bool]) -> list[int]:
    """The line of the chosen alpha is solid, the others are told apart by their dashes."""
    others = iter(range(1, len(own)))
    return [0 if is_own else next(others) for is_own in own]


def _heights(path: Path) -> tuple[float, float]:
    """The vertical axis: every score, and the upper end of the band; its lower end is cut off."""
    scores = [point.score for line in path.lines for point in line.points]
    most = max(point.score + point.error for point in path.lines[path.chosen[0]].points)
    return min(scores), max(most, 0.0)


def _rows(line: PathLine) -> list[dict[str, Any]]:
    return [
        {
            "label": line.label,
            "share": point.share,
            "score": point.score,
            "low": point.score - point.error,
            "high": point.score + point.error,
        }
        for point in line.points
    ]


def _bar(bar: CoefficientBar, theme: str, heading: str | None = None) -> Bar:
    colour = PALETTES[theme].good if bar.coefficient > 0 else MUTED
    return Bar(bar.label, bar.coefficient, bar.numbers, colour, heading=heading)
