"""Stage ``report_segments``: one result, and every view of it."""

from typing import Any

from causal_tasks.report.picture import find_font
from causal_tasks.report.segments.message import segment_messages
from causal_tasks.report.segments.page import render_segments_html
from causal_tasks.report.segments.picture import draw_segments_picture
from causal_tasks.report.segments.result import SegmentsFindings, assemble_segments, describe_segments_run
from causal_tasks.report.stage import PICTURE_LEFT_OUT, by_item, if_written, write_views
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri


def report_segments(context: StageContext) -> dict[str, Uri]:
    """Write ``result``, ``report``, ``message`` and, given a font, ``picture``."""
    font = find_font()
    run = describe_segments_run(
        [manifest for several in context.inputs.values() for manifest in several],
        assignments=_path_of_assignments(context),
        models={
            str(manifest.item): manifest.outputs["model"].path for manifest in context.inputs.get("learn_segments", ())
        },
        notes=[] if font else [PICTURE_LEFT_OUT],
    )
    result = assemble_segments(context.experiment, collect(context), run)
    return write_views(
        context,
        "segments",
        result,
        font,
        delivery=context.experiment.delivery,
        page=render_segments_html,
        messages=segment_messages,
        picture=draw_segments_picture,
    )


def collect(context: StageContext) -> SegmentsFindings:
    """Read what the stages before wrote."""
    summaries = by_item(context, "learn_segments", "summary")
    cv: dict[str, Any] = by_item(context, "learn_segments", "cv")
    return SegmentsFindings(
        checks=context.read_json("validate", "checks"),
        validity=context.read_json("validate", "verdict"),
        plan=context.read_json("plan_segments", "plan"),
        learned={name: {"summary": summary, "cv": cv[name]} for name, summary in summaries.items()},
        assigned=if_written(context, "assign_segments", "assigned"),
        values=if_written(context, "value_segments", "values"),
        failures=context.failures,
    )


def _path_of_assignments(context: StageContext) -> str | None:
    """Where in the run folder it is said who is assigned what; None where nobody is."""
    manifests = context.inputs.get("assign_segments", ())
    return next((manifest.outputs["assignments"].path for manifest in manifests), None)
