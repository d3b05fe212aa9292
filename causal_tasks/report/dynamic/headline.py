"""What a day of a feed comes to: one sentence, and what to do about it."""

from causal_tasks.report import numbers
from causal_tasks.report.dynamic.briefing import DayBriefing

_TOLD = {"never": "never", "few_matched": "few", "few_differ": "few", "arms_crossed": "crossed"}
"""Reasons that are told otherwise than the verdict alone, by how they are told."""


def headline_of(briefing: DayBriefing) -> str:
    """The verdict in one sentence."""
    text = briefing.text
    sentence = text(
        f"realtime.headline.{_ending(briefing)}",
        way=text(f"realtime.way.{briefing.unit}"),
        metric=briefing.reward_name,
        gain=_gain(briefing),
        per=text(f"realtime.per.{briefing.unit}"),
    )
    return text("words.semicolon").join([sentence, *_broken(briefing)])


def action_of(briefing: DayBriefing) -> str:
    """What to do about it."""
    text, served, run = briefing.text, briefing.result["served"], briefing.result["run"]
    ending = f"realtime.action.{_ending(briefing)}"
    key = ending if ending in text.sentences else f"realtime.action.{briefing.code}"
    action = text(key, exploration=numbers.percent(served["exploration"]))
    if run["published"]:
        return action
    return text("words.space").join([action, text("realtime.action.kept", date=briefing.day(run["kept"]))])


def _ending(briefing: DayBriefing) -> str:
    """The verdict, and the reason behind it where that is told otherwise."""
    reasons = [str(reason).partition(":")[0] for reason in briefing.result["verdict"]["reasons"]]
    why = next((reason for reason in reasons if reason in _TOLD), None)
    return f"{briefing.code}_{_TOLD[why]}" if why else briefing.code


def _gain(briefing: DayBriefing) -> str:
    """The gain over changing nothing, relative to it where that means something."""
    difference = briefing.result["differences"]["dynamic_vs_control"]
    shown, relative = briefing.difference("dynamic_vs_control"), difference["relative"]
    if relative is None:
        return f"{shown.estimate} {shown.interval}"
    bounds = [numbers.percent(bound, signed=True) for bound in relative["interval"]]
    return f"{numbers.percent(relative['estimate'], signed=True)} [{', '.join(bounds)}]"


def _broken(briefing: DayBriefing) -> list[str]:
    """Which guarded responses fall by more than is tolerated."""
    names = [briefing.response_name(guard["response"]) for guard in briefing.result["guards"] if not guard["kept"]]
    return [briefing.text("realtime.broken", names=briefing.listed(names))] if names else []
