"""Whether a day's decision is served, and why."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from causal_tasks.dynamic.day_policies import DYNAMIC
from causal_tasks.thresholds import Thresholds

Code = Literal["pays", "not_shown", "harms", "guard_broken", "invalid"]

PAYS: Code = "pays"
"""The verdict by which treatments are switched on; by any other everybody gets control, but for exploration."""

ARMS_CROSSED = "arms_crossed"
"""Reason of a verdict, and note with the share behind it."""

CROSSED_NOTED, CROSSED_INVALID = 0.01, 0.05
"""Shares of drawn users' requests with another arm than the drawn one, above which that is noted, or nothing is known.

A few cross by the hour at which a day's draw takes effect; many do where a server decides for these users, and then
what is left was chosen by the decision.
"""


class Verdict(NamedTuple):
    """What a day says of the decision.

    Attributes:
        code: ``pays``: its value is shown to be above that of control, and no guard to be broken; ``guard_broken``: the
            latter is; ``harms``: its value is shown to be below; ``not_shown``: neither; ``invalid``: arms were not
            drawn or not given as stated, so that nothing is known.
        reasons: Codes behind it.
    """

    code: Code
    reasons: tuple[str, ...]


def verdict(
    difference: Mapping[str, Any],
    guards: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    shares_p_value: float,
    crossed: float = 0.0,
) -> Verdict:
    """What a day says of the decision.

    Args:
        difference: Of the dynamic policy from control, with ``interval``.
        guards: See ``told_guards``.
        notes: Of the comparison of policies: an interval that rests on too few rows shows nothing.
        shares_p_value: Of arms drawn with the stated shares.
        crossed: Share of drawn users' requests that have another arm than the drawn one.
    """
    low, high = difference["interval"]
    wrong = {"shares_differ": shares_p_value < Thresholds().p_value, ARMS_CROSSED: crossed > CROSSED_INVALID}
    if any(wrong.values()):
        return Verdict("invalid", tuple(code for code, holds in wrong.items() if holds))
    if few := [note for note in notes if note in {f"few_matched:{DYNAMIC}", f"few_differ:{DYNAMIC}"}]:
        return Verdict("not_shown", tuple(few))
    if high < 0:
        return Verdict("harms", ("dynamic_below_control",))
    if low <= 0:
        return Verdict("not_shown", ("never",) if low == high == 0 else ("interval_holds_zero",))
    if broken := [f"guard:{guard['response']}" for guard in guards if not guard["kept"]]:
        return Verdict("guard_broken", tuple(broken))
    return Verdict(PAYS, ("dynamic_above_control",))


def crossed_share(requests: Mapping[str, int | float] | None) -> float:
    """Share of drawn users' requests that have another arm than the drawn one, by the counts of ``log_of_requests``."""
    drawn = requests["read"] - requests["not_drawn"] if requests else 0
    return requests["crossed"] / drawn if requests and drawn else 0.0


def crossed_notes(share: float) -> list[str]:
    """Note of such requests, where they are more than a few."""
    return [f"{ARMS_CROSSED}:{share:.1%}"] if share > CROSSED_NOTED else []
