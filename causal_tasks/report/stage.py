"""Stage ``report``: one result, and every view of it."""

from collections.abc import Callable, Mapping
from typing import Any

from causal_tasks.experiment_parts import Delivery
from causal_tasks.report.content import tell
from causal_tasks.report.html import render_html
from causal_tasks.report.markdown import render_markdown
from causal_tasks.report.message import result_messages
from causal_tasks.report.picture import Font, draw_picture, find_font
from causal_tasks.report.result import Findings, assemble, describe_run
from causal_tasks.rule import LANGUAGES, Language
from causal_tasks.run_folder import StageContext
from causal_tasks.stage_files import StageFiles
from causal_tasks.storage import Uri
from causal_tasks.subpopulations.follow_up_statement import addressed
from causal_tasks.subpopulations.ledger import record

PICTURE_LEFT_OUT, LEDGER_DIFFERS = "picture_left_out", "ledger_differs"


def report(context: StageContext) -> dict[str, Uri]:
    """Write ``result``, ``report``, ``markdown_zh``, ``markdown_en``, ``message`` and, given a font, ``picture``."""
    font = find_font()
    findings = collect(context)
    manifests = [manifest for several in context.inputs.values() for manifest in several]
    run = describe_run(manifests, findings, notes=[] if font else [PICTURE_LEFT_OUT])
    result = assemble(context.experiment, findings, run)
    if not _entered(context, result["confirmation"]):
        result["run"]["notes"].append(LEDGER_DIFFERS)
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
    return Findings(
        waterfall=context.read_json("prepare", "waterfall"),
        profile=context.read_json("prepare", "profile"),
        checks=validate["checks"],
        features=validate["features"],
        validity=validate["verdict"],
        effects=context.read_json("measure", "effects"),
        did=if_written(context, "measure", "did") or (),
        balance=if_written(context, "validate", "balance"),
        cards=by_item(context, "train", "card"),
        ranking=if_written(context, "shortlist", "ranking") or (),
        tuning=by_item(context, "tune", "tuning"),
        selection=if_written(context, "select", "selection"),
        drivers=if_written(context, "select", "drivers") or {},
        subpopulations=if_written(context, "mine", "subpopulations"),
        tree=if_written(context, "mine", "tree"),
        evidence=if_written(context, "mine", "evidence"),
        follow_up=addressed(if_written(context, "mine", "follow_up") or (), context.experiment),
        placebo=if_written(context, "mine", "placebo"),
        failures=context.failures,
    )


def _entered(context: StageContext, confirmation: Mapping[str, Any] | None) -> bool:
    """Whether the ledger holds what this run says of the finding that it follows; True where it follows none."""
    return confirmation is None or record(context.storage, context.settings, context.experiment, confirmation)


def write_views(
    context: StageFiles,
    name: str,
    result: dict[str, Any],
    font: Font | None,
    *,
    delivery: Delivery,
    page: Callable[[Mapping[str, Any]], str],
    messages: Callable[[Mapping[str, Any], Language, str | None], list[dict[str, Any]]],
    picture: Callable[[Mapping[str, Any], Language, Font], bytes],
) -> dict[str, Uri]:
    """Write ``result``, ``report``, ``message`` and, given a font, ``picture``.

    Args:
        context: Of the stage.
        name: Of the files of result and report, without extension.
        result: What the views are of.
        font: With Chinese glyphs; None leaves the picture out.
        delivery: Whose first language is the picture's.
        page: Makes the report.
        messages: Makes the messages in a language, the text first.
        picture: Draws the picture in a language.
    """
    told = {language: messages(result, language, None)[0] for language in LANGUAGES}
    outputs = {
        "result": context.write_json(f"{name}.json", result),
        "report": context.write_bytes(f"{name}.html", page(result).encode()),
        "message": context.write_json("message.json", told),
    }
    if font:
        drawn = picture(result, delivery.languages[0], font)
        outputs["picture"] = context.write_bytes("picture.png", drawn)
    return outputs


def if_written(context: StageContext, stage: str, output: str) -> Any:
    """A JSON output of a stage; None where the stage did not run or had no reason to write it."""
    manifests = context.inputs.get(stage, ())
    return context.read_json(stage, output) if any(output in manifest.outputs for manifest in manifests) else None


def by_item(context: StageContext, stage: str, output: str) -> dict[str, Any]:
    """A JSON output of every instance of a mapped stage."""
    manifests = context.inputs.get(stage, ())
    return {str(manifest.item): context.read_json(stage, output, manifest.item) for manifest in manifests}
