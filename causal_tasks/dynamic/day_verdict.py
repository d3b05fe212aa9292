"""Whether a day's decision is served, and why."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from causal_tasks.dynamic.day_policies import DYNAMIC

Code = Literal["pays", "not_shown", "harms", "guard_broken", "invalid"]

PAYS: Code = "pays"
"""The verdict by which treatments are switched on; by any other everybody gets control, but for exploration."""

SRM_P_VALUE = 0.001
"""Below it arms were not drawn with the shares that the feed states."""


class Verdict(NamedTuple):
    """What a day says of the decision.

    Attributes:
        code: ``pays``: its value is shown to be above that of control, and no guard to be broken; ``guard_broken``: the
            latter is; ``harms``: its value is shown to be below; ``not_shown``: neither; ``invalid``: arms were not
            drawn as stated, so that nothing is known.
        reasons: Codes behind it.
    """

    code: Code
    reasons: tuple[str, ...]


def verdict(
    difference: Mapping[str, Any],
    guards: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    shares_p_value: float,
) -> Verdict:
    """What a day says of the decision.

    Args:
        difference: Of the dynamic policy from control, with ``interval``.
        guards: See ``told_guards``.
        notes: Of the comparison of policies: an interval that rests on too few rows shows nothing.
        shares_p_value: Of arms drawn with the stated shares.
    """
    low, high = difference["interval"]
    if shares_p_value < SRM_P_VALUE:
        return Verdict("invalid", ("shares_differ",))
    if few := [note for note in notes if note in {f"few_matched:{DYNAMIC}", f"few_differ:{DYNAMIC}"}]:
        return Verdict("not_shown", tuple(few))
    if high < 0:
        return Verdict("harms", ("dynamic_below_control",))
    if low <= 0:
        return Verdict("not_shown", ("never",) if low == high == 0 else ("interval_holds_zero",))
    if broken := [f"guard:{guard['response']}" for guard in guards if not guard["kept"]]:
        return Verdict("guard_broken", tuple(broken))
    return Verdict(PAYS, ("dynamic_above_control",))
