"""When treatments are switched on, and which reason is given where they are not."""

import pytest

from causal_tasks.dynamic.day_verdict import verdict

KEPT = {"response": "active_7d", "kept": True}
BROKEN = {"response": "active_7d", "kept": False}


@pytest.mark.parametrize(
    ("interval", "guards", "notes", "p_value", "code", "reason"),
    [
        ((0.1, 2), [KEPT], [], 0.5, "pays", "dynamic_above_control"),
        ((0.1, 2), [KEPT, BROKEN], [], 0.5, "guard_broken", "guard:active_7d"),
        ((-0.1, 2), [BROKEN], [], 0.5, "not_shown", "interval_holds_zero"),
        ((0.0, 2), [], [], 0.5, "not_shown", "interval_holds_zero"),
        ((0.0, 0.0), [], [], 0.5, "not_shown", "never"),
        ((-2, -0.1), [], [], 0.5, "harms", "dynamic_below_control"),
        ((0.1, 2), [], ["few_matched:dynamic"], 0.5, "not_shown", "few_matched:dynamic"),
        ((0.1, 2), [], ["few_matched:interest", "few_differ:best_arm"], 0.5, "pays", "dynamic_above_control"),
        ((0.1, 2), [], [], 0.0005, "invalid", "shares_differ"),
    ],
)
def test_the_verdict(interval, guards, notes, p_value, code, reason):
    found = verdict({"interval": interval}, guards, notes, p_value)
    assert (found.code, found.reasons) == (code, (reason,))
