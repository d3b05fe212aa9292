"""Rows that teach several responses at once, though not every response of every row is known yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causal_tasks.base_models import DesignMatrix, StoredDesign
from causal_tasks.effects.arguments import finite, read_arms
from causal_tasks.errors import InputError
from causal_tasks.uplift.training_data import Design


@dataclass(frozen=True, slots=True)
class ResponseRows:
    """What several models learn from: n rows.

    Attributes:
        X: Features.
        outcomes: By key of a response, shape (n,), NaN where it is not known.
        treatment: Shape (n,).
        weight: Shape (n,), or None.
        clusters: Shape (n,), or None.
    """

    X: Design
    outcomes: Mapping[str, NDArray[np.float64]]
    treatment: NDArray[Any]
    weight: NDArray[np.float64] | None
    clusters: NDArray[Any] | None

    @classmethod
    def checked(
        cls,
        X: Any,
        outcomes: Mapping[str, Any],
        treatment: ArrayLike,
        sample_weight: ArrayLike | None,
        clusters: ArrayLike | None,
    ) -> Self:
        """The arguments in one form.

        Raises:
            InputError: Outcomes are no numbers, or lengths differ.
        """
        design = X if isinstance(X, StoredDesign) else DesignMatrix.of(X)
        rows = cls(
            design,
            {key: _numbers(key, values) for key, values in outcomes.items()},
            np.asarray(treatment),
            None if sample_weight is None else finite(sample_weight, name="sample_weight"),
            None if clusters is None else np.asarray(clusters),
        )
        others = {"treatment": rows.treatment, "sample_weight": rows.weight, "clusters": rows.clusters}
        for name, values in {**rows.outcomes, **others}.items():
            if values is not None and values.shape != (len(design),):
                raise InputError(f"{name} has shape {values.shape} for {len(design)} rows of X", remedy="align them")
        return rows

    def known(self, key: str) -> "ResponseRows":
        """The rows whose outcome is known."""
        kept = np.flatnonzero(~np.isnan(self.outcomes[key]))
        if len(kept) == len(self.treatment):
            return self
        weight, clusters = (None if values is None else values[kept] for values in (self.weight, self.clusters))
        return ResponseRows(self.X.take(kept), {key: self.outcomes[key][kept]}, self.treatment[kept], weight, clusters)

    def control_mean(self, key: str, control: Any) -> float:
        """Mean outcome under control."""
        rows = read_arms(self.treatment, control=control).codes == 0
        return float(np.average(self.outcomes[key][rows], weights=None if self.weight is None else self.weight[rows]))


def _numbers(key: str, values: Any) -> NDArray[np.float64]:
    try:
        return pd.Series(values).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"outcomes: {key!r} is no number: {error}", remedy="pass numbers, NaN for unknown") from error
