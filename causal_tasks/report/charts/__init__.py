"""The charts, as Altair builds them: fixed layout, direct labels, colour only for better and worse.

Texts are data of the charts, never markup: the renderer escapes them.
"""

from causal_tasks.report.charts.canvas import HALF, NARROW, WIDE, Layout, to_svg
from causal_tasks.report.charts.curve import curve_chart
from causal_tasks.report.charts.forest import forest_chart
from causal_tasks.report.charts.strip import strip_chart
from causal_tasks.report.charts.tuning import tuning_chart

__all__ = [
    "HALF",
    "NARROW",
    "WIDE",
    "Layout",
    "curve_chart",
    "forest_chart",
    "strip_chart",
    "to_svg",
    "tuning_chart",
]
