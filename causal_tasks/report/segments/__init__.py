"""Views of creative segments: page, message and picture, all from the same result."""

from causal_tasks.report.segments.message import segment_messages
from causal_tasks.report.segments.page import render_segments_html
from causal_tasks.report.segments.picture import draw_segments_picture

__all__ = ["draw_segments_picture", "render_segments_html", "segment_messages"]
