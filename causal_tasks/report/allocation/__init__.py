"""Views of an allocation: page, message and picture, all from the same result."""

from causal_tasks.report.allocation.message import allocation_messages
from causal_tasks.report.allocation.page import render_allocation_html
from causal_tasks.report.allocation.picture import draw_allocation_picture

__all__ = ["allocation_messages", "draw_allocation_picture", "render_allocation_html"]
