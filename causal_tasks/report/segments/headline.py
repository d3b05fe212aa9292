"""What creative segments come to: one sentence, and what to do about it."""

from causal_tasks.report.sections.checks import Checks
from causal_tasks.report.sections.effects import ShownEffect, show_effect
from causal_tasks.report.segments.briefing import SegmentsBriefing

_GROUPS = ("together", "partly", "apart")
"""Verdicts on segments that the headline tells."""


def headline_of(briefing: SegmentsBriefing, checks: Checks) -> str:
    """The verdict in one sentence."""
    code, text = briefing.result["verdict"]["code"], briefing.text
    if not briefing.is_learned:
        return text(f"creatives.headline.{code}", failed=briefing.listed(checks.names("fail")))
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
    """That one model for each creative did better than segments, where it reliably did."""
    margin = separate_over_segment(briefing)
    if margin.tone != "good":
        return []
    return [briefing.text("creatives.separate_better", gain=margin.estimate, interval=margin.interval)]
