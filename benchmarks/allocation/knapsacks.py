"""Random allocation problems: concave responses to five doses, the first of them free."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ARMS = 5

_CHUNK = 100_000


class Knapsack(NamedTuple):
    """Outcome and cost, shape (n, 5) each, float32: all arms of a unit lie on its hull."""

    outcome: NDArray[np.float32]
    cost: NDArray[np.float32]

    def budget(self, share: float) -> float:
        """A share of what the dearest arm for everybody would cost."""
        return share * float(self.cost[:, -1].sum(dtype=np.float64))


def drawn(units: int, seed: int = 0) -> Knapsack:
    """A random problem, made without memory beyond its own."""
    random, dose = np.random.default_rng(seed), np.linspace(0, 1, ARMS)
    problem = Knapsack(*(np.empty((units, ARMS), dtype=np.float32) for _ in range(2)))
    for begin in range(0, units, _CHUNK):
        rows = slice(begin, min(begin + _CHUNK, units))
        shape = (rows.stop - rows.start, 1)
        height, bend = random.lognormal(0, 0.6, shape), 0.5 + 3 * random.random(shape)
        problem.outcome[rows] = 3 * random.standard_normal(shape) + height * (1 - np.exp(-bend * dose))
        problem.cost[rows] = (0.4 + 1.6 * random.random(shape)) * dose
    return problem
