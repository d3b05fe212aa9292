"""Fits a base model of any kind: one that reads design matrices, or any regressor in the manner of scikit-learn."""

import json
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from causal_tasks.base_models.design import DesignMatrix
from causal_tasks.base_models.protocol import BaseModel
from causal_tasks.base_models.stored_design import StoredDesign
from causal_tasks.base_models.tree_model import TreeModel
from causal_tasks.errors import InputError

_WHERE = frozenset({"n_jobs", "device"})
"""Parameters that say where a model is computed, and decide nothing about it."""


MODEL_BYTES = 2 * 2**20
"""What a model of many trees takes, about."""


def deciding(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that decide the result, without those that say where it is computed.

    Numbers of NumPy, which searches draw, become those of Python, which can be written as JSON.
    """
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in parameters.items()
        if name not in _WHERE
    }


def fit_model(
    base_model: BaseModel,
    design: DesignMatrix | StoredDesign,
    outcome: NDArray[np.float64],
    weight: NDArray[np.float64] | None = None,
) -> BaseModel:
    """A clone of ``base_model`` that has learned the mean of ``outcome``.

    One that was fitted before on the same rows of the same matrix with the same parameters, on the same device, is
    returned again.

    Args:
        base_model: Unfitted; one that is no ``TreeModel`` gets the features as a frame.
        design: Features of n rows.
        outcome: Shape (n,).
        weight: Shape (n,); None weighs every row alike.

    Raises:
        InputError: The base model cannot learn from a file, or as for its own ``fit``.
    """

    def fitted() -> BaseModel:
        weights = {} if weight is None else {_weight_argument(base_model): weight}
        features = design if isinstance(base_model, TreeModel) else _frame(base_model, design)
        return cast("BaseModel", clone(base_model).fit(features, outcome, **weights))

    if isinstance(design, StoredDesign) or not isinstance(base_model, TreeModel):
        return fitted()
    parameters = json.dumps(deciding(base_model.get_params()), sort_keys=True)
    digest = design.digest(outcome, weight, *design.extra.values())
    # A model of the processor must not stand for one that was asked of a GPU, which may not be there.
    key = (type(base_model), parameters, base_model.device, tuple(design.extra), digest)
    model: BaseModel = design.recent(key, fitted, size=MODEL_BYTES)
    return model


def predict_mean(model: BaseModel, design: DesignMatrix | StoredDesign) -> NDArray[np.float32]:
    """Mean outcomes by a fitted base model of any kind, shape (n,)."""
    if isinstance(model, TreeModel):
        return model.predict(design)
    if isinstance(design, StoredDesign):
        return np.concatenate([predict_mean(model, chunk) for chunk in design.chunks()])
    return np.asarray(model.predict(design.frame), dtype=np.float32).reshape(-1)


def _weight_argument(base_model: BaseModel) -> str:
    """What ``fit`` calls weights: a pipeline hands them to its last step, where routing does not say to whom."""
    if isinstance(base_model, Pipeline) and not get_config()["enable_metadata_routing"]:
        return f"{base_model.steps[-1][0]}__sample_weight"
    return "sample_weight"


def _frame(base_model: BaseModel, design: DesignMatrix | StoredDesign) -> Any:
    if isinstance(design, StoredDesign):
        raise InputError(
            f"{type(base_model).__name__} cannot learn from a file",
            remedy="use XGBoost or RandomForest, or pass a frame",
        )
    return design.frame
