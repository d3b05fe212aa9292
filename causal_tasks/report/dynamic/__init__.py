"""Views of a feed's day: page, message and picture, all from the same result."""

from causal_tasks.report.dynamic.message import day_messages
from causal_tasks.report.dynamic.page import render_day_html
from causal_tasks.report.dynamic.picture import draw_day_picture

__all__ = ["day_messages", "draw_day_picture", "render_day_html"]
