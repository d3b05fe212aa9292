"""What a learner learns from: features, outcomes and arms of users, checked and in one form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.base_models import BaseModel, DesignMatrix, StoredDesign, fit_model
from causal_tasks.effects.arguments import Arms, cluster_codes, finite, read_arms
from causal_tasks.errors import InputError

Design = DesignMatrix | StoredDesign

_SMALLEST_ARM = 2

_FARTHEST_MEAN = 1e5
"""Standard deviations: at an outcome this far from zero predictions of 32 bits are rounded to 0.6 % of one."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Checked arguments of ``fit``.

    Attributes:
        X: Features, n rows.
        outcome: Shape (n,), finite.
        arm: Shape (n,), 0 for control, k for ``labels[k]``.
        labels: Control first.
        propensity: Share of each arm, shape (K + 1,); None: unknown.
        weight: Shape (n,); None weighs every row alike.
        clusters: Shape (n,), codes of groups that depend on each other; None: every row its own.
    """

    X: Design
    outcome: NDArray[np.float64]
    arm: NDArray[np.intp]
    labels: tuple[Any, ...]
    propensity: NDArray[np.float64] | None
    weight: NDArray[np.float64] | None
    clusters: NDArray[np.intp] | None

    @classmethod
    def checked(
        cls,
        X: Any,
        outcome: ArrayLike,
        treatment: ArrayLike,
        *,
        control: Any,
        propensity: Mapping[Any, float] | None,
        sample_weight: ArrayLike | None,
        clusters: ArrayLike | None,
    ) -> Self:
        """The arguments of ``UpliftLearner.fit`` in one form.

        Raises:
            InputError: As for ``UpliftLearner.fit``.
        """
        design = X if isinstance(X, StoredDesign) else DesignMatrix.of(X)
        if outcome is None:
            # In the words of scikit-learn, whose pipelines and searches hand the outcome over as y.
            raise InputError(
                "fit requires y to be passed, but the target y is None", remedy="pass one outcome per row of X"
            )
        arms = read_arms(treatment, control=control)
        values = finite(outcome, name="outcome")
        _require_resolution(values)
        weight = None if sample_weight is None else finite(sample_weight, name="sample_weight")
        lengths = {len(design), len(values), len(arms.codes), *(() if weight is None else (len(weight),))}
        if len(lengths) > 1:
            raise InputError(f"X, outcome, treatment and weight have {sorted(lengths)} rows", remedy="align them")
        for label, rows in zip(arms.labels, np.bincount(arms.codes), strict=True):
            if rows < _SMALLEST_ARM:
                raise InputError(
                    f"treatment: arm {label!r} has {rows} row(s)", remedy="leave out arms with fewer than two rows"
                )
        if weight is not None:
            _require_weights(weight, arms)
        if empty := design.empty_columns:
            raise InputError(f"the features {empty} have no value in any row", remedy="leave them out")
        codes = None if clusters is None else cluster_codes(clusters, rows=len(values))
        return cls(design, values, arms.codes, arms.labels, _shares(propensity, arms.labels), weight, codes)

    def fitted(self, base_model: BaseModel, rows: NDArray[np.intp], outcome: NDArray[Any]) -> BaseModel:
        """A clone of the base model, fitted on ``outcome``, shape (m,), of the users at positions ``rows``."""
        weight = None if self.weight is None else self.weight[rows]
        return fit_model(base_model, self.X.take(rows), np.asarray(outcome, dtype=np.float64), weight)

    def rows_of(self, *arms: int) -> NDArray[np.intp]:
        """Positions of the users in these arms."""
        return np.flatnonzero(np.isin(self.arm, arms))


def _require_resolution(outcome: NDArray[np.float64]) -> None:
    """Refuse outcomes whose differences are lost beside their size, where predictions have 32 bits."""
    if not len(outcome) or not np.ptp(outcome):
        return
    mean, spread = float(outcome.mean()), float(outcome.std())
    if spread * _FARTHEST_MEAN < abs(mean):
        raise InputError(
            f"outcome: the mean {mean:.6g} is {abs(mean) / spread:.2g} times the standard deviation {spread:.3g}, so "
            "that effects would be lost in rounding",
            remedy="subtract a constant from every outcome",
        )


def _require_weights(weight: NDArray[np.float64], arms: Arms) -> None:
    if (weight < 0).any():
        raise InputError(
            f"sample_weight is negative in {int((weight < 0).sum())} rows (first: row {np.argmax(weight < 0)})",
            remedy="give every row a weight of zero or more",
        )
    for label, total in zip(arms.labels, np.bincount(arms.codes, weights=weight), strict=True):
        if not total:
            raise InputError(
                f"sample_weight is zero in all rows of arm {label!r}", remedy="leave the arm out, or weigh its rows"
            )


def _shares(propensity: Mapping[Any, float] | None, labels: tuple[Any, ...]) -> NDArray[np.float64] | None:
    if propensity is None:
        return None
    if set(propensity) != set(labels):
        raise InputError(
            f"propensity names the arms {list(propensity)}, treatment has {list(labels)}",
            remedy="give the share of every arm that has users, and of no other",
        )
    shares = np.array([propensity[label] for label in labels], dtype=np.float64)
    if not ((shares > 0) & (shares < 1)).all():
        raise InputError(
            f"propensity has the shares {shares.tolist()}", remedy="give every arm a share between 0 and 1"
        )
    return shares
