"""Listeners for whom the mean outcome is known, and models that learn it in a moment."""

import numpy as np
import pandas as pd

from causal_tasks.base_models import BASE_MODELS

MODELS = sorted(BASE_MODELS)
BOOSTED = ["LightGBM", "XGBoost"]

_QUICK = {
    "LightGBM": {"n_estimators": 25, "learning_rate": 0.3, "min_child_samples": 20},
    "XGBoost": {"n_estimators": 25, "learning_rate": 0.3, "min_child_samples": 20},
    "RandomForest": {"n_estimators": 25, "min_child_samples": 10, "colsample_bynode": 1.0},
}
_ONE_TREE = {
    "LightGBM": {"learning_rate": 1.0, "reg_lambda": 0.0, "colsample_bytree": 1.0},
    "XGBoost": {"learning_rate": 1.0, "reg_lambda": 0.0, "colsample_bytree": 1.0},
    "RandomForest": {"subsample": 1.0, "colsample_bynode": 1.0},
}


def quick(name, **parameters):
    """An unfitted model with few trees."""
    return BASE_MODELS[name](**_QUICK[name] | parameters)


def one_tree(name, *, splits, min_child_samples=1, **parameters):
    """An unfitted model of one tree on all rows and features, whose leaves are not shrunk."""
    size = {"num_leaves": splits + 1} if name == "LightGBM" else {"max_depth": splits}
    common = {"n_estimators": 1, "min_child_samples": min_child_samples}
    return BASE_MODELS[name](**_ONE_TREE[name] | common | size | parameters)


def listeners(n=4_000, seed=0):
    """Columns of all kinds, some with missing values, and the mean outcome that they decide."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "minutes": random.normal(size=n).astype("float32"),
            "时长[日] <7>": random.normal(size=n),
            "new": random.integers(0, 2, n).astype("int8"),
            "city": pd.Categorical(random.choice(["a", "b", "c", "d", "e"], n)),
            "active": random.random(n) < 0.5,
            "age": pd.array(random.integers(15, 60, n), dtype="Int16"),
        }
    )
    X.loc[::5, "minutes"] = np.nan
    X.loc[3::7, "city"] = None
    X.loc[2::9, "age"] = pd.NA
    mean = np.where(X["minutes"].isna(), 3.0, X["minutes"]) + 2.0 * X["city"].isin(["b", "d"]) + X["new"]
    return X, mean.to_numpy(dtype=float)
