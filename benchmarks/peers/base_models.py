"""Base models for learners of other libraries, with the parameters that this library's own base models are given."""

from collections.abc import Mapping
from typing import Any

Parameters = Mapping[str, Any]

SAME_AS_PEERS: Mapping[str, Parameters] = {
    "lightgbm": {
        "n_estimators": 100,
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_child_samples": 20,
        "colsample_bytree": 1.0,
        "reg_lambda": 0.0,
        "max_bin": 255,
    },
    "xgboost": {
        "n_estimators": 100,
        "learning_rate": 0.1,
        "max_depth": 6,
        "min_child_samples": 1,
        "colsample_bytree": 1.0,
        "reg_lambda": 1.0,
        "max_bin": 256,
    },
    "random_forest": {
        "n_estimators": 50,
        "max_depth": 8,
        "min_child_samples": 100,
        "subsample": 0.632,
        "colsample_bynode": 0.5,
        "max_bin": 64,
    },
}
"""By base model, under this library's names: defaults of LightGBM and XGBoost, and those of ``RandomForest``."""

_WRAPPERS = {"lightgbm": ("lightgbm", "LGBM"), "xgboost": ("xgboost", "XGB"), "random_forest": ("xgboost", "XGB")}


def regressor(base: str, parameters: Parameters, *, threads: int, seed: int = 0) -> Any:
    """An unfitted model of a mean with squared loss, in the form of scikit-learn.

    Args:
        base: ``lightgbm``, ``xgboost`` or ``random_forest``.
        parameters: All that ``SAME_AS_PEERS`` has for it.
        threads: Of ``fit`` and ``predict``.
        seed: Of the samples of rows and columns.
    """
    return _wrapper(base, "Regressor")(**_translated(base, parameters, 1.0), n_jobs=threads, random_state=seed)


def classifier(base: str, parameters: Parameters, *, share: float, threads: int, seed: int = 0) -> Any:
    """The same with log loss, for an outcome of which ``share`` are 1: penalties count rows, as in this library."""
    translated = _translated(base, parameters, share * (1 - share))
    return _wrapper(base, "Classifier")(**translated, n_jobs=threads, random_state=seed)


def _wrapper(base: str, kind: str) -> Any:
    import importlib

    module, prefix = _WRAPPERS[base]
    return getattr(importlib.import_module(module), prefix + kind)


def _translated(base: str, parameters: Parameters, curvature: float) -> dict[str, Any]:
    """The wrapper's own names and units: both libraries count rows in sums of the loss's second derivative."""
    own = dict(parameters)
    if base == "lightgbm":
        own["reg_lambda"] *= curvature
        return own | {"min_child_weight": 1e-6, "verbose": -1}
    own["min_child_weight"] = own.pop("min_child_samples") * curvature
    own["tree_method"] = "hist"
    if base == "random_forest":
        trees = own.pop("n_estimators")
        return own | {"n_estimators": 1, "num_parallel_tree": trees, "learning_rate": 1.0, "reg_lambda": 0.0}
    own["reg_lambda"] *= curvature
    return own
