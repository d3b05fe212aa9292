"""Steps of the accelerated gradient where they cannot be shorter."""

from dataclasses import dataclass

import numpy as np

from causal_tasks.segments.certificate import Point
from causal_tasks.segments.penalty import Penalty
from causal_tasks.segments.rows import Sweep
from causal_tasks.segments.steps import State, Steps


@dataclass(frozen=True)
class Rounded:
    """A function whose gradient is zero, seen through rounding that is larger than it was taken for."""

    def start(self, intercept, beta):
        return Sweep(None, None, None, np.zeros_like(beta), np.zeros_like(intercept), 0.0, 0.0)

    def sweep(self, last, intercept, beta, momentum):
        return Sweep(None, None, None, np.zeros_like(beta), np.zeros_like(intercept), 1e-20, 0.0)


def test_a_step_that_leads_nowhere_is_taken():
    point = Point(np.ones(2), np.zeros(3), np.zeros((2, 3)))
    steps = Steps((1.0, np.ones(2)), 1.0)
    state = steps.step(State.at(Rounded(), point), Penalty(1.0, 1.0))
    assert np.array_equal(state.point.intercept, point.intercept)
