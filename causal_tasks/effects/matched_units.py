"""Which treated units are compared with which control units: those whose chance of being treated was alike."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.effects.arguments import Codes, Floats, Mask
from causal_tasks.effects.balance import standardized_mean_differences
from causal_tasks.effects.nearest_neighbour import nearest_pairs
from causal_tasks.errors import InputError

OVERLAP = (0.05, 0.95)
"""Probabilities of treatment outside of which a unit has hardly any like it in the other arm."""

HISTOGRAM_EDGES = np.linspace(0, 1, 21)


@dataclass(frozen=True)
class MatchedUnits:
    """Units of control and one treatment, matched without a look at any outcome.

    Attributes:
        propensity: Shape (n,), probability of treatment.
        treated: Shape (n,).
        kept: Shape (n,), whether the probability lies where both arms have units.
        stratum: Shape (n,), code of the group of like units; -1 for units that nothing is compared with.
    """

    propensity: Floats
    treated: Mask
    kept: Mask
    stratum: Codes

    @cached_property
    def weights(self) -> Floats:
        """Shape (n,): 1 for a matched treated unit, for a control at least 0, for whoever is not matched 0."""
        return treated_distribution(self.stratum, self.treated)

    @property
    def matched(self) -> Mask:
        """Shape (n,), whether the unit is compared with any."""
        return self.stratum >= 0

    @property
    def n_treatment(self) -> int:
        """Treated units that are matched."""
        return int((self.matched & self.treated).sum())

    @property
    def n_control(self) -> int:
        """Control units that are matched."""
        return int((self.matched & ~self.treated).sum())

    @property
    def effective_control(self) -> float:
        """Equally weighted control units that would tell as much as the matched ones (Kish 1965)."""
        weights = self.weights[~self.treated]
        squares = float((weights**2).sum())
        return float(weights.sum()) ** 2 / squares if squares else 0.0

    @property
    def trimmed(self) -> dict[str, Any]:
        """Units outside the overlap, by arm and as a share of all."""
        lost = ~self.kept
        return {
            "treatment": int((lost & self.treated).sum()),
            "control": int((lost & ~self.treated).sum()),
            "share": float(lost.mean()),
        }

    @property
    def overlap(self) -> dict[str, list[float]]:
        """Histogram of the probabilities by arm, trimmed units included."""
        counts = {
            name: np.histogram(self.propensity[arm], HISTOGRAM_EDGES)[0].tolist()
            for name, arm in (("treatment", self.treated), ("control", ~self.treated))
        }
        return {"edges": [round(float(edge), 2) for edge in HISTOGRAM_EDGES], **counts}

    def balance(self, covariates: pd.DataFrame) -> pd.DataFrame:
        """Standardised mean differences ``before`` and ``after`` matching by ``feature`` and ``level``, worst first.

        Args:
            covariates: n rows.

        Raises:
            InputError: Nobody is matched.
        """
        before = standardized_mean_differences(covariates, self.treated)
        after = standardized_mean_differences(covariates, self.treated, weights=self.weights)
        table = before.rename(columns={"difference": "before"}).assign(after=after["difference"])
        order = np.argsort(-table["before"].abs().to_numpy(), kind="stable")
        return table.iloc[order].reset_index(drop=True)


def match_in_buckets(
    propensity: Floats, treated: Mask, *, buckets: int, overlap: tuple[float, float] = OVERLAP
) -> MatchedUnits:
    """Cut the probabilities at quantiles of the treated and compare within each bucket.

    In a bucket of n treated and m control units every control has the weight n / m. Drawing n of the m at random, as
    is also done, has the same mean over draws and throws controls away; where m is below n it cannot be done at all.
    A bucket without control units leaves its treated ones unmatched; controls beyond the range of the treated are.

    Args:
        propensity: Shape (n,).
        treated: Shape (n,).
        buckets: Number of buckets, fewer where quantiles coincide.
        overlap: Probabilities outside of which nobody is compared.

    Raises:
        InputError: ``buckets`` is below 1, or ``overlap`` is no range of probabilities.
    """
    if buckets < 1:
        raise InputError(f"buckets is {buckets}", remedy="use 20 or more")
    kept = _within(propensity, overlap)
    stratum = np.full(len(propensity), -1, dtype=np.intp)
    if (kept & treated).any():
        edges = np.unique(np.quantile(propensity[kept & treated], np.linspace(0, 1, buckets + 1)))
        inside = kept & _within(propensity, (edges[0], edges[-1]))
        stratum[inside] = np.searchsorted(edges[1:-1], propensity[inside], side="right")
    return MatchedUnits(propensity, treated, kept, in_both_arms(stratum, treated))


def match_nearest(
    propensity: Floats, treated: Mask, *, caliper: float, overlap: tuple[float, float] = OVERLAP, seed: int = 0
) -> MatchedUnits:
    """Pair every treated unit with one control unit of its own, the nearest in log odds.

    Args:
        propensity: Shape (n,).
        treated: Shape (n,).
        caliper: Largest distance within a pair, in standard deviations of the log odds.
        overlap: Probabilities outside of which nobody is compared.
        seed: Of the order of equal probabilities.

    Raises:
        InputError: ``caliper`` is not positive, or ``overlap`` is no range of probabilities.

    Source: Austin (2011): 0.2 standard deviations of the log odds.
    """
    if not caliper > 0:
        raise InputError(f"caliper is {caliper}", remedy="use a positive number of standard deviations, such as 0.2")
    kept = _within(propensity, overlap)
    log_odds = np.log(propensity / (1 - propensity))
    units = np.flatnonzero(kept)
    stratum = np.full(len(propensity), -1, dtype=np.intp)
    if len(units):
        distance = caliper * float(log_odds.std())
        pairs = nearest_pairs(log_odds[units], treated[units], caliper=distance, seed=seed)
        for members in pairs:
            stratum[units[members]] = np.arange(len(members))
    return MatchedUnits(propensity, treated, kept, stratum)


def treated_distribution(stratum: Codes, treated: Mask) -> Floats:
    """Weights that give control units the treated units' distribution over strata, shape (n,); 0 in stratum -1.

    Args:
        stratum: Shape (n,), codes 0, 1, …, each with units of both arms, and -1.
        treated: Shape (n,).
    """
    n_treatment, n_control = _counts(stratum, treated)
    inside = stratum >= 0
    weights = np.zeros(len(stratum))
    weights[inside & treated] = 1.0
    controls = stratum[inside & ~treated]
    weights[inside & ~treated] = n_treatment[controls] / n_control[controls]
    return weights


def _counts(stratum: Codes, treated: Mask) -> tuple[Codes, Codes]:
    """Treated and control units of every stratum."""
    strata = int(stratum.max(initial=-1)) + 1
    inside = stratum >= 0
    treatment, control = (np.bincount(stratum[inside & arm], minlength=strata) for arm in (treated, ~treated))
    return treatment, control


def in_both_arms(stratum: Codes, treated: Mask) -> Codes:
    """``stratum``, shape (n,), with -1 in place of strata that have units of one arm only."""
    n_treatment, n_control = _counts(stratum, treated)
    useful = np.append((n_treatment > 0) & (n_control > 0), False)
    return np.where(useful[stratum], stratum, -1)


def _within(values: Floats, bounds: tuple[float, float]) -> Mask:
    low, high = bounds
    if not 0 <= low <= high <= 1:
        raise InputError(f"overlap is {bounds}", remedy="use two probabilities, the lower one first")
    inside: Mask = (values >= low) & (values <= high)
    return inside
