"""Random forest, grown by XGBoost."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from causal_tasks.base_models.outcome import Outcome
from causal_tasks.base_models.search_space import Range
from causal_tasks.base_models.xgboost_trees import XGBoostTrees


class RandomForest(XGBoostTrees):
    """Mean of trees that were each grown on another sample of the rows.

    XGBoost grows them, tens of times faster than scikit-learn at a million rows. A leaf predicts the plain mean of
    its rows' outcomes, binary ones too. The same data and parameters give the same model bit by bit, whatever
    ``n_jobs``.

    Args:
        n_estimators: Number of trees.
        max_depth: Largest depth of a tree.
        min_child_samples: Smallest number of drawn rows in a leaf, rows weighing 1 on average.
        subsample: Share of rows drawn for each tree, without replacement; 0.632 is the expected share of distinct
            rows in a bootstrap sample.
        colsample_bynode: Share of features among which each split chooses.
        max_bin: Bins per feature; more of them cost time and add nothing to a mean of many trees.
        device: ``cuda`` needs a GPU and an XGBoost that was built for it; predictions are made on the processor.
        n_jobs: Threads of ``fit`` and ``predict``.
        random_state: Seed.

    Attributes:
        booster_: The fitted XGBoost booster.
        features_: Columns it was fitted on, with their levels.

    Source: Breiman (2001); sampling without replacement: Friedman and Hall (2007).
    """

    search_space: ClassVar[Mapping[str, Range]] = {
        "max_depth": Range(3, 10),
        "min_child_samples": Range(20, 1000, log=True),
        "subsample": Range(0.3, 0.8),
        "colsample_bynode": Range(0.2, 1.0),
    }

    def __init__(
        self,
        *,
        n_estimators: int = 50,
        max_depth: int = 8,
        min_child_samples: int = 100,
        subsample: float = 0.632,
        colsample_bynode: float = 0.5,
        max_bin: int = 64,
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.min_child_samples = min_child_samples
        self.subsample = subsample
        self.colsample_bynode = colsample_bynode
        self.max_bin = max_bin
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def _rounds(self) -> int:
        return 1

    def _uses_log_loss(self, outcome: Outcome) -> bool:  # noqa: ARG002 - a forest predicts plain means
        return False

    def _growth(self, outcome: Outcome) -> Mapping[str, Any]:  # noqa: ARG002 - squared error counts rows
        return {
            "num_parallel_tree": self.n_estimators,
            "learning_rate": 1.0,
            "max_depth": self.max_depth,
            "min_child_weight": self.min_child_samples,
            "subsample": self.subsample,
            "colsample_bynode": self.colsample_bynode,
            "reg_lambda": 0.0,
        }
