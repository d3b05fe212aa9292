"""Stage ``report``: one result, and every view of it."""

from typing import Any

from causal_tasks.report.content import tell
from causal_tasks.report.html import render_html
from causal_tasks.report.markdown import render_markdown
from causal_tasks.report.message import result_messages
from causal_tasks.report.picture import draw_picture, find_font
from causal_tasks.report.result import Findings, assemble, describe_run
from causal_tasks.rule import LANGUAGES
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri

PICTURE_LEFT_OUT = "picture_left_out"


def report(context: StageContext) -> dict[str, Uri]:
    """Write ``result``, ``report``, ``markdown_zh``, ``markdown_en``, ``message`` and, given a font, ``picture``."""
    font = find_font()
    findings = collect(context)
    manifests = [manifest for several in context.inputs.values() for manifest in several]
    run = describe_run(manifests, findings, notes=[] if font else [PICTURE_LEFT_OUT])
    result = assemble(context.experiment, findings, run)
    outputs = {
        "result": context.write_json("result.json", result),
        "report": context.write_bytes("report.html", render_html(result).encode()),
        "message": context.write_json(
            "message.json", {language: result_messages(result, language, None)[0] for language in LANGUAGES}
        ),
    }
    for language in LANGUAGES:
        text = render_markdown(result, language)
        outputs[f"markdown_{language}"] = context.write_bytes(f"report.{language}.md", text.encode())
    if font:
        content = tell(result, context.experiment.delivery.languages[0])
        outputs["picture"] = context.write_bytes("picture.png", draw_picture(content, font))
    return outputs


def collect(context: StageContext) -> Findings:
    """Read what the stages before wrote."""
    validate = {name: context.read_json("validate", name) for name in ("checks", "features", "verdict")}
    selected = bool(context.inputs["select"])
    mined = bool(context.inputs["mine"])
    return Findings(
        waterfall=context.read_json("prepare", "waterfall"),
        profile=context.read_json("prepare", "profile"),
        checks=validate["checks"],
        features=validate["features"],
        validity=validate["verdict"],
        effects=context.read_json("measure", "effects"),
        cards=_by_item(context, "train", "card"),
        ranking=context.read_json("shortlist", "ranking") if context.inputs["shortlist"] else (),
        tuning=_by_item(context, "tune", "tuning"),
        selection=context.read_json("select", "selection") if selected else None,
        subpopulations=context.read_json("mine", "subpopulations") if mined else None,
        tree=context.read_json("mine", "tree") if mined else None,
        evidence=context.read_json("mine", "evidence") if mined else None,
        failures=context.failures,
    )


def _by_item(context: StageContext, stage: str, output: str) -> dict[str, Any]:
    """A JSON output of every instance of a mapped stage."""
    return {str(manifest.item): context.read_json(stage, output, manifest.item) for manifest in context.inputs[stage]}
