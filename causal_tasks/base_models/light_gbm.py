"""Gradient-boosted trees by LightGBM."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from causal_tasks.base_models.design import BINNED_FROM, DesignMatrix
from causal_tasks.base_models.features import Features
from causal_tasks.base_models.outcome import Outcome
from causal_tasks.base_models.search_space import Range
from causal_tasks.base_models.stored_design import StoredDesign
from causal_tasks.base_models.tree_model import TreeModel
from causal_tasks.errors import InputError

_BINNING: Mapping[str, Any] = {
    # The bins serve models with leaves of every size.
    "feature_pre_filter": False,
    "bin_construct_sample_cnt": BINNED_FROM,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}


class LightGBM(TreeModel):
    """Gradient-boosted trees by LightGBM.

    The same data and parameters give the same model bit by bit, whatever ``n_jobs``: histograms are built column by
    column, because row by row their sums depend on the number of threads. Outcomes of only 0 and 1 are fitted with
    log loss, all others with squared loss; both predict means. The defaults are small trees with large leaves, since
    effects are small beside the noise of an outcome.

    Args:
        n_estimators: Number of trees.
        learning_rate: Shrinkage of each tree.
        num_leaves: Leaves per tree.
        min_child_samples: Smallest number of rows in a leaf.
        colsample_bytree: Share of features that each tree may use.
        reg_lambda: L2 penalty on leaf values: rows of mean outcome that are added to every leaf.
        max_bin: Bins per feature.
        device: ``cuda`` needs a LightGBM that was built for it.
        n_jobs: Threads of ``fit`` and ``predict``.
        random_state: Seed.

    Attributes:
        booster_: The fitted LightGBM booster.
        features_: Columns it was fitted on, with their levels.
    """

    library: ClassVar[str] = "lightgbm"
    suffix: ClassVar[str] = ".txt"
    search_space: ClassVar[Mapping[str, Range]] = {
        "n_estimators": Range(50, 400, log=True),
        "learning_rate": Range(0.02, 0.2, log=True),
        "num_leaves": Range(4, 31, log=True),
        "min_child_samples": Range(50, 2000, log=True),
        "colsample_bytree": Range(0.4, 1.0),
        "reg_lambda": Range(0.1, 100.0, log=True),
    }

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

    def used_features(self) -> frozenset[str]:
        """Names of the features on which at least one tree splits."""
        splits = self.booster_.feature_importance("split")
        return frozenset(name for name, count in zip(self.features_.names, splits, strict=True) if count)

    def save(self, path: Path) -> None:
        """Write the fitted trees in LightGBM's text format, which holds feature names and levels too."""
        # It lists its parameters too, and the number of threads is no part of a model.
        text = re.sub(r"(?m)^\[num_threads: \d+\]$", "[num_threads: 0]", self.booster_.model_to_string(), count=1)
        path.write_text(text, encoding="utf-8")

    def load(self, path: Path) -> Self:
        """Take over fitted trees that ``save`` wrote."""
        import lightgbm

        self.booster_ = lightgbm.Booster(model_file=path)
        self.features_ = Features.from_json(self.booster_.pandas_categorical[0][0])
        return self

    def _train(self, design: DesignMatrix | StoredDesign, outcome: Outcome) -> Any:
        import lightgbm

        if isinstance(design, StoredDesign):
            raise InputError("LightGBM cannot learn from a file", remedy="use XGBoost or RandomForest")
        parameters = self._lightgbm_parameters(outcome)
        data = self._binned(design)
        data.set_label(outcome.values)
        # Its set_weight would leave the weights of an earlier fit where there are none now.
        data.set_field("weight", outcome.weight)
        data.weight = outcome.weight
        try:
            booster = lightgbm.train(parameters, data, num_boost_round=self.n_estimators)
        except lightgbm.basic.LightGBMError as error:
            raise self._explained(error) from error
        # LightGBM keeps whatever JSON is there in the last line of its file.
        booster.pandas_categorical = [[design.features.to_json()]]
        return booster

    def _predict(self, codes: NDArray[np.float32]) -> NDArray[np.floating]:
        means: NDArray[np.floating] = self.booster_.predict(codes, num_threads=self.n_jobs)
        return means

    def _binned(self, design: DesignMatrix) -> Any:
        """The rows of the design as LightGBM bins them; the matrix that they belong to is binned once."""
        whole = design.whole()
        data = design.shared(("lightgbm", self.max_bin), lambda: self._dataset(whole.codes, whole.features))
        if design.positions is not None:
            data = data.subset(design.positions).construct()
        if not design.extra:
            return data
        features = Features(dict.fromkeys(design.extra))
        extended = self._dataset(np.column_stack(list(design.extra.values())), features)
        with warnings.catch_warnings():
            # It warns that the unbinned values, which nobody needs, cannot be merged.
            warnings.simplefilter("ignore", UserWarning)
            return extended.add_features_from(data)

    def _dataset(self, codes: NDArray[np.float32], features: Features) -> Any:
        import lightgbm

        return lightgbm.Dataset(
            codes,
            # LightGBM refuses some characters in names.
            feature_name=[quote(name) for name in features.names],
            categorical_feature=features.categorical,
            params={"max_bin": self.max_bin, "num_threads": self.n_jobs, **_BINNING},
        ).construct()

    def _lightgbm_parameters(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "objective": "binary" if outcome.is_binary else "regression",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_child_samples,
            # With log loss and a rare outcome this sum is tiny: rows alone shall limit a leaf. But at 0 LightGBM, which
            # guesses a leaf's rows from the sum, tries leaves of no rows and gives up.
            "min_sum_hessian_in_leaf": 1e-6,
            "feature_fraction": self.colsample_bytree,
            "lambda_l2": self.reg_lambda * outcome.row_curvature,
            "max_bin": self.max_bin,
            "device_type": self.device,
            "num_threads": self.n_jobs,
            "seed": self.random_state,
            **_BINNING,
        }
