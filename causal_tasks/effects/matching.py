"""The effect of a treatment that nobody drew lots for: treated units beside control units of like propensity."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.effects.arguments import Codes, Floats, cluster_codes, finite, probabilities, treated_mask
from causal_tasks.effects.covariates import read_covariates
from causal_tasks.effects.effect import Effect
from causal_tasks.effects.matched_effect import matched_effect
from causal_tasks.effects.matched_units import OVERLAP, MatchedUnits, match_in_buckets, match_nearest
from causal_tasks.effects.propensity import cross_fitted_propensity
from causal_tasks.errors import InputError

BUCKETS = 20
"""Buckets from which on what is left of the bias is small; five pass a balance table and are still off."""

CALIPER = 0.2
BALANCED = 0.1
"""Standardised mean difference below which a covariate counts as balanced."""

Method = Literal["buckets", "nearest"]


@dataclass(frozen=True, slots=True)
class Matching:
    """What matching on the propensity found, and the proof that what it compared was alike.

    Attributes:
        effect: Average effect on the treated units that were matched.
        did: The same of the change since ``pre_outcome``; None without one.
        balance: ``feature, level, before, after``: standardised mean differences, worst before first; ``level`` is None
            for a number, ``missing`` for units without a value.
        matched: Units that were compared: ``treatment``, ``control``, and ``effective_control``, as many controls of
            equal weight as would tell as much.
        trimmed: Units whose propensity lies outside the overlap: ``treatment``, ``control`` and their ``share``.
        overlap: Histogram of propensities: ``edges`` and counts in ``treatment`` and ``control``.
        placebo: The same comparison of ``pre_outcome``: an effect of a treatment that had not begun, so that an
            interval without zero tells of confounders that are not among the covariates. None without one.
        propensity: Shape (n,).
        weights: Shape (n,): 1 for a matched treated unit, at least 0 for a control, 0 for whoever was not matched.
        notes: Codes: ``no_placebo`` (balance alone does not show that confounders are controlled for),
            ``placebo_failed``, ``unbalanced`` (a difference of 0.1 or more is left), ``few_buckets``,
            ``unmatched_treatment: n``, and those of ``cross_fitted_propensity``.
    """

    effect: Effect
    did: Effect | None
    balance: pd.DataFrame
    matched: dict[str, float]
    trimmed: dict[str, Any]
    overlap: dict[str, list[float]]
    placebo: Effect | None
    propensity: Floats
    weights: Floats
    notes: tuple[str, ...]

    @property
    def worst_difference(self) -> float:
        """The largest absolute standardised mean difference after matching."""
        return float(self.balance["after"].abs().max())


def match_on_propensity(
    outcome: npt.ArrayLike,
    treatment: npt.ArrayLike,
    covariates: Any,
    *,
    control: Any = None,
    method: Method = "buckets",
    buckets: int = BUCKETS,
    caliper: float = CALIPER,
    overlap: tuple[float, float] = OVERLAP,
    propensity: npt.ArrayLike | None = None,
    pre_outcome: npt.ArrayLike | None = None,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Matching:
    """Compare treated with control units whose probability of being treated was alike.

    ``buckets`` cuts the propensities at quantiles of the treated and weighs the controls of each bucket to the number
    of its treated. ``nearest`` pairs every treated unit with one control of its own.

    Right only if the covariates hold everything that decided about both treatment and outcome. A table of balanced
    covariates cannot show that: five buckets pass one and leave a tenth of the bias. So use 20 buckets or more, and
    hand over ``pre_outcome``: the same outcome before exposure, not among the covariates, must not differ between
    matched arms.

    Args:
        outcome: Shape (n,), any unit.
        treatment: Shape (n,), two arm labels.
        covariates: DataFrame of n rows, or numbers of shape (n, p), known before exposure; missing values and
            categories allowed.
        control: Label of the control arm; None: 0 or False.
        method: ``buckets`` or ``nearest``.
        buckets: Number of buckets.
        caliper: Of ``nearest``: largest distance within a pair, in standard deviations of the log odds.
        overlap: Units with a propensity outside are compared with nobody.
        propensity: Shape (n,), known or cross-fitted by the caller; None: :func:`cross_fitted_propensity`.
        pre_outcome: Shape (n,), the outcome before exposure, on the same scale; None: there is none.
        clusters: Shape (n,), groups that repeat together; None: units are independent.
        level: Coverage of the intervals.
        seed: Of folds, models, and the order of equal propensities.

    Raises:
        InputError: Fewer than three units of an arm have any like them in the other one, the method is unknown, or as
            for :func:`cross_fitted_propensity`.

    Source: Rosenbaum, Rubin (1983); strata: Rosenbaum, Rubin (1984); error: Abadie, Imbens (2006).

    Examples:
        >>> outcome, treated, age = [1.0, 2.0, 1.5, 9.0, 2.0, 3.0, 2.5, 9.5], [0, 0, 0, 0, 1, 1, 1, 1], [3, 4, 3, 9] * 2
        >>> likely = [0.3, 0.3, 0.3, 0.7, 0.3, 0.3, 0.3, 0.7]
        >>> found = match_on_propensity(outcome, treated, age, propensity=likely)
        >>> found.effect.estimate, found.matched["treatment"], found.notes
        (0.875, 4, ('no_placebo',))
    """
    values = finite(outcome, name="outcome")
    treated = treated_mask(treatment, control=control, rows=len(values))
    known = read_covariates(covariates, rows=len(values))
    independent = None if clusters is None else cluster_codes(clusters, rows=len(values))
    notes: list[str] = []
    if propensity is None:
        estimated = cross_fitted_propensity(known, treated, clusters=independent, seed=seed)
        chance, notes = estimated.values, list(estimated.notes)
    else:
        chance = np.broadcast_to(probabilities(propensity, rows=len(values)), values.shape)
    if method == "buckets":
        units = match_in_buckets(chance, treated, buckets=buckets, overlap=overlap)
        notes += [f"few_buckets: {buckets}"] if buckets < BUCKETS else []
    elif method == "nearest":
        units = match_nearest(chance, treated, caliper=caliper, overlap=overlap, seed=seed)
    else:
        raise InputError(f"method is {method!r}", remedy="use buckets or nearest")
    before = None if pre_outcome is None else finite(pre_outcome, name="pre_outcome")
    return _matching(values, before, known, units, clusters=independent, level=level, notes=notes)


def _matching(
    values: Floats,
    before: Floats | None,
    covariates: pd.DataFrame,
    units: MatchedUnits,
    *,
    clusters: Codes | None,
    level: float,
    notes: list[str],
) -> Matching:
    def compared(outcome: Floats, **options: Any) -> Effect:
        return matched_effect(outcome, units.treated, units.stratum, clusters=clusters, level=level, **options)

    effect = compared(values)
    if np.isnan(effect.estimate):
        raise InputError(
            f"treatment: {units.n_treatment} treated and {units.n_control} control units have any like them in the "
            f"other arm ({', '.join(effect.notes)})",
            remedy="covariates tell the arms apart: compare units that could have been in either, or leave out a "
            "covariate that is the treatment by another name",
        )
    placebo = None if before is None else compared(before)
    balance = units.balance(covariates)
    found = (*notes, *_warnings(units, balance, placebo))
    return Matching(
        effect=replace(effect, notes=found),
        did=None if before is None else compared(values, pre_outcome=before),
        balance=balance,
        matched={
            "treatment": units.n_treatment,
            "control": units.n_control,
            "effective_control": units.effective_control,
        },
        trimmed=units.trimmed,
        overlap=units.overlap,
        placebo=placebo,
        propensity=units.propensity,
        weights=units.weights,
        notes=found,
    )


def _warnings(units: MatchedUnits, balance: pd.DataFrame, placebo: Effect | None) -> list[str]:
    unmatched = int(units.treated.sum()) - units.n_treatment
    warnings = {
        f"unmatched_treatment: {unmatched}": unmatched > 0,
        "unbalanced": bool((balance["after"].abs() >= BALANCED).any()),
        "no_placebo": placebo is None,
        "placebo_failed": placebo is not None and not placebo.interval[0] <= 0 <= placebo.interval[1],
    }
    return [code for code, holds in warnings.items() if holds]
