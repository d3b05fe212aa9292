"""What all models made of trees have in common: they read frames and check outcomes alike."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from causal_tasks.base_models.features import Features
from causal_tasks.base_models.outcome import Outcome
from causal_tasks.errors import CausalTasksError, ConfigurationError, InputError


class TreeModel(BaseEstimator, ABC):  # type: ignore[misc]
    """Trees that predict the mean outcome.

    Attributes:
        booster_: The fitted booster of the library.
        features_: Columns it was fitted on, with their levels.
    """

    device: str

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """Names of the columns it was fitted on, shape (p,)."""
        return np.array(self.features_.names, dtype=object)

    def fit(self, X: pd.DataFrame, outcome: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the mean of ``outcome`` given ``X``.

        Args:
            X: Shape (n, p), numeric, boolean and categorical columns; missing values allowed.
            outcome: Shape (n,), finite.
            sample_weight: Shape (n,), relative to each other; None weighs every row alike.

        Raises:
            InputError: A column is text or infinite, an outcome is missing or infinite, or a weight is negative.
            ConfigurationError: ``device`` is ``cuda`` and the library cannot use it.
        """
        learned = Outcome.read(outcome, sample_weight, rows=len(X))
        features = Features.of(X)
        self.booster_ = self._train(X, features, learned)
        self.features_ = features
        return self

    def predict(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Mean outcomes, shape (n,).

        Raises:
            InputError: A column that the model was fitted on is missing or has become categorical or numeric.
        """
        check_is_fitted(self, "booster_")
        if not len(X):
            return np.empty(0, dtype=np.float32)
        return np.asarray(self._predict(X), dtype=np.float32)

    @abstractmethod
    def used_features(self) -> frozenset[str]:
        """Names of the features on which at least one tree splits."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write the fitted trees in the library's own format, with the names and levels of their features."""

    @abstractmethod
    def load(self, path: Path) -> Self:
        """Take over fitted trees that ``save`` wrote."""

    @abstractmethod
    def _train(self, X: pd.DataFrame, features: Features, outcome: Outcome) -> Any:
        """The booster."""

    @abstractmethod
    def _predict(self, X: pd.DataFrame) -> NDArray[np.floating]:
        """Mean outcomes of at least one row."""

    def _explained(self, problem: object) -> CausalTasksError:
        """What the library could not do, and what to do about it."""
        name = type(self).__name__
        if self.device == "cuda":
            return ConfigurationError(
                f"{name} cannot train on the GPU: {problem}",
                remedy="use the GPU image, or CAUSAL_DEVICE=cpu",
            )
        return InputError(
            f"{name} cannot fit this data: {problem}",
            remedy="look at the parameters and features it names",
        )
