"""The tables of public data: what they compute themselves."""

import numpy as np
import pytest

from benchmarks.public_data import exercise, qini_by_chance
from causal_tasks.evaluation import gain_curve, qini


def test_qini_of_random_rankings_scatters_as_told():
    random = np.random.default_rng(0)
    treated = (random.random(3000) < 0.3).astype(int)
    outcome = (random.random(3000) < 0.2 + 0.1 * treated).astype(float)
    score = random.random(3000)
    curve = gain_curve(outcome, score, treated).to_dict("records")
    permuted = [qini(outcome, random.permutation(score), treated) for _ in range(400)]
    assert qini_by_chance({"curve": {"on": curve}}, "on") == pytest.approx(np.std(permuted), rel=0.15)


def test_the_exercise_gets_its_own_figures_of_those_chosen():
    """A fifth is chosen: 2 % more of them buy, at 0.015 purchases a promotion; of 100,000 users 10,000 are promoted."""
    net = 0.2 * (0.02 - 0.015)
    value = {"estimate": net, "interval": [net, net]}
    policies = [{"policy": "rules", "share": 0.2, "spend": 0.2 * 0.015, "vs_none": value}]
    steps = [{"units": {"No": 1, "Yes": 2}}, {"units": {"No": 90_000, "Yes": 110_000}}]
    result = {"waterfall": {"steps": steps}, "evidence": {"policy": {"Yes": {"policies": policies}}}}
    told = exercise(result).splitlines()
    assert "NIR of 100,000 users" in told[0]
    assert told[2] == "| rules | +0.0200 [+0.0200, +0.0200] | +500 [+500, +500] |"
