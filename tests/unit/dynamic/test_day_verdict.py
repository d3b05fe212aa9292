"""When treatments are switched on, and which reason is given where they are not."""

import pytest

from causal_tasks.dynamic.day_verdict import CROSSED_INVALID, crossed_notes, crossed_share, verdict

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


def test_where_many_requests_have_another_arm_than_the_drawn_one_nothing_is_known():
    def code(crossed):
        return verdict({"interval": (0.1, 2)}, [], [], 0.5, crossed)

    assert code(CROSSED_INVALID).code == "pays"
    assert (code(0.06).code, code(0.06).reasons) == ("invalid", ("arms_crossed",))


def test_the_share_of_crossed_requests_is_that_of_drawn_users_and_noted_where_it_is_more_than_a_few():
    share = crossed_share({"read": 1200, "not_drawn": 200, "crossed": 23})
    assert share == 0.023
    assert crossed_notes(share) == ["arms_crossed:2.3%"]
    assert crossed_notes(0.01) == []
    assert crossed_share({"read": 5, "not_drawn": 5, "crossed": 0}) == crossed_share(None) == 0
