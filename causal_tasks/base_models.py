"""Models of an outcome's mean, on which every learner builds.

Parameters are values, missing values and categories are taken as they come, and fitted models are saved in the
library's own text format, never pickled.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from causal_tasks.errors import CausalTasksError, ConfigurationError, InputError


class BaseModel(Protocol):
    """What a learner asks of a base model; a scikit-learn estimator besides (``get_params``, ``clone``).

    Attributes:
        library: Distribution whose version decides whether a saved model can be read.
    """

    library: ClassVar[str]

    def fit(self, X: pd.DataFrame, outcome: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the mean of ``outcome`` given ``X``."""

    def predict(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Mean outcomes, shape (n,)."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name."""

    def save(self, path: Path) -> None:
        """Write the fitted model."""

    def load(self, path: Path) -> Self:
        """Take over a fitted model that ``save`` wrote."""


class LightGBM(BaseEstimator):  # type: ignore[misc]
    """Gradient-boosted trees by LightGBM.

    The same data and parameters give the same model bit by bit, whatever ``n_jobs``: histograms are built column by
    column, because row by row their sums depend on the number of threads. Outcomes of only 0 and 1 are fitted with
    log loss, all others with squared loss; both predict means. Levels of a category that were not there in ``fit``
    count as missing. The defaults are small trees with large leaves, since effects are small beside the noise of an
    outcome.

    Args:
        n_estimators: Number of trees.
        learning_rate: Shrinkage of each tree.
        num_leaves: Leaves per tree.
        min_child_samples: Smallest number of rows in a leaf.
        colsample_bytree: Share of features that each tree may use.
        reg_lambda: L2 penalty on leaf values.
        max_bin: Bins per feature.
        device: ``cuda`` needs a LightGBM that was built for it.
        n_jobs: Threads of ``fit`` and ``predict``.
        random_state: Seed.

    Attributes:
        booster_: The fitted LightGBM booster.
        feature_names_in_: Columns of the frame it was fitted on.
    """

    library: ClassVar[str] = "lightgbm"

    def __init__(
        self,
        *,
        n_estimators: int = 100,
        learning_rate: float = 0.05,
        num_leaves: int = 8,
        min_child_samples: int = 200,
        colsample_bytree: float = 0.8,
        reg_lambda: float = 1.0,
        max_bin: int = 255,
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
        self.colsample_bytree = colsample_bytree
        self.reg_lambda = reg_lambda
        self.max_bin = max_bin
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, outcome: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the mean of ``outcome`` given ``X``.

        Args:
            X: Shape (n, p), numeric, boolean and categorical columns; missing values allowed.
            outcome: Shape (n,), finite.
            sample_weight: Shape (n,); None weighs every row alike.

        Raises:
            InputError: A column is text, or an outcome is missing or infinite.
            ConfigurationError: ``device`` is ``cuda`` and LightGBM cannot use it.
        """
        import lightgbm

        label = np.asarray(outcome, dtype=np.float64)
        if label.shape != (len(X),) or not len(X) or not np.isfinite(label).all():
            raise InputError(
                f"outcome of shape {label.shape} for {len(X)} rows has "
                f"{int((~np.isfinite(label)).sum())} missing or infinite values",
                remedy="pass one finite outcome for each of at least one row",
            )
        parameters = self._lightgbm_parameters(binary=bool(np.isin(label, (0.0, 1.0)).all()))
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        data = lightgbm.Dataset(_readable(X), label, weight=weight, params=parameters)
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        try:
            self.booster_ = lightgbm.train(parameters, data, num_boost_round=self.n_estimators)
        except lightgbm.basic.LightGBMError as error:
            raise _explained(error, self.device) from error
        return self

    def predict(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Mean outcomes, shape (n,).

        Raises:
            InputError: A column that the model was fitted on is missing or has become categorical or numeric.
        """
        absent = [name for name in self.feature_names_in_ if name not in X.columns]
        if absent:
            raise InputError(f"X lacks the columns {absent}", remedy="pass every column that the model was fitted on")
        frame = _readable(X[list(self.feature_names_in_)])
        categories = [name for name in frame.columns if isinstance(frame[name].dtype, pd.CategoricalDtype)]
        if len(categories) != len(self.booster_.pandas_categorical or []):
            raise InputError(
                f"X has the categorical columns {categories}, the model was fitted with "
                f"{len(self.booster_.pandas_categorical or [])} of them",
                remedy="pass columns of the same kind as in fit",
            )
        means = self.booster_.predict(frame, num_threads=self.n_jobs)
        return np.asarray(means, dtype=np.float32)

    def save(self, path: Path) -> None:
        """Write the fitted trees in LightGBM's text format, which holds feature names and levels too."""
        self.booster_.save_model(path)

    def load(self, path: Path) -> Self:
        """Take over fitted trees that ``save`` wrote."""
        import lightgbm

        self.booster_ = lightgbm.Booster(model_file=path)
        self.feature_names_in_ = np.array([unquote(name) for name in self.booster_.feature_name()], dtype=object)
        return self

    def _lightgbm_parameters(self, *, binary: bool) -> dict[str, Any]:
        return {
            "objective": "binary" if binary else "regression",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_child_samples,
            "feature_fraction": self.colsample_bytree,
            "lambda_l2": self.reg_lambda,
            "max_bin": self.max_bin,
            "device_type": self.device,
            "num_threads": self.n_jobs,
            "seed": self.random_state,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }


BASE_MODELS: Mapping[str, type[LightGBM]] = {"LightGBM": LightGBM}
"""Base models by the name under which a saved learner refers to them."""


def _readable(X: pd.DataFrame) -> pd.DataFrame:
    """``X`` in float32 and categories; names quoted, since LightGBM refuses some characters in them."""
    return pd.DataFrame(
        {quote(str(name)): _column(str(name), X[name]) for name in X.columns}, index=X.index, copy=False
    )


def _column(name: str, values: pd.Series) -> Any:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy(dtype=np.float32, na_value=np.nan)
    raise InputError(
        f"feature {name!r} is of type {values.dtype}",
        remedy="cast it to a number or to a pandas category",
    )


def _explained(error: Exception, device: str) -> CausalTasksError:
    if device == "cuda":
        return ConfigurationError(
            f"LightGBM cannot train on the GPU: {error}",
            remedy="use the GPU image, or CAUSAL_DEVICE=cpu",
        )
    return InputError(f"LightGBM cannot fit this data: {error}", remedy="look at the features it names")
