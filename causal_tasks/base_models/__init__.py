"""Models of an outcome's mean, on which every learner builds.

Parameters are values, missing values and categories are taken as they come, and fitted models are saved in the
library's own format, never pickled.
"""

from causal_tasks.base_models.design import DesignMatrix
from causal_tasks.base_models.features import Features
from causal_tasks.base_models.fitting import deciding, fit_model, predict_mean
from causal_tasks.base_models.light_gbm import LightGBM
from causal_tasks.base_models.protocol import BaseModel
from causal_tasks.base_models.random_forest import RandomForest
from causal_tasks.base_models.registry import BASE_MODELS, library_version
from causal_tasks.base_models.search_space import Range
from causal_tasks.base_models.stored_design import StoredDesign
from causal_tasks.base_models.xg_boost import XGBoost

__all__ = [
    "BASE_MODELS",
    "BaseModel",
    "DesignMatrix",
    "Features",
    "LightGBM",
    "RandomForest",
    "Range",
    "StoredDesign",
    "XGBoost",
    "deciding",
    "fit_model",
    "library_version",
    "predict_mean",
]
