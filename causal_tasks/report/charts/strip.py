"""The strip of lights: one for each check."""

from typing import Any

from causal_tasks.report.charts.canvas import Layout, chart_of
from causal_tasks.report.line_breaking import broken, display_width
from causal_tasks.report.palette import INK, STATUS_COLOURS
from causal_tasks.report.sections.checks import Checks

STATUS_MARKS = {"pass": "✓", "warn": "!", "fail": "✕"}


def strip_chart(checks: Checks, layout: Layout) -> Any:
    """One light for each check, as many to a line as their names allow.

    Returns:
        An Altair chart without title.
    """
    import altair as alt

    names = [name for name, _ in checks.strip]
    columns = max(1, min(4, int(layout.width / (30 + layout.pixels(max(map(display_width, names)))))))
    line, step = 28, layout.width / columns
    spots = [
        {
            "x": 10 + step * (index % columns),
            "label_x": 25 + step * (index % columns),
            "y": 14 + line * (index // columns),
            "name": broken(name, layout.characters(step - 30), lines=1)[0],
            "mark": STATUS_MARKS[status],
            "colour": STATUS_COLOURS[status],
        }
        for index, (name, status) in enumerate(checks.strip)
    ]
    height = line * -(-len(spots) // columns)
    across = alt.Scale(domain=[0, layout.width], range=[0, layout.width])
    down = alt.Scale(domain=[0, height], range=[0, height])
    base = chart_of(spots).encode(x=alt.X("x:Q", scale=across, axis=None), y=alt.Y("y:Q", scale=down, axis=None))
    size = layout.font_size
    return alt.layer(
        base.mark_circle(size=300, opacity=1).encode(color=alt.Color("colour:N", scale=None)),
        base.mark_text(color="white", fontSize=size, fontWeight="bold").encode(text="mark:N"),
        base.mark_text(align="left", fontSize=size, color=INK).encode(
            x=alt.X("label_x:Q", scale=across), text="name:N"
        ),
    ).properties(width=layout.width, height=height)
