"""The estimation users of one treatment and control, with predictions and scores on the benefit scale."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.subpopulations.evidence import Mask, Vector
from causal_tasks.subpopulations.users import Users


@dataclass(frozen=True, slots=True)
class Scored:
    """What rankings, tests and policies are judged on; more is better.

    Attributes:
        rows: Shape (n,), which of all users these m are.
        effect: Shape (m,), doubly robust scores.
        uplift: Shape (m,), predicted.
        outcome: Shape (m,).
        treated: Shape (m,).
        mean_control: Shape (m,), outcome predicted in control.
        mean_treatment: Shape (m,), outcome predicted under treatment.
        propensity: Of treatment: a number, or shape (m,).
        clusters: Shape (m,), codes; None: all users are independent.
    """

    rows: Mask
    effect: Vector
    uplift: Vector
    outcome: Vector
    treated: Mask
    mean_control: Vector
    mean_treatment: Vector
    propensity: float | Vector
    clusters: NDArray[np.intp] | None

    @classmethod
    def of(cls, users: Users, uplift: Vector, treatment: Any, *, sign: int) -> Self:
        """The users who show the effect of ``treatment``.

        Args:
            users: All n.
            uplift: Shape (n,), predicted effect in the outcome's own unit.
            treatment: Label of the arm.
            sign: +1 where more of the outcome is better, -1 where less is.
        """
        rows = users.comparable(treatment)
        scores = users.scores(treatment, rows)
        return cls(
            rows=rows,
            effect=sign * scores.effect,
            uplift=sign * uplift[rows],
            outcome=sign * scores.outcome,
            treated=scores.treated,
            mean_control=sign * users.means[rows, 0],
            mean_treatment=sign * users.means[rows, users.arms.index(treatment)],
            propensity=users.probability(treatment, rows),
            clusters=users.clusters_of(rows),
        )

    @property
    def independent_per_arm(self) -> int:
        """Users, or clusters, in the arm that has fewer of them."""
        arms = (self.treated, ~self.treated)
        if self.clusters is None:
            return min(int(arm.sum()) for arm in arms)
        return min(len(np.unique(self.clusters[arm])) for arm in arms)
