"""The exact allocation of a few thousand units, by HiGHS' branch and bound."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.forecast import Matrix
from causal_tasks.allocation.knapsack.limits import Limit

LARGEST = 100_000
"""Units times arms above which branch and bound is not begun."""

NODES = 5_000
"""Of the search tree, after which the best arms found are taken: several limits together can be hard."""

_REPEATS = 10


class Exact(NamedTuple):
    """The best arms that the search found.

    Attributes:
        arm: Shape (n,).
        gap: Outcome by which better ones may exceed them; 0 where these were proved to be the best.
    """

    arm: NDArray[np.intp]
    gap: float


def exact_arms(outcome: Matrix, limits: Sequence[Limit], *, gap: float = 0.0, nodes: int = NODES) -> Exact | None:
    """The arms of the highest total outcome within the limits; None where none were found that keep them.

    Args:
        outcome: Shape (n, M).
        limits: Of the same units, at least one.
        gap: The search ends this close to the best, as a share of what is gained over every unit's worst arm.
        nodes: Of the search tree, at most.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, eye_array, kron

    units, width = outcome.shape
    levels = outcome.astype(np.float64)
    gain = levels - levels.min(axis=1, keepdims=True)
    one_arm = LinearConstraint(kron(eye_array(units), np.ones((1, width)), format="csr"), 1, 1)
    used = np.array([limit.sign * limit.values.astype(np.float64).ravel() for limit in limits])
    scale = np.abs(used).max(axis=1)
    scale[scale == 0] = 1
    bounds = np.array([limit.bound for limit in limits])
    strictness = np.zeros(len(limits))
    for _ in range(_REPEATS):
        kept = LinearConstraint(csr_array(used / scale[:, None]), -np.inf, (bounds - strictness) / scale)
        found = milp(
            -gain.ravel(),
            integrality=1,
            bounds=Bounds(0, 1),
            constraints=[one_arm, kept],
            options={"mip_rel_gap": gap, "node_limit": nodes},
        )
        if found.x is None:
            return None
        arm: NDArray[np.intp] = found.x.reshape(units, width).argmax(axis=1)
        excess = np.array([limit.used(arm) for limit in limits]) - bounds
        if (excess <= 0).all():
            value = -float(found.fun)
            open_ = -float(found.mip_dual_bound) - value
            return Exact(arm, open_ if open_ > 1e-9 * value else 0.0)
        # HiGHS lets a sum exceed its bound by a millionth of the scale; here it may not.
        strictness += 2 * np.maximum(excess, 0)
    return None
