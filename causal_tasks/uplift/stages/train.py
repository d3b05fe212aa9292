"""Stage ``train``: fit one candidate out of fold and predict every user."""

import resource
import time

from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri
from causal_tasks.uplift.stages.card import model_card
from causal_tasks.uplift.stages.fitting import (
    Matrices,
    cross_fit,
    predict_everybody,
    unfitted,
    uplift_of,
    write_models,
    write_predictions,
)
from causal_tasks.uplift.stages.guards import guards
from causal_tasks.uplift.stages.users import Users
from causal_tasks.uplift.tuning.spaces import edited_space


def train(context: StageContext) -> dict[str, Uri]:
    """Fit the candidate ``context.item`` out of fold on discovery users and predict all users.

    Raises:
        InputError: The candidate is unknown, or its predictions are constant, not finite, or contradict the experiment.
    """
    experiment, name = context.experiment, str(context.item)
    features: list[str] = context.read_json("validate", "features")["used"]
    users = context.shared("users", lambda: Users.read(context, features))
    matrices = context.shared("matrices", lambda: Matrices.of(users, features))
    learner = unfitted(context, name)
    # A range that cannot be tuned is told before anything is fitted.
    edited_space(name, learner, experiment.mining.search_spaces)
    began = time.monotonic()
    fitted = cross_fit(learner, users, matrices)
    means = predict_everybody(fitted, users, matrices)
    seconds = round(time.monotonic() - began, 3)
    uplift = uplift_of(means, experiment)
    found = guards(name, users, uplift, means, fitted)
    card = model_card(name, learner, fitted, users, uplift, found) | {
        "features": features,
        "device": learner.device,
        "seconds": seconds,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    return {
        "predictions": write_predictions(context, users.frame["unit"], uplift, means),
        "card": context.write_json("card.json", card),
        "models": write_models(context, fitted),
    }
