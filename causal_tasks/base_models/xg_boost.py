"""Gradient-boosted trees by XGBoost."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from causal_tasks.base_models.outcome import Outcome
from causal_tasks.base_models.search_space import Range
from causal_tasks.base_models.xgboost_trees import XGBoostTrees


class XGBoost(XGBoostTrees):
    """Gradient-boosted trees by XGBoost.

    The same data and parameters give the same model bit by bit, whatever ``n_jobs``. Outcomes of only 0 and 1 are
    fitted with log loss, all others with squared loss; both predict means. The defaults are small trees with large
    leaves, since effects are small beside the noise of an outcome.

    Args:
        n_estimators: Number of trees.
        learning_rate: Shrinkage of each tree.
        max_depth: Largest depth of a tree.
        min_child_samples: Smallest number of rows in a leaf, rows weighing 1 on average. With log loss a row with
            probability p counts p(1 - p) over the same of the mean outcome, so that leaves with a rarer outcome are
            larger.
        colsample_bytree: Share of features that each tree may use.
        reg_lambda: L2 penalty on leaf values: rows of mean outcome that are added to every leaf.
        max_bin: Bins per feature.
        device: ``cuda`` needs a GPU and an XGBoost that was built for it; predictions are made on the processor.
        n_jobs: Threads of ``fit`` and ``predict``.
        random_state: Seed.

    Attributes:
        booster_: The fitted XGBoost booster.
        features_: Columns it was fitted on, with their levels.
    """

    search_space: ClassVar[Mapping[str, Range]] = {
        "n_estimators": Range(50, 400, log=True),
        "learning_rate": Range(0.02, 0.2, log=True),
        "max_depth": Range(2, 6),
        "min_child_samples": Range(50, 2000, log=True),
        "colsample_bytree": Range(0.4, 1.0),
        "reg_lambda": Range(0.1, 100.0, log=True),
    }

    def __init__(
        self,
        *,
        n_estimators: int = 100,
        learning_rate: float = 0.05,
        max_depth: int = 3,
        min_child_samples: int = 200,
        colsample_bytree: float = 0.8,
        reg_lambda: float = 1.0,
        max_bin: int = 256,
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.min_child_samples = min_child_samples
        self.colsample_bytree = colsample_bytree
        self.reg_lambda = reg_lambda
        self.max_bin = max_bin
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def _rounds(self) -> int:
        return self.n_estimators

    def _uses_log_loss(self, outcome: Outcome) -> bool:
        return outcome.is_binary

    def _growth(self, outcome: Outcome) -> Mapping[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "max_depth": self.max_depth,
            "min_child_weight": self.min_child_samples * outcome.row_curvature,
            "colsample_bytree": self.colsample_bytree,
            "reg_lambda": self.reg_lambda * outcome.row_curvature,
        }
