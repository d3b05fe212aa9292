"""What all models made of trees have in common: they read features and check outcomes alike."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from causal_tasks.base_models.design import DesignMatrix
from causal_tasks.base_models.outcome import Outcome
from causal_tasks.base_models.stored_design import StoredDesign
from causal_tasks.errors import CausalTasksError, ConfigurationError, InputError


class TreeModel(BaseEstimator, ABC):  # type: ignore[misc]
    """Trees that predict the mean outcome.

    Attributes:
        booster_: The fitted booster of the library.
        features_: Columns it was fitted on, with their levels.
    """

    device: str

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.target_tags.required = True
        return tags

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """Names of the columns it was fitted on, shape (p,)."""
        return np.array(self.features_.names, dtype=object)

    def fit(self, X: Any, outcome: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the mean of ``outcome`` given ``X``.

        Args:
            X: Frame of shape (n, p), numeric, boolean and categorical columns, missing values allowed; or a
                ``DesignMatrix``, whose bins are then shared, or a ``StoredDesign``.
            outcome: Shape (n,), finite.
            sample_weight: Shape (n,), relative to each other; None weighs every row alike.

        Raises:
            InputError: A column is text or infinite, an outcome is missing or infinite, or a weight is negative.
            ConfigurationError: ``device`` is ``cuda`` and the library cannot use it.
        """
        design = X if isinstance(X, StoredDesign) else DesignMatrix.of(X)
        learned = Outcome.read(outcome, sample_weight, rows=len(design))
        self.booster_ = self._train(design, learned)
        self.features_ = design.features
        return self

    def predict(self, X: Any) -> NDArray[np.float32]:
        """Mean outcomes, shape (n,).

        Args:
            X: As for ``fit``.

        Raises:
            InputError: A column that the model was fitted on is missing or has become categorical or numeric, or a
                category has a level that was not there.
        """
        check_is_fitted(self, "booster_")
        design = X if isinstance(X, StoredDesign) else DesignMatrix.of(X)
        means = np.empty(len(design), dtype=np.float32)
        begin = 0
        for chunk in design.chunks():
            means[begin : begin + len(chunk)] = self._predict(chunk.codes_of(self.features_))
            begin += len(chunk)
        return means

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
    def _train(self, design: DesignMatrix | StoredDesign, outcome: Outcome) -> Any:
        """The booster."""

    @abstractmethod
    def _predict(self, codes: NDArray[np.float32]) -> NDArray[np.floating]:
        """Mean outcomes of at least one row, given its features as numbers, shape (n, p)."""

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
