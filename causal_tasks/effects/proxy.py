"""A proxy: the outcome that a model expects of each unit, fitted without that unit and blind to the arm."""

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.effects.arguments import Codes, Floats, Mask, cluster_codes, finite, require_rows
from causal_tasks.effects.covariates import read_covariates
from causal_tasks.errors import InputError

if TYPE_CHECKING:
    from causal_tasks.base_models import BaseModel

Covariates: TypeAlias = npt.ArrayLike | pd.DataFrame

ROWS_PER_FIT = 200_000
"""Rows of the other half that a model is fitted on, at most: more of them hardly improve it."""

_ROWS_PER_PREDICTION = 100_000


def cross_fitted_proxy(
    outcome: npt.ArrayLike,
    covariates: Covariates,
    *,
    clusters: npt.ArrayLike | None = None,
    base_model: "BaseModel | None" = None,
    seed: int = 0,
    n_jobs: int = 1,
) -> Floats:
    """The outcome that is expected of each unit, by a model of the other half of the units.

    Clusters are dealt to two halves at random; each half is predicted by a model fitted on the other. The arm is no
    feature: whatever the treatment does to the mean, comparing arms given this proxy stays unbiased. Both halves'
    predictions have the mean of all outcomes, because the level by which two models differ is noise.

    Args:
        outcome: Shape (n,), any unit.
        covariates: Shape (n,) or (n, p), measured before exposure; numbers, or a DataFrame of numbers, categories and
            text. Missing values are allowed.
        clusters: Shape (n,), groups that were randomised or repeat together; None: units are independent.
        base_model: Unfitted; None: LightGBM with its defaults, but smaller leaves where there are few rows.
        seed: Deals the halves, chooses the rows where a half has more than 200,000, and seeds the default model.
        n_jobs: Threads of the default model.

    Returns:
        Shape (n,), in the outcome's unit.

    Raises:
        InputError: An outcome is not finite, a covariate is infinite, rows differ, or there is one cluster.

    Source: Tang, Huang, Kastelman, Bauman (2020), CUPAC; two-fold cross-fitting as in Guo et al. (2021).
    """
    values = finite(outcome, name="outcome")
    frame = read_covariates(covariates, rows=len(values))
    rng = np.random.default_rng(seed)
    second = _second_half(cluster_codes(clusters, rows=len(values)), rng)
    proxy = np.empty(len(values))
    for half in (second, ~second):
        unseen, learned = np.flatnonzero(half), np.flatnonzero(~half)
        if len(learned) > ROWS_PER_FIT:
            learned = np.sort(rng.choice(learned, ROWS_PER_FIT, replace=False))
        model = _unfitted(base_model, rows=len(learned), seed=seed, n_jobs=n_jobs)
        model.fit(frame.iloc[learned], values[learned])
        proxy[unseen] = _predicted(model, frame, unseen)
        proxy[unseen] += values.mean() - proxy[unseen].mean()
    return proxy


def read_proxy(
    values: Floats,
    treated: Mask,
    covariates: Covariates | None,
    proxy: npt.ArrayLike | None,
    *,
    clusters: Codes,
    base_model: "BaseModel | None",
    seed: int,
) -> Floats:
    """The proxy that an estimator was given, or one fitted on the covariates that it was given, shape (n,).

    Args:
        values: Outcomes, shape (n,).
        treated: Shape (n,).
        covariates: None where ``proxy`` is given.
        proxy: None where ``covariates`` are given.
        clusters: Codes 0, 1, …, shape (n,).
        base_model: As for :func:`cross_fitted_proxy`.
        seed: Likewise.

    Raises:
        InputError: Both or none are given, rows differ, a value is not finite, or the proxy is constant in an arm.
    """
    if proxy is not None and covariates is None:
        expected = finite(proxy, name="proxy")
        require_rows(len(expected), name="proxy", rows=len(values))
    elif covariates is not None and proxy is None:
        expected = cross_fitted_proxy(values, covariates, clusters=clusters, base_model=base_model, seed=seed)
    else:
        raise InputError(
            "both covariates and a proxy were given" if proxy is not None else "no covariates and no proxy were given",
            remedy="pass covariates, or the proxy that was fitted on them",
        )
    if not varies_in_each_arm(expected, treated):
        raise InputError("the proxy is constant in an arm", remedy="pass covariates that tell units apart")
    return expected


def varies_in_each_arm(values: Floats, treated: Mask) -> bool:
    """Whether each arm has two different values."""
    return all(np.ptp(values[arm]) > 0 for arm in (treated, ~treated))


def _second_half(clusters: Codes, rng: np.random.Generator) -> Mask:
    """Which units are in the second of two halves of whole clusters, shape (n,)."""
    count = int(clusters.max()) + 1
    if count < 2:
        raise InputError("all units are in one cluster", remedy="a proxy needs at least two clusters to cross-fit")
    second: Mask = (rng.permutation(count) % 2 == 1)[clusters]
    return second


def _unfitted(base_model: "BaseModel | None", *, rows: int, seed: int, n_jobs: int) -> Any:
    if base_model is not None:
        from sklearn.base import clone

        return clone(base_model)
    from causal_tasks.base_models import LightGBM

    # Leaves of a hundredth of the rows let small experiments learn something; 200 is the model's own default.
    return LightGBM(min_child_samples=int(np.clip(rows // 100, 20, 200)), n_jobs=n_jobs, random_state=seed)


def _predicted(model: "BaseModel", frame: pd.DataFrame, rows: Codes) -> Floats:
    """In pieces, so that no second copy of all covariates is needed."""
    pieces = np.array_split(rows, -(-len(rows) // _ROWS_PER_PREDICTION))
    return np.concatenate([model.predict(frame.iloc[piece]) for piece in pieces]).astype(np.float64)
