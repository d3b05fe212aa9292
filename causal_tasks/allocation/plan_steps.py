"""The integer programme behind a plan: which clusters step up from their cheapest arm, and to which."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.errors import InputError

Arms = NDArray[np.intp]
Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

GAP = 1e-6
"""How far a plan may be from the best one, as a share of what that one brings beyond the cheapest arms."""

TIME_LIMIT = 60.0
"""Seconds after which the search for one plan ends."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What every arm brings and costs a cluster beyond its cheapest arm, times the share of the cluster.

    Attributes:
        gain: Shape (K, M).
        extra: Shape (K, M), not negative.
        cheapest: Shape (K,), the cheapest arm; of several the one that brings most.
        base_outcome: Of the cheapest arms, per unit.
        base_cost: Likewise.
    """

    gain: Matrix
    extra: Matrix
    cheapest: Arms
    base_outcome: float
    base_cost: float

    @classmethod
    def of(cls, share: Vector, outcome: Matrix, cost: Matrix) -> Self:
        """Those of clusters with these shares of the units, shape (K,), and levels, shape (K, M)."""
        cheapest = np.lexsort((-outcome, cost), axis=1)[:, :1]
        first_outcome, first_cost = (np.take_along_axis(values, cheapest, axis=1) for values in (outcome, cost))
        return cls(
            share[:, None] * (outcome - first_outcome),
            share[:, None] * (cost - first_cost),
            cheapest[:, 0],
            float(share @ first_outcome[:, 0]),
            float(share @ first_cost[:, 0]),
        )

    @property
    def useful(self) -> NDArray[np.bool_]:
        """Arms that bring more than every cheaper one, shape (K, M); the cheapest is none of them."""
        dearer = self.extra[:, :, None] >= self.extra[:, None, :]
        at_least = self.gain[:, None, :] >= self.gain[:, :, None]
        # Of arms that are equal in both, the first stays.
        twin = (self.extra[:, :, None] == self.extra[:, None, :]) & (self.gain[:, :, None] == self.gain[:, None, :])
        first = np.tri(self.gain.shape[1], k=-1, dtype=np.bool_)
        beaten: NDArray[np.bool_] = (dearer & at_least & (~twin | first)).any(axis=2)
        return (self.gain > 0) & ~beaten

    def kept(self, arm: Arms, left: Vector) -> Matrix:
        """Share of every cluster that gets its arm where so much is left beyond the cheapest arms, shape (S, K).

        Args:
            arm: Planned, shape (K,).
            left: Shape (S,).
        """
        rows = np.arange(len(arm))
        gain, extra = self.gain[rows, arm], self.extra[rows, arm]
        worth = np.divide(gain, extra, out=np.where(gain < 0, -math.inf, math.inf), where=extra > 0)
        order = np.argsort(-worth, kind="stable")
        before = np.concatenate([[0.0], np.where(worth < 0, 0.0, extra)[order].cumsum()[:-1]])
        room = left[:, None] - before
        kept = np.empty(room.shape)
        kept[:, order] = np.divide(room, extra[order], out=np.ones_like(room), where=extra[order] > 0).clip(0, 1)
        kept[:, worth < 0] = 0.0
        return kept

    def best(self, left: Vector, weights: Vector, *, largest: float) -> Arms:
        """The arms, shape (K,), whose kept shares gain most on average.

        Args:
            left: Shape (S,), what each budget leaves beyond the cheapest arms.
            weights: Shape (S,), how likely each is.
            largest: What the plan itself may cost at most beyond the cheapest arms.

        Raises:
            InputError: No plan was proven best within ``TIME_LIMIT``.
        """
        cluster, arm = np.nonzero(self.useful)
        chosen = self.cheapest.copy()
        if len(cluster):
            # A plan that fits every budget is never cut: it is worth the same under all of them.
            fits = largest <= left.min()
            budgets = (np.empty(0), np.empty(0)) if fits else (left, weights)
            taken = _solve(cluster, self.gain[cluster, arm], self.extra[cluster, arm], *budgets, largest=largest)
            chosen[cluster[taken]] = arm[taken]
        return chosen


def _solve(
    cluster: Arms, gain: Vector, extra: Vector, left: Vector, weights: Vector, *, largest: float
) -> NDArray[np.bool_]:
    """Which of C steps to take, shape (C,), at most one for each cluster.

    The columns are z, shape (C,), then y of each of S budgets, C each; without a budget z alone.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, eye_array, hstack, kron, vstack

    steps, budgets = len(gain), len(left)
    # The solver's tolerance is absolute: so costs are measured by what everything together would cost.
    total = extra.sum()
    extra, left, largest = extra / total, left / total, largest / total
    one_arm = csr_array((np.ones(steps), (cluster, np.arange(steps))))
    of_plan = vstack([one_arm, csr_array(extra[None, :])])
    of_plan = hstack([of_plan, csr_array((of_plan.shape[0], steps * budgets))])
    constraints = [LinearConstraint(of_plan, -np.inf, np.append(np.ones(one_arm.shape[0]), largest))]
    objective = gain
    if budgets:
        cost = hstack([csr_array((budgets, steps)), kron(eye_array(budgets), extra[None, :])])
        planned = hstack([-kron(np.ones((budgets, 1)), eye_array(steps)), eye_array(budgets * steps)])
        constraints += [LinearConstraint(cost, -np.inf, left), LinearConstraint(planned, -np.inf, 0)]
        objective = np.concatenate([np.zeros(steps), np.kron(weights, gain)])
    solved = milp(
        -objective / gain.sum(),
        constraints=constraints,
        bounds=Bounds(0, 1),
        integrality=np.concatenate([np.ones(steps), np.zeros(steps * budgets)]),
        options={"mip_rel_gap": GAP, "time_limit": TIME_LIMIT},
    )
    if not solved.success:
        raise InputError(
            f"no plan of {steps} steps for {max(budgets, 1)} budget(s) was proven best within {TIME_LIMIT:g} seconds "
            f"({solved.message})",
            remedy="use fewer clusters or fewer budgets",
        )
    taken: NDArray[np.bool_] = solved.x[:steps] > 0.5
    return taken
