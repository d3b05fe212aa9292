"""The charts, as Altair builds them: fixed layout, direct labels, colour only for better and worse.

Texts are data of the charts, never markup: the renderer escapes them.
"""

from causal_tasks.report.charts.balance import love_chart, overlap_chart
from causal_tasks.report.charts.bars import Bar, bars_chart, drivers_chart, policy_chart
from causal_tasks.report.charts.canvas import HALF, NARROW, TILE, WIDE, Layout, to_svg
from causal_tasks.report.charts.curve import curve_chart
from causal_tasks.report.charts.event_study import event_study_chart
from causal_tasks.report.charts.forest import forest_chart
from causal_tasks.report.charts.heterogeneity import calibration_chart, groups_chart, toc_chart
from causal_tasks.report.charts.strip import strip_chart
from causal_tasks.report.charts.tuning import tuning_chart

__all__ = [
    "HALF",
    "NARROW",
    "TILE",
    "WIDE",
    "Bar",
    "Layout",
    "bars_chart",
    "calibration_chart",
    "curve_chart",
    "drivers_chart",
    "event_study_chart",
    "forest_chart",
    "groups_chart",
    "love_chart",
    "overlap_chart",
    "policy_chart",
    "strip_chart",
    "to_svg",
    "toc_chart",
    "tuning_chart",
]
