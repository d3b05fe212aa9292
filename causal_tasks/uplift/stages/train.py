"""Stage ``train``: fit one candidate out of fold and predict every user."""

import resource
import time

import numpy as np
import pandas as pd

from causal_tasks.errors import InputError
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri
from causal_tasks.uplift.stages.card import model_card
from causal_tasks.uplift.stages.fitting import (
    cross_fit,
    predict_everybody,
    unfitted,
    uplift_of,
    write_models,
    write_predictions,
)
from causal_tasks.uplift.stages.users import Users


def train(context: StageContext) -> dict[str, Uri]:
    """Fit the candidate ``context.item`` out of fold on discovery users and predict all users.

    Raises:
        InputError: The candidate is unknown, or its predictions are constant or not finite.
    """
    experiment, name = context.experiment, str(context.item)
    features: list[str] = context.read_json("validate", "features")["used"]
    users = Users.read(context, features)
    learner = unfitted(context, name)
    began = time.monotonic()
    fitted = cross_fit(learner, users, features)
    means = predict_everybody(fitted, users, features)
    seconds = round(time.monotonic() - began, 3)
    uplift = uplift_of(means, experiment)
    _require_variation(name, uplift, means, users)
    card = model_card(name, learner, fitted, users, uplift) | {
        "features": features,
        "device": learner.base_model.get_params()["device"],
        "seconds": seconds,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    return {
        "predictions": write_predictions(context, users.frame["unit"], uplift, means),
        "card": context.write_json("card.json", card),
        "models": write_models(context, fitted),
    }


def _require_variation(name: str, uplift: pd.DataFrame, means: pd.DataFrame, users: Users) -> None:
    """Refuse predictions that are not finite, or alike for all users of a fold: each fold has its own model."""
    if not np.isfinite(means.to_numpy()).all():
        raise InputError(
            f"{name}: {int((~np.isfinite(means.to_numpy())).sum())} predictions are missing or infinite",
            remedy="look for extreme values of the primary metric; cap it",
        )
    folds = uplift[users.discovery].groupby(users.frame["fold"].to_numpy()[users.discovery])
    for treatment, spread in (folds.max() - folds.min()).items():
        if (spread == 0).all():
            raise InputError(
                f"{name}: constant prediction: {uplift[treatment].mean():g} for every user of treatment {treatment!r}",
                remedy="it learned nothing from these features; add users or features",
            )
