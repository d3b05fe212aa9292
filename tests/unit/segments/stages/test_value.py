"""What policies bring, told on users whom nothing was learned from."""

import numpy as np
import pandas as pd
import pytest

from causal_tasks.segments.stages.value import DIFFERENCES, Measured, policies
from tests.unit.segments.stages.segment_runs import SEGMENTS, segmenting, statement

BEST = {"creative": "fresh", "segment": "old", "in_segment": {"old": "vinyl", "young": "fresh"}}


def measured(experiment, n=4_000, seed=0, clusters=None):
    """Half of the users belong to each segment and respond by 1 more to what was made for it."""
    random = np.random.default_rng(seed)
    arm = random.choice(np.array(experiment.arms, dtype=object), n)
    segment = random.choice(np.array(list(SEGMENTS), dtype=object), n)
    home = experiment.segmenting.segment_of
    fits = np.array([home.get(shown) == own for shown, own in zip(arm, segment, strict=True)])
    assigned = pd.DataFrame({"segment": segment, "creative": np.where(segment == "old", "vinyl", "fresh")})
    response = fits + 0.1 * random.normal(size=n)
    return Measured(response, arm, assigned.assign(separate=assigned["creative"]), clusters, experiment)


def test_a_mean_by_creative_is_that_of_whom_it_was_shown_to():
    found = measured(statement())
    for arm in ("none", "vinyl"):
        told, shown = found.creative(arm), found.arm == arm
        assert told["users"] == shown.sum()
        assert told["response"]["estimate"] == pytest.approx(found.response[shown].mean())
        assert told["is_reference"] == (arm == "none")


def test_policies_bring_what_their_creatives_bring_to_those_who_get_them():
    found = measured(statement())
    compared = found.compared(policies(found, BEST))
    value = {name: told.value.estimate for name, told in compared.values.items()}
    truth = {"segments": 1, "best_in_segment": 1, "separate": 1, "best_creative": 0.5, "best_segment": 0.5, "mix": 0.5}
    assert value == pytest.approx(truth | {"control": 0}, abs=0.05)
    assert {other for pair in DIFFERENCES.values() for other in pair} == value.keys()
    gain = compared.difference("segments", "best_creative")
    assert gain.estimate == pytest.approx(value["segments"] - value["best_creative"])


def test_the_matrix_holds_the_mean_of_every_pair_and_of_the_other_arms_together():
    found = measured(statement())
    cells = {(row["assigned"], row["shown"]): row for row in found.matrix()}
    assert list(cells) == [(own, shown) for own in SEGMENTS for shown in (*SEGMENTS, None)]
    home = np.array([found.segment_of.get(arm, "") for arm in found.arm])
    for (own, shown), row in cells.items():
        rows = (found.labels("segment") == own) & (home == (shown or ""))
        assert row["users"] == rows.sum()
        assert row["response"]["estimate"] == pytest.approx(float(own == shown), abs=0.05)


def test_a_pair_that_hardly_anybody_shows_has_no_mean():
    found = measured(statement())
    found.assigned["segment"] = "young"
    found.assigned.loc[found.assigned.index[:3], "segment"] = "old"
    few = {(row["assigned"], row["shown"]): row for row in found.matrix()}
    assert (
        {key for key, row in few.items() if row["response"] is None}
        == {("old", shown) for shown in (*SEGMENTS, None) if few["old", shown]["users"] < 2}
        != set()
    )


def test_a_control_that_is_a_creative_is_no_reference():
    experiment = statement(segmenting=segmenting(segments={"old": ["classic", "vinyl"], "young": ["fresh", "none"]}))
    found = measured(experiment)
    assert "control" not in policies(found, BEST)
    assert {row["shown"] for row in found.matrix()} == set(SEGMENTS)


def test_intervals_respect_clusters():
    n = 4_000
    alone, together = (measured(statement(cluster="city"), n, clusters=c) for c in (None, np.arange(n) // 400))
    width = [np.ptp(found.compared(policies(found, BEST)).values["mix"].value.interval) for found in (alone, together)]
    assert width[0] != width[1]
    assert together.creative("vinyl")["response"]["standard_error"] > 0
