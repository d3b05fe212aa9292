"""What a policy brings over others: the content of the chart, and the chart."""

from dataclasses import dataclass
from typing import Any

from causal_tasks.report.charts.bars import Bar, bars_chart
from causal_tasks.report.charts.canvas import Layout
from causal_tasks.report.palette import PALETTES


@dataclass(frozen=True, slots=True)
class GainBar:
    """The policy minus one other, in the unit of the axis."""

    label: str
    gain: float
    low: float
    high: float
    tone: str
    numbers: str


@dataclass(frozen=True, slots=True)
class Gains:
    """What a policy brings over others.

    Attributes:
        title: What it says.
        x_title: Of the axis.
        bars: The comparison that decides first.
    """

    title: str
    x_title: str
    bars: tuple[GainBar, ...]


def gains_chart(gains: Gains, layout: Layout, theme: str) -> Any:
    """What the policy brings over every other one, with intervals.

    Returns:
        An Altair chart without title.
    """
    palette = PALETTES[theme]
    bars = [Bar(bar.label, bar.gain, bar.numbers, palette.of(bar.tone), (bar.low, bar.high)) for bar in gains.bars]
    return bars_chart(bars, layout, title=gains.x_title)
