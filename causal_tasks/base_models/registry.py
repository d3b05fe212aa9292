"""Which base models there are."""

from collections.abc import Mapping
from importlib import import_module

from causal_tasks.base_models.light_gbm import LightGBM
from causal_tasks.base_models.random_forest import RandomForest
from causal_tasks.base_models.xg_boost import XGBoost
from causal_tasks.errors import InputError

BASE_MODELS: Mapping[str, type[XGBoost] | type[LightGBM] | type[RandomForest]] = {
    model.__name__: model for model in (XGBoost, LightGBM, RandomForest)
}
"""Base models by the name under which a saved learner refers to them."""


def library_version(library: str) -> str:
    """Installed version of the library of a model.

    Raises:
        InputError: No model has that library.
    """
    libraries = {"torch", *(model.library for model in BASE_MODELS.values())}
    if library not in libraries:
        raise InputError(f"{library!r} is no library of a model", remedy=f"use one of {', '.join(sorted(libraries))}")
    # The module knows its version whatever its distribution is called: xgboost, xgboost-cpu, xgboost-cu12.
    return str(import_module(library).__version__)
