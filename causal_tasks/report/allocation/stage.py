"""Stage ``report_allocation``: one result, and every view of it."""

from typing import Any

from causal_tasks.report.allocation.message import allocation_messages
from causal_tasks.report.allocation.page import render_allocation_html
from causal_tasks.report.allocation.picture import draw_allocation_picture
from causal_tasks.report.allocation.result import AllocationFindings, assemble_allocation, describe_allocation_run
from causal_tasks.report.picture import find_font
from causal_tasks.report.stage import PICTURE_LEFT_OUT, by_item, if_written, write_views
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri


def report_allocation(context: StageContext) -> dict[str, Uri]:
    """Write ``result``, ``report``, ``message`` and, given a font, ``picture``."""
    font = find_font()
    findings = collect(context)
    run = describe_allocation_run(
        [manifest for several in context.inputs.values() for manifest in several],
        findings,
        allocation=_path_of_allocation(context),
        notes=[] if font else [PICTURE_LEFT_OUT],
    )
    result = assemble_allocation(context.experiment, findings, run)
    return write_views(
        context,
        "allocation",
        result,
        font,
        delivery=context.experiment.delivery,
        page=render_allocation_html,
        messages=allocation_messages,
        picture=draw_allocation_picture,
    )


def collect(context: StageContext) -> AllocationFindings:
    """Read what the stages before wrote."""
    plan = context.read_json("plan", "plan")
    spending: Any = if_written(context, "assign", "spending")
    return AllocationFindings(
        checks=context.read_json("validate", "checks"),
        validity=context.read_json("validate", "verdict"),
        plan=plan,
        cards=by_item(context, "fit", "card"),
        choice=if_written(context, "choose", "choice"),
        spending=spending,
        evaluation=if_written(context, "evaluate", "evaluation"),
        failures=context.failures,
    )


def _path_of_allocation(context: StageContext) -> str | None:
    """Where in the run folder it is said who gets what; None where nobody gets anything."""
    return next((manifest.outputs["allocation"].path for manifest in context.inputs.get("assign", ())), None)
