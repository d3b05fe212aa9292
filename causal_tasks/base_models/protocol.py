"""What learners ask of a model of the mean outcome."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causal_tasks.base_models.search_space import Range


class BaseModel(Protocol):
    """What a learner asks of a base model; a scikit-learn estimator besides (``clone``).

    Attributes:
        library: Module whose version decides whether a saved model can be read; see ``library_version``.
        suffix: Ending of the name of a saved model's file.
        search_space: What tuning may set, by parameter; every default lies in its range.
    """

    library: ClassVar[str]
    suffix: ClassVar[str]
    search_space: ClassVar[Mapping[str, Range]]

    def fit(self, X: pd.DataFrame, outcome: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the mean of ``outcome`` given ``X``."""

    def predict(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Mean outcomes, shape (n,)."""

    def used_features(self) -> frozenset[str]:
        """Names of the features that predictions depend on."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name."""

    def save(self, path: Path) -> None:
        """Write the fitted model."""

    def load(self, path: Path) -> Self:
        """Take over a fitted model that ``save`` wrote."""
