"""The users that mining works on, checked and brought into one form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causal_tasks.effects.arguments import cluster_codes, finite
from causal_tasks.effects.matched_units import OVERLAP
from causal_tasks.errors import InputError
from causal_tasks.subpopulations.evidence import Mask, Scores, Vector
from causal_tasks.subpopulations.ratio import Ratio


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
        propensity: By treatment, shape (n,): probability of being treated for users in control or that treatment;
            None: arms were dealt at random.
        clusters: Shape (n,), codes 0, 1, …; None: all users are independent.
        denominator: Shape (n,), ``Ratio.relative_denominator`` of an outcome that is a linearised ratio; None: it is
            none.
        overlap: Propensities between which users have somebody alike in the other arm.
    """

    features: pd.DataFrame
    outcome: Vector
    arm: NDArray[np.intp]
    arms: tuple[Any, ...]
    discovery: Mask
    means: Vector
    shares: Mapping[Any, float]
    propensity: Mapping[Any, Vector] | None
    clusters: NDArray[np.intp] | None
    denominator: Vector | None = None
    overlap: tuple[float, float] = OVERLAP

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
        propensity: pd.DataFrame | None,
        clusters: ArrayLike | None,
        ratio: Ratio | None = None,
        baseline: float = 0.0,
        overlap: tuple[float, float] = OVERLAP,
    ) -> Self:
        """The arguments of ``mine`` in one form; ``arms`` is control, then the treatments.

        Raises:
            InputError: Lengths differ, a value is missing, an arm is unknown, or has no discovery user where its mean
                is needed, or the outcome is not the linearisation of ``ratio`` around ``baseline``.
        """
        values = finite(outcome, name="outcome")
        labels = np.asarray(treatment, dtype=object)
        discovered = np.asarray(discovery, dtype=bool)
        require_equal_length(
            features=features,
            outcome=values,
            treatment=labels,
            discovery=discovered,
            means=means,
            propensity=propensity,
            clusters=clusters,
            numerator=None if ratio is None else ratio.numerator,
            denominator=None if ratio is None else ratio.denominator,
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
            propensity=None if propensity is None else _propensities(propensity, arm, arms),
            clusters=None if clusters is None else cluster_codes(clusters, rows=len(values)),
            denominator=None if ratio is None else ratio.relative_denominator(values, baseline=baseline),
            overlap=overlap,
        )

    @property
    def randomized(self) -> bool:
        """Whether arms were dealt at random."""
        return self.propensity is None

    @property
    def smallest_share(self) -> float:
        """Share of users that the design gives the smallest arm."""
        shares = [self.shares[arm] for arm in self.arms]
        return min(shares) / sum(shares)

    def treated(self, treatment: Any) -> Mask:
        """Who is in ``treatment``, shape (n,)."""
        treated: Mask = self.arm == self.arms.index(treatment)
        return treated

    def pair(self, treatment: Any) -> Mask:
        """Who is in control or ``treatment``, shape (n,)."""
        pair: Mask = (self.arm == 0) | self.treated(treatment)
        return pair

    def comparable(self, treatment: Any, *, discovery: bool = False) -> Mask:
        """The users of one part that show the effect of ``treatment``: in it or in control, and inside the overlap."""
        rows = self.pair(treatment) & (self.discovery if discovery else ~self.discovery)
        if self.propensity is None:
            return rows
        probability = self.propensity[treatment]
        return rows & (probability >= self.overlap[0]) & (probability <= self.overlap[1])

    def trimmed(self, treatment: Any) -> int:
        """Estimation users in control or ``treatment`` that are left out because nobody alike is in the other arm."""
        return int((self.pair(treatment) & ~self.discovery).sum() - self.comparable(treatment).sum())

    def probability(self, treatment: Any, rows: Mask) -> float | Vector:
        """Of ``treatment`` among control and it: one number for all, or one for each of ``rows``."""
        if self.propensity is not None:
            return self.propensity[treatment][rows]
        share = self.shares[treatment]
        return share / (share + self.shares[self.arms[0]])

    def clusters_of(self, rows: Mask) -> NDArray[np.intp] | None:
        """The clusters of ``rows``; None where all users are independent."""
        return None if self.clusters is None else self.clusters[rows]

    def independent(self, rows: Mask, treatment: Any) -> tuple[int, int]:
        """Users of ``rows``, or their clusters, in control and in ``treatment``."""
        treated = self.treated(treatment)
        return self._independent(rows & (self.arm == 0)), self._independent(rows & treated)

    def scores(self, treatment: Any, rows: Mask) -> Scores:
        """The doubly robust scores of ``rows``, all of them in control or ``treatment``."""
        return Scores.of(
            self.outcome[rows],
            self.treated(treatment)[rows],
            self.means[rows, 0],
            self.means[rows, self.arms.index(treatment)],
            self.probability(treatment, rows),
            clusters=self.clusters_of(rows),
            denominator=None if self.denominator is None else self.denominator[rows],
        )

    def _independent(self, rows: Mask) -> int:
        return int(rows.sum()) if self.clusters is None else len(np.unique(self.clusters[rows]))


def require_equal_length(**columns: Any) -> None:
    """Compare lengths of named columns; None has any length.

    Raises:
        InputError: They differ.
    """
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


def _propensities(propensity: pd.DataFrame, arm: NDArray[np.intp], arms: tuple[Any, ...]) -> dict[Any, Vector]:
    absent = [label for label in arms[1:] if label not in propensity.columns]
    if absent:
        raise InputError(
            f"propensity: no column for treatments {absent}",
            remedy="pass one column of probabilities for each treatment",
        )
    found = {label: propensity[label].to_numpy(dtype=np.float64, na_value=np.nan) for label in arms[1:]}
    for position, (label, column) in enumerate(found.items(), start=1):
        needed = column[(arm == 0) | (arm == position)]
        wrong = int((~((needed >= 0) & (needed <= 1))).sum())
        if wrong:
            raise InputError(
                f"propensity: {wrong} users in control or {label!r} have no probability between 0 and 1",
                remedy="pass the probability of treatment of every user in control or the treatment",
            )
    return found
