"""Whether a day is worth a message: what it says that the days before it have not said."""

from collections.abc import Mapping
from typing import Any

from causal_tasks.dynamic.day import FeedDay

RESULT = "result.json"
"""A day's result, in its folder."""

_LOOKED_BACK = 31
"""Days in which the newest earlier result is looked for."""

FIRST, VERDICT_CHANGED, ALARM, GUARD_BROKEN = "first", "verdict_changed", "alarm", "guard_broken"


def news_of(day: FeedDay, result: Mapping[str, Any]) -> tuple[str, ...]:
    """Why the group is told of a day, as codes; none where there is no reason.

    A day that is not served, because a later one is, was filled afterwards and is no news.

    Args:
        day: The day.
        result: Its ``result.json``.
    """
    if not result["run"]["published"]:
        return ()
    earlier = newest_result(day)
    if earlier is None:
        return (FIRST,)
    found = {
        VERDICT_CHANGED: earlier["verdict"]["code"] != result["verdict"]["code"],
        ALARM: not _alarmed(result) <= _alarmed(earlier),
        GUARD_BROKEN: not _broken(result) <= _broken(earlier),
    }
    return tuple(code for code, holds in found.items() if holds)


def newest_result(day: FeedDay) -> dict[str, Any] | None:
    """The result of the newest earlier day of the same revision that was served; None where there is none in a month.

    One that was filled afterwards was told to nobody.
    """
    for ago in range(1, _LOOKED_BACK + 1):
        try:
            result: dict[str, Any] = day.storage.read_json(f"{day.before(ago).uri}/{RESULT}")
        except FileNotFoundError:
            continue
        if result["run"]["published"]:
            return result
    return None


def _alarmed(result: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Segments and weeks in which other thresholds are better."""
    return {(row["segment"], row["week"]) for row in result["drift"]["rows"] if row["alarm"]}


def _broken(result: Mapping[str, Any]) -> set[str]:
    """Responses whose guard is broken."""
    return {guard["response"] for guard in result["guards"] if not guard["kept"]}
