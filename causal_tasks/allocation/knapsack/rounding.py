"""From a mixture of allocations to one arm for every unit, within every limit.

The mixture is dealt out to the units of each block by its shares. That misses the limits by a few units, so the core,
those units that lose least by another arm, is decided anew by branch and bound within what the others leave.

Source: Balas, Zemel (1980), "An algorithm for large zero-one knapsack problems", for the core.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.forecast import Matrix
from causal_tasks.allocation.knapsack.lagrangian import total
from causal_tasks.allocation.knapsack.limits import Limit
from causal_tasks.allocation.knapsack.milp import LARGEST, exact_arms
from causal_tasks.allocation.knapsack.relaxation import Relaxation, net_outcome

Arms = NDArray[np.intp]

CORES = (1_000, 10_000, LARGEST)
"""Units times arms in the core; the next size is tried where a core cannot keep the limits."""

NODES = 20
"""Of the search tree over a core."""

GAP = 1e-5
"""Where that search ends, as a share of what the core brings over every unit's worst arm."""

_GOLDEN = (np.sqrt(5) - 1) / 2


def rounded(outcome: Matrix, limits: Sequence[Limit], relaxation: Relaxation) -> Arms | None:
    """An arm for every unit within the limits, shape (n,), close to the relaxation; None where none was found.

    Args:
        outcome: Shape (n, M).
        limits: That the relaxation is within.
        relaxation: Of the same.
    """
    arm = _dealt(outcome, limits, relaxation)
    # Among tied units, from everywhere: a core of one kind would have nothing to exchange.
    order = np.lexsort((_places(0, len(outcome)), _regret(outcome, limits, relaxation)))
    for size in CORES:
        units = order[: size // outcome.shape[1]]
        rest = [
            limit.part(units, limit.used(arm) - limit.sign * total(limit.values[units], arm[units])) for limit in limits
        ]
        if (found := exact_arms(outcome[units], rest, gap=GAP, nodes=NODES)) is not None:
            arm[units] = found.arm
            return arm
        if len(units) == len(outcome):
            break
    return None


def _dealt(outcome: Matrix, limits: Sequence[Limit], relaxation: Relaxation) -> Arms:
    """Each unit gets the arm of one allocation of the mixture, as often as its share says."""
    arm = np.empty(len(outcome), dtype=np.intp)
    for rows, shares in zip(relaxation.blocks, relaxation.shares, strict=True):
        drawn = np.searchsorted(np.cumsum(shares)[:-1], _places(rows.start, rows.stop), side="right")
        for look in np.unique(drawn):
            best = net_outcome(outcome, limits, relaxation.looks[look], rows).argmax(axis=1)
            arm[rows] = np.where(drawn == look, best, arm[rows])
    return arm


def _places(begin: int, end: int) -> NDArray[np.float64]:
    """Numbers from 0 to 1, one for every row, that fall evenly into any intervals: multiples of the golden section."""
    places: NDArray[np.float64] = np.arange(begin, end) * _GOLDEN % 1
    return places


def _regret(outcome: Matrix, limits: Sequence[Limit], relaxation: Relaxation) -> NDArray[np.float64]:
    """What each unit loses by its second best arm, net of limits, shape (n,)."""
    if outcome.shape[1] == 1:
        return np.zeros(len(outcome))
    regret = np.empty(len(outcome))
    for rows in relaxation.blocks:
        net = np.partition(net_outcome(outcome, limits, relaxation.multipliers, rows), -2, axis=1)
        regret[rows] = net[:, -1] - net[:, -2]
    return regret
