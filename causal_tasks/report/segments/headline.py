"""What creative segments come to: one sentence, and what to do about it."""

from causal_tasks.report.result import turned
from causal_tasks.report.sections.checks import Checks
from causal_tasks.report.sections.effects import ShownEffect, show_effect
from causal_tasks.report.segments.briefing import SegmentsBriefing

_GROUPS = ("together", "partly", "apart")
"""Verdicts on segments that the headline tells."""


def headline_of(briefing: SegmentsBriefing, checks: Checks) -> str:
    """The verdict in one sentence."""
    code, text = briefing.result["verdict"]["code"], briefing.text
    if not briefing.is_learned:
        reason = briefing.result["verdict"]["reason"]
        failed = checks.names("fail") if code == "invalid" or not reason else [text(f"checks.{reason}.name")]
        return text(f"creatives.headline.{code}", failed=briefing.listed(failed))
    gain = gain_over_best(briefing)
    sentence = text(
        f"creatives.headline.{code}",
        best=briefing.result["best"]["creative"],
        metric=briefing.response_name,
        gain=gain.estimate,
        interval=gain.interval,
    )
    return text("words.semicolon").join([sentence, *_holding(briefing)])


def action_of(briefing: SegmentsBriefing) -> str:
    """What to do about it."""
    verdict, text = briefing.result["verdict"], briefing.text
    if not briefing.is_learned:
        remedy = text(f"checks.{verdict['reason']}.remedy") if verdict["reason"] else ""
        return text(f"creatives.action.{verdict['code']}", remedy=remedy)
    action = text(f"creatives.action.{verdict['code']}", best=briefing.result["best"]["creative"])
    return text("words.space").join([action, *_where_separate_is_better(briefing)])


def gain_over_best(briefing: SegmentsBriefing) -> ShownEffect:
    """Gain of the assigned segments over the best single creative for everybody."""
    return difference(briefing, "vs_best_creative")


def separate_over_segment(briefing: SegmentsBriefing) -> ShownEffect:
    """The creative that separate models pick against the best one of the assigned segment: one creative either way."""
    return difference(briefing, "separate_vs_best_in_segment")


def difference(briefing: SegmentsBriefing, name: str) -> ShownEffect:
    """A paired difference of two policies in words."""
    return show_effect(briefing, briefing.result["response"], briefing.result["differences"][name])


def _holding(briefing: SegmentsBriefing) -> list[str]:
    """Which segments hold together, in which some creatives differ, and which do not."""
    found = {
        verdict: [segment["segment"] for segment in briefing.segments if segment["verdict"] == verdict]
        for verdict in _GROUPS
    }
    return [
        briefing.text(f"creatives.holding.{verdict}", names=briefing.listed(names))
        for verdict, names in found.items()
        if names
    ]


def _where_separate_is_better(briefing: SegmentsBriefing) -> list[str]:
    """That one model for each creative did better than what is to be done, where it reliably did.

    Where segments are to be used, also than the best message of the assigned one: a single message either way.
    """
    result, differences = briefing.result, briefing.result["differences"]
    if result["verdict"]["code"] == "segments_pay":
        rival, over = "segments", [turned(differences["vs_separate"]), differences["separate_vs_best_in_segment"]]
    else:
        rival, over = "best_creative", [differences["separate_vs_best_creative"]]
    gains = [show_effect(briefing, result["response"], margin) for margin in over]
    if any(gain.tone != "good" for gain in gains):
        return []
    told = {"best": result["best"]["creative"], "gain": gains[0].estimate, "interval": gains[0].interval}
    return [briefing.text(f"creatives.separate_better.{rival}", **told)]
