"""Trees by XGBoost, whatever they are combined to."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from operator import index
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from causal_tasks.base_models.design import DesignMatrix
from causal_tasks.base_models.features import Features
from causal_tasks.base_models.outcome import Outcome
from causal_tasks.base_models.stored_design import StoredDesign
from causal_tasks.base_models.tree_model import TreeModel
from causal_tasks.base_models.xgboost_bins import binned


class XGBoostTrees(TreeModel):
    """How models of XGBoost are fitted, asked and saved; subclasses say with which parameters.

    Outcomes that are not learned with log loss are standardised first: XGBoost makes no split that improves the loss
    by less than 0.000001, so an outcome of small numbers would seem constant. Their mean and standard deviation are
    kept in the booster's attribute ``outcome``, its features and their levels in ``features``.

    Sums whose order depends on the number of threads are made in double precision and kept in single, so that the
    order does not show in the model.
    """

    library: ClassVar[str] = "xgboost"
    suffix: ClassVar[str] = ".ubj"
    max_bin: int
    n_jobs: int
    random_state: int

    def used_features(self) -> frozenset[str]:
        """Names of the features on which at least one tree splits."""
        return frozenset(unquote(name) for name in self.booster_.get_score(importance_type="weight"))

    def save(self, path: Path) -> None:
        """Write the fitted trees as UBJSON, which holds feature names and levels too."""
        path.write_bytes(self.booster_.save_raw(raw_format="ubj"))

    def load(self, path: Path) -> Self:
        """Take over fitted trees that ``save`` wrote."""
        import xgboost

        self.booster_ = xgboost.Booster(model_file=bytearray(path.read_bytes()))
        self.features_ = Features.from_json(self.booster_.attr("features"))
        return self

    @abstractmethod
    def _uses_log_loss(self, outcome: Outcome) -> bool:
        """Whether this outcome is fitted with log loss and not with squared error."""

    @abstractmethod
    def _growth(self, outcome: Outcome) -> Mapping[str, Any]:
        """XGBoost's parameters of the trees."""

    @property
    @abstractmethod
    def _rounds(self) -> int:
        """Number of boosting rounds."""

    def _train(self, design: DesignMatrix | StoredDesign, outcome: Outcome) -> Any:
        import xgboost

        log_loss = self._uses_log_loss(outcome)
        location, scale = (0.0, 1.0) if log_loss else (outcome.mean, outcome.scale)
        learned = (outcome.values - location) / scale
        try:
            data = binned(
                design, learned, outcome.weight, max_bin=index(self.max_bin), n_jobs=self.n_jobs, device=self.device
            )
            booster = xgboost.train(self._parameters(outcome), data, num_boost_round=self._rounds)
        except xgboost.core.XGBoostError as error:
            raise self._explained(str(error).partition("\n")[0]) from error
        self._require_device(booster)
        booster.set_attr(
            features=design.features.to_json(),
            outcome=json.dumps({"location": location, "scale": scale}),
        )
        return booster

    def _parameters(self, outcome: Outcome) -> dict[str, Any]:
        log_loss = self._uses_log_loss(outcome)
        return {
            "objective": "binary:logistic" if log_loss else "reg:squarederror",
            "base_score": outcome.mean if log_loss else 0.0,
            "tree_method": "hist",
            "max_bin": self.max_bin,
            "device": self.device,
            "nthread": self.n_jobs,
            "seed": self.random_state,
            **self._growth(outcome),
        }

    def _require_device(self, booster: Any) -> None:
        """Refuse a model that was silently fitted elsewhere: without a GPU XGBoost only warns."""
        used: str = json.loads(booster.save_config())["learner"]["generic_param"]["device"]
        if not used.startswith(self.device):
            raise self._explained(f"it used the device {used!r} instead")

    def _predict(self, codes: NDArray[np.float32]) -> NDArray[np.floating]:
        # The rows are in the processor's memory, and so a model predicts the same on every machine.
        self.booster_.set_param({"device": "cpu", "nthread": self.n_jobs})
        outcome = json.loads(self.booster_.attr("outcome"))
        raw = self.booster_.inplace_predict(codes).astype(np.float64)
        means: NDArray[np.floating] = outcome["location"] + outcome["scale"] * raw
        return means
