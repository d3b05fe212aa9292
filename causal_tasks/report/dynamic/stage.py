"""Stage ``report`` of a feed's day: one result, and every view of it."""

from typing import Any

from causal_tasks.dynamic.day import DayContext
from causal_tasks.report.dynamic.message import day_messages
from causal_tasks.report.dynamic.page import render_day_html
from causal_tasks.report.dynamic.picture import draw_day_picture
from causal_tasks.report.picture import find_font
from causal_tasks.report.result import stages_run
from causal_tasks.report.stage import PICTURE_LEFT_OUT, write_views
from causal_tasks.storage import Uri


def report_day(context: DayContext) -> dict[str, Uri]:
    """Write ``result``, ``report``, ``message`` and, given a font, ``picture``."""
    font = find_font()
    result: dict[str, Any] = context.read_json("publish", "result")
    manifests = [manifest for several in context.inputs.values() for manifest in several]
    run = {**result["run"], "stages": stages_run(manifests), "notes": [] if font else [PICTURE_LEFT_OUT]}
    return write_views(
        context,
        "result",
        {**result, "run": run},
        font,
        delivery=context.feed.delivery,
        page=render_day_html,
        messages=day_messages,
        picture=draw_day_picture,
    )
