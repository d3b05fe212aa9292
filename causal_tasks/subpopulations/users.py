"""The users that mining works on, checked and brought into one form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causal_tasks.effects.arguments import finite
from causal_tasks.errors import InputError
from causal_tasks.subpopulations.evidence import Mask, Scores, Vector


@dataclass(frozen=True, slots=True)
class Users:
    """One row per user, all of the same length.

    Attributes:
        features: n rows.
        outcome: Shape (n,).
        arm: Shape (n,), position in ``arms``.
        arms: Labels, control first.
        discovery: Shape (n,), True for users on whom rules are grown.
        means: Shape (n, arms), outcome predicted in each arm.
        shares: By arm, proportional to the probability of being in it.
        clusters: Shape (n,); None: all users are independent.
    """

    features: pd.DataFrame
    outcome: Vector
    arm: NDArray[np.intp]
    arms: tuple[Any, ...]
    discovery: Mask
    means: Vector
    shares: Mapping[Any, float]
    clusters: ArrayLike | None

    @classmethod
    def checked(
        cls,
        features: pd.DataFrame,
        outcome: ArrayLike,
        treatment: ArrayLike,
        *,
        arms: tuple[Any, ...],
        discovery: ArrayLike,
        means: pd.DataFrame | None,
        shares: Mapping[Any, float] | None,
        clusters: ArrayLike | None,
    ) -> Self:
        """The arguments of ``mine`` in one form; ``arms`` is control, then the treatments.

        Raises:
            InputError: Lengths differ, a value is missing, an arm is unknown, or has no discovery user where its mean
                is needed.
        """
        values = finite(outcome, name="outcome")
        labels = np.asarray(treatment, dtype=object)
        discovered = np.asarray(discovery, dtype=bool)
        _require_equal_length(
            features=features, outcome=values, treatment=labels, discovery=discovered, means=means, clusters=clusters
        )
        arm = _positions(labels, arms)
        if shares is not None and (absent := [label for label in arms if not shares.get(label, 0) > 0]):
            raise InputError(f"shares: arms {absent} have no share", remedy="give every arm its share of users")
        return cls(
            features=features,
            outcome=values,
            arm=arm,
            arms=arms,
            discovery=discovered,
            means=_discovery_means(values, arm, discovered, arms) if means is None else _by_arm(means, arms),
            shares=shares or dict.fromkeys(arms, 1.0),
            clusters=clusters,
        )

    @property
    def smallest_share(self) -> float:
        """Share of users that the design gives the smallest arm."""
        shares = [self.shares[arm] for arm in self.arms]
        return min(shares) / sum(shares)

    def compared(self, treatment: Any) -> tuple[Mask, Scores]:
        """The estimation users in control or ``treatment``, a mask of shape (n,), and their scores."""
        position = self.arms.index(treatment)
        rows = ~self.discovery & np.isin(self.arm, (0, position))
        share, control_share = self.shares[treatment], self.shares[self.arms[0]]
        return rows, Scores.of(
            self.outcome[rows],
            self.arm[rows] == position,
            self.means[rows, 0],
            self.means[rows, position],
            share / (share + control_share),
            clusters=None if self.clusters is None else np.asarray(self.clusters)[rows],
        )


def _require_equal_length(**columns: Any) -> None:
    lengths = {name: len(column) for name, column in columns.items() if column is not None}
    if len(set(lengths.values())) > 1:
        raise InputError(f"rows differ: {lengths}", remedy="pass one row of each for every user")


def _positions(labels: NDArray[np.object_], arms: tuple[Any, ...]) -> NDArray[np.intp]:
    positions: NDArray[np.intp] = pd.Index(arms, dtype=object).get_indexer(pd.Index(labels, dtype=object))
    unknown = sorted({str(label) for label in labels[positions < 0]})
    if unknown:
        raise InputError(
            f"treatment: labels {unknown[:5]} are neither control nor columns of uplift, which are {list(arms)}",
            remedy="leave those users out, or pass a column of predictions for them",
        )
    return positions


def _discovery_means(outcome: Vector, arm: NDArray[np.intp], discovery: Mask, arms: tuple[Any, ...]) -> Vector:
    """Every arm's mean over discovery users, repeated for all users: shape (n, arms)."""
    users = np.bincount(arm[discovery], minlength=len(arms))
    if users.min() == 0:
        raise InputError(
            f"treatment: no discovery user is in arm {arms[int(users.argmin())]!r}",
            remedy="put users of every arm into discovery, or pass means",
        )
    means = np.bincount(arm[discovery], outcome[discovery], minlength=len(arms)) / users
    return np.broadcast_to(means, (len(outcome), len(arms)))


def _by_arm(means: pd.DataFrame, arms: tuple[Any, ...]) -> Vector:
    absent = [arm for arm in arms if arm not in means.columns]
    if absent:
        raise InputError(f"means: no column for arms {absent}", remedy="pass one column of predictions for each arm")
    return means[list(arms)].to_numpy(dtype=np.float64)
