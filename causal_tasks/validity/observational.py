"""Comparisons that nobody randomised: matched on the propensity, with the proof of what was compared with what.

The propensity of a discovery user comes from models of the other discovery folds, that of an estimation user from all
of them, so that no later stage meets a number that has seen what it judges. Outcomes play no part in any of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.data.columns import pre_window_columns
from causal_tasks.effects.balance import standardized_mean_differences
from causal_tasks.effects.effect import Effect
from causal_tasks.effects.matched_effect import matched_effect
from causal_tasks.effects.matched_units import MatchedUnits, match_in_buckets
from causal_tasks.effects.propensity import cross_fitted_propensity
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.validity.feature_checks import Screening
from causal_tasks.validity.grading import Check, grade
from causal_tasks.validity.metric_values import values_of
from causal_tasks.validity.variation import is_constant

PLACEBO_P_VALUE = 0.05
"""p-value of a matched difference before exposure below which matching has failed."""

FEWEST_BUCKETS, MOST_BUCKETS = 20, 500
TREATED_PER_BUCKET = 100
"""Treated users of a bucket; the finer the buckets, the less is left of the bias, and large samples would show it."""

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ObservationalDesign:
    """What stands in for randomisation.

    Attributes:
        propensity: Rows as ``users``: ``unit`` and for every treatment T ``propensity__T``, ``kept__T``, ``weight__T``.
        balance: By treatment, see ``docs/reference-stages.md``.
        checks: ``overlap``, ``matched_sample``, ``balance_after_matching`` and ``placebo`` of every treatment.
    """

    propensity: pd.DataFrame
    balance: dict[str, dict[str, Any]]
    checks: list[Check]


@dataclass(frozen=True, slots=True)
class _Compared:
    """One treatment beside the control.

    Attributes:
        rows: Shape (users,), who is in either.
        propensity: Shape (users,), of everybody.
        units: Those in either arm, matched.
        covariates: Of the same units.
        buckets: Into which their propensities were cut.
        notes: Codes.
        problem: Why nobody could be matched; None where somebody was.
    """

    rows: Mask
    propensity: Floats
    units: MatchedUnits
    covariates: pd.DataFrame
    buckets: int
    notes: tuple[str, ...] = ()
    problem: str | None = None


def confounders(names: Sequence[str], screening: Screening) -> list[str]:
    """Features that are adjusted for: all that are used, and sensitive ones, which no rule may show.

    Leaving those out would leave their bias in; of them the balance table tells shares and means, nothing about a user.

    Args:
        names: All features.
        screening: Which of them are used, and why the others are not.
    """
    return [name for name in names if screening.dropped.get(name, "sensitive_feature") == "sensitive_feature"]


def observational_design(
    users: pd.DataFrame, features: Sequence[str], experiment: Experiment, *, n_jobs: int = 1
) -> ObservationalDesign:
    """Match every treatment with the control.

    Args:
        users: One row per analysed unit: ``unit, arm, part, fold``, ``cluster`` where the experiment names one, the
            features, and the primary metric's pre-window where there is one.
        features: Known before exposure; what is not among them is not adjusted for.
        experiment: Names arms, primary metric and bounds.
        n_jobs: Threads of a fit; the result does not depend on it.
    """
    columns: dict[str, Any] = {"unit": users["unit"]}
    balance: dict[str, dict[str, Any]] = {}
    checks: list[Check] = []
    for treatment in experiment.treatments:
        compared = _compared(users, list(features), treatment, experiment, n_jobs)
        placebo = _placebo(users, compared, experiment)
        record = _record(compared, placebo)
        kept, weight = np.zeros(len(users), dtype=bool), np.zeros(len(users))
        kept[compared.rows], weight[compared.rows] = compared.units.kept, compared.units.weights
        columns |= {
            f"propensity__{treatment}": compared.propensity,
            f"kept__{treatment}": kept,
            f"weight__{treatment}": weight,
        }
        balance[treatment] = record
        checks += _checks(treatment, compared, record, placebo, experiment)
    return ObservationalDesign(pd.DataFrame(columns), balance, checks)


def _compared(
    users: pd.DataFrame, features: list[str], treatment: str, experiment: Experiment, n_jobs: int
) -> _Compared:
    rows = users["arm"].isin([experiment.control, treatment]).to_numpy()
    treated = (users["arm"][rows] == treatment).to_numpy()
    covariates = users.loc[rows, features]
    buckets = int(np.clip(treated.sum() // TREATED_PER_BUCKET, FEWEST_BUCKETS, MOST_BUCKETS))
    try:
        chance, notes = _propensity(users, features, treatment, rows, experiment, n_jobs)
    except InputError as error:
        # A finding about the experiment, which the check on overlap tells: nobody is matched, and the run goes on.
        chance = np.full(len(users), treated.mean())
        nobody = MatchedUnits(chance[rows], treated, np.zeros_like(treated), np.full(len(treated), -1))
        return _Compared(rows, chance, nobody, covariates, buckets, problem=error.message)
    least = experiment.thresholds.propensity
    units = match_in_buckets(chance[rows], treated, buckets=buckets, overlap=(least, 1 - least))
    return _Compared(rows, chance, units, covariates, buckets, notes)


def _propensity(
    users: pd.DataFrame, features: list[str], treatment: str, rows: Mask, experiment: Experiment, n_jobs: int
) -> tuple[Floats, tuple[str, ...]]:
    """Probability of ``treatment`` against control of everybody, shape (users,), by models of discovery users."""
    discovery = rows & (users["part"] == "discovery").to_numpy()
    found = cross_fitted_propensity(
        users.loc[discovery, features],
        users["arm"][discovery] == treatment,
        folds=users["fold"][discovery].to_numpy(),
        n_jobs=n_jobs,
        seed=experiment.mining.seed,
    )
    chance = np.empty(len(users))
    chance[discovery] = found.values
    chance[~discovery] = found.predict(users.loc[~discovery, features])
    return chance, found.notes


def _placebo(users: pd.DataFrame, compared: _Compared, experiment: Experiment) -> Effect | None:
    """The matched effect on the primary metric before exposure; None where nothing can be seen there."""
    columns = pre_window_columns(experiment.primary)
    if not experiment.window.pre_days or compared.problem:
        return None
    values = values_of(users, columns)[compared.rows]
    if experiment.primary.is_ratio:
        values = values / np.nanmean(users[columns[1]].to_numpy(dtype=np.float64, na_value=np.nan))
    known = ~np.isnan(values)
    if is_constant(values[known]):
        return None
    clusters = pd.factorize(users["cluster"][compared.rows])[0][known] if "cluster" in users else None
    units = compared.units
    effect = matched_effect(values[known], units.treated[known], units.stratum[known], clusters=clusters)
    return effect if np.isfinite(effect.p_value) else None


def _record(compared: _Compared, placebo: Effect | None) -> dict[str, Any]:
    """What the report shows of one treatment."""
    units = compared.units
    covariates = _balance(compared)
    told = None if placebo is None else placebo.to_dict()
    return {
        "method": "buckets",
        "buckets": compared.buckets,
        "n_treatment": int(units.treated.sum()),
        "n_control": int((~units.treated).sum()),
        "matched_treatment": units.n_treatment,
        "matched_control": units.n_control,
        "effective_control": units.effective_control,
        "trimmed": units.trimmed,
        "overlap": units.overlap,
        "covariates": covariates,
        "worst_after": max((abs(row["after"]) for row in covariates), default=0.0),
        "placebo": told and {name: told[name] for name in ("estimate", "standard_error", "interval", "p_value")},
        "notes": list(compared.notes),
    }


def _balance(compared: _Compared) -> list[dict[str, Any]]:
    """Differences before and after matching, worst before first; where nobody was matched both are the same."""
    units, covariates = compared.units, compared.covariates
    if not len(covariates.columns) or min(units.treated.sum(), (~units.treated).sum()) < 2:
        return []
    if units.matched.any():
        return _records(units.balance(covariates))
    plain = standardized_mean_differences(covariates, units.treated).rename(columns={"difference": "before"})
    return _records(plain.assign(after=plain["before"]).sort_values("before", key=abs, ascending=False, kind="stable"))


def _records(balance: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in balance.to_dict("records")]


def _checks(
    treatment: str, compared: _Compared, record: dict[str, Any], placebo: Effect | None, experiment: Experiment
) -> list[Check]:
    bounds = experiment.thresholds
    trimmed = grade(
        "overlap",
        record["trimmed"]["share"],
        fail=bounds.trimmed,
        subject=treatment,
        details={"trimmed": record["trimmed"], **({"problem": compared.problem} if compared.problem else {})},
    )
    matched = grade(
        "matched_sample",
        min(record["matched_treatment"], round(record["effective_control"])),
        fail=bounds.effective_units,
        lower_is_worse=True,
        subject=treatment,
        details={name: record[name] for name in ("matched_treatment", "matched_control", "effective_control")},
    )
    worst = max(record["covariates"], key=lambda row: abs(row["after"]), default=None)
    balance = grade(
        "balance_after_matching",
        record["worst_after"],
        warn=bounds.imbalance_warn,
        fail=bounds.imbalance_fail,
        subject=treatment,
        details={"worst": worst["feature"], "level": worst["level"], "buckets": record["buckets"]} if worst else {},
    )
    return [trimmed, matched, balance, _placebo_check(treatment, placebo)]


def _placebo_check(treatment: str, placebo: Effect | None) -> Check:
    """Balance of what is known says nothing about what is not: only a test on the time before does."""
    if placebo is None:
        return Check("placebo", "warn", treatment)
    return grade(
        "placebo",
        placebo.p_value,
        fail=PLACEBO_P_VALUE,
        lower_is_worse=True,
        subject=treatment,
        details={"estimate": placebo.estimate, "interval": list(placebo.interval)},
    )
