"""Tests of whether arms are alike where the treatment cannot have made them differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import chdtrc, ndtr

from causal_tasks.errors import InputError

Floats = npt.NDArray[np.float64]


def goodness_of_fit(observed: Sequence[int], shares: Sequence[float]) -> float:
    """The p-value of counts under expected shares (Pearson's chi-square), both by arm and above zero in total."""
    counts = np.asarray(observed, dtype=np.float64)
    expected = counts.sum() * np.asarray(shares)
    return float(chdtrc(len(counts) - 1, ((counts - expected) ** 2 / expected).sum()))


def homogeneity(dropped: Sequence[int], reached: Sequence[int]) -> float:
    """The p-value of one dropping share in all arms (Pearson's chi-square), 1 where all or none were dropped.

    Args:
        dropped: Units dropped by arm.
        reached: Units that might have been; arms without any do not count.
    """
    counts, totals = np.asarray(dropped, dtype=np.float64), np.asarray(reached, dtype=np.float64)
    counts, totals = counts[totals > 0], totals[totals > 0]
    if len(totals) < 2 or counts.sum() in {0, totals.sum()}:
        return 1.0
    share = counts.sum() / totals.sum()
    statistic = ((counts - share * totals) ** 2 / (totals * share * (1 - share))).sum()
    return float(chdtrc(len(totals) - 1, statistic))


def symmetry(transitions: Mapping[str, Mapping[str, int]]) -> float:
    """The p-value of units moving from a to b as often as from b to a, for all pairs (Bowker 1948); 1 where none moved.

    Args:
        transitions: Units by first and second arm.
    """
    arms = sorted({*transitions, *(second for seconds in transitions.values() for second in seconds)})
    table = np.array([[transitions.get(a, {}).get(b, 0) for b in arms] for a in arms], dtype=np.float64)
    table = table.reshape(len(arms), len(arms))
    upper = np.triu_indices(len(arms), 1)
    forth, back = table[upper], table.T[upper]
    moved = forth + back > 0
    if not moved.any():
        return 1.0
    statistic = ((forth - back)[moved] ** 2 / (forth + back)[moved]).sum()
    return float(chdtrc(moved.sum(), statistic))


@dataclass(frozen=True, slots=True)
class Arms:
    """Who is in which arm, and whose fate is tied to whose.

    Attributes:
        names: Control first.
        codes: Position in ``names``, shape (n,).
        clusters: Codes 0, 1, … of the groups that were randomised together, shape (n,).
        clustered: Whether a cluster may hold several units.
    """

    names: tuple[str, ...]
    codes: npt.NDArray[np.intp]
    clusters: npt.NDArray[np.intp]
    clustered: bool

    @classmethod
    def of(cls, users: pd.DataFrame, names: tuple[str, ...]) -> "Arms":
        """The arms of a ``users`` frame: columns ``arm`` and, where units were randomised in groups, ``cluster``.

        Raises:
            InputError: A unit has no cluster.
        """
        codes = pd.Categorical(users["arm"], categories=list(names)).codes.astype(np.intp)
        clustered = "cluster" in users
        clusters = pd.factorize(users["cluster"])[0] if clustered else np.arange(len(users))
        if (clusters < 0).any():
            raise InputError(
                f"{int((clusters < 0).sum())} of {len(users)} analysed units have no cluster",
                remedy="fill the cluster column of the assignments table, or leave experiment.cluster out",
            )
        return cls(names, codes, clusters, clustered)

    @property
    def units(self) -> dict[str, int]:
        """Units by arm."""
        return self.count(np.ones(len(self.codes), dtype=bool))

    @property
    def independent_units(self) -> dict[str, int]:
        """Clusters by arm: what was randomised."""
        return self.count_independent(np.ones(len(self.codes), dtype=bool))

    def count_independent(self, rows: npt.NDArray[np.bool_]) -> dict[str, int]:
        """Clusters by arm among ``rows``, a mask of shape (n,)."""
        seen = np.bincount(self._cells[rows], minlength=len(self.names) * (self.clusters.max(initial=-1) + 1)) > 0
        return dict(zip(self.names, seen.reshape(-1, len(self.names)).sum(axis=0).tolist(), strict=True))

    def count(self, rows: npt.NDArray[np.bool_]) -> dict[str, int]:
        """Units by arm among ``rows``, a mask of shape (n,)."""
        return dict(zip(self.names, np.bincount(self.codes[rows], minlength=len(self.names)).tolist(), strict=True))

    def difference_p_values(self, values: Floats) -> dict[str, float]:
        """By treatment, the p-value of its mean against the control's, large samples.

        Variances differ by arm and are those of cluster sums. 1 where an arm is too small to tell.

        Args:
            values: Shape (n,); missing ones are left out.
        """
        rows = ~np.isnan(values)
        codes, known, n_arms = self.codes[rows], values[rows], len(self.names)
        counts = np.bincount(codes, minlength=n_arms)
        means = np.bincount(codes, known, minlength=n_arms) / np.maximum(counts, 1)
        residuals = known - means[codes]
        if self.clustered:
            squares, groups = self._cluster_squares(residuals, rows)
        else:
            squares, groups = np.bincount(codes, residuals**2, minlength=n_arms).astype(np.float64), counts
        variances = squares / np.maximum(counts, 1) ** 2 * groups / np.maximum(groups - 1, 1)
        enough = groups > 1
        return {
            name: two_sided(means[arm] - means[0], variances[arm] + variances[0]) if enough[arm] and enough[0] else 1.0
            for arm, name in enumerate(self.names)
            if arm > 0
        }

    def _cluster_squares(self, residuals: Floats, rows: npt.NDArray[np.bool_]) -> tuple[Floats, npt.NDArray[np.intp]]:
        """By arm, the sum of squares of the clusters' sums, and how many clusters there are, among ``rows``."""
        cells, n_arms = self._cells[rows], len(self.names)
        n_cells = n_arms * (self.clusters.max(initial=-1) + 1)
        sums = np.bincount(cells, residuals, minlength=n_cells).reshape(-1, n_arms)
        groups = np.bincount(cells, minlength=n_cells).reshape(-1, n_arms) > 0
        return (sums**2).sum(axis=0), groups.sum(axis=0)

    @property
    def _cells(self) -> npt.NDArray[np.intp]:
        cells: npt.NDArray[np.intp] = self.clusters * len(self.names) + self.codes
        return cells


def two_sided(difference: float, variance: float) -> float:
    """The p-value of a difference whose variance is known, large samples; without variance 1 for none, else 0."""
    if variance == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * ndtr(-abs(difference) / np.sqrt(variance)))
