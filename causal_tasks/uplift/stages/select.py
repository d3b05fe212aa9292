"""Stage ``select``: keep the finalist, tuned or not, that ranks users best, and say how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc_interval, compare
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri
from causal_tasks.uplift.cross_fitting import OutOfFold
from causal_tasks.uplift.drivers import drivers
from causal_tasks.uplift.learner import UpliftLearner
from causal_tasks.uplift.registry import read_learners
from causal_tasks.uplift.stages.fitting import (
    Matrices,
    cross_fit,
    predict_everybody,
    unfitted,
    uplift_of,
    write_models,
    write_predictions,
)
from causal_tasks.uplift.stages.replicate import replications
from causal_tasks.uplift.stages.shortlist import failed_items
from causal_tasks.uplift.stages.users import Users

COMPARISON_FOLD = 4
"""The discovery fold on which entrants are compared; they are fitted on the others."""

DRIVER_USERS = 5_000
"""Estimation users among whom features are shuffled: every feature costs a prediction by every model."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A finalist with one set of parameters.

    Attributes:
        candidate: Name of the finalist.
        parameters: Of its base model.
        uplift: Shape (m, K), predicted effects of the users it is compared on, benefit scale.
        learner: Unfitted; None where it has the parameters of ``train``, which has fitted it already.
        fitted: What has been fitted of ``learner``: the model that has not seen the comparison fold.
    """

    candidate: str
    parameters: Mapping[str, Any]
    uplift: NDArray[np.float32]
    learner: Any = None
    fitted: OutOfFold | None = None

    @property
    def tuned(self) -> bool:
        """Whether its parameters were found by tuning."""
        return self.learner is not None

    @property
    def name(self) -> str:
        """Unique among the entrants."""
        return f"{self.candidate}.tuned" if self.tuned else self.candidate


def select(context: StageContext) -> dict[str, Uri]:
    """Compare the entrants, hand on the predictions and models of the best, and say what drives them.

    Raises:
        InputError: The comparison fold has no user with an outcome.
    """
    improved = _improved_parameters(context)
    features: list[str] = context.read_json("validate", "features")["used"]
    users = Users.read(context, features)
    matrices = Matrices.of(users, features)
    rows = _compared_rows(users)
    finalists: list[str] = context.read_json("shortlist", "items")
    defaults = (_default_entrant(context, name, rows) for name in finalists)
    tuned = (
        _tuned_entrant(context, name, improved[name], users, matrices, rows) for name in finalists if name in improved
    )
    winner, board = _compared([*defaults, *tuned], users.ranking_arguments(rows))
    selection = {
        "winner": winner.name,
        "board": board,
        "distinguishable": _distinguishable(board),
        "failed": failed_items(context, "train"),
        "tuning_failed": failed_items(context, "tune"),
    }
    written = {
        "selection": context.write_json("selection.json", selection),
        "items": context.write_json("items.json", replications(context.experiment)),
    }
    if winner.fitted is None:
        learners: Sequence[UpliftLearner] = read_learners(
            context.storage, context.uri("train", "models", item=winner.candidate)
        )
        written |= _handed_on(context, winner.candidate)
    else:
        fitted = winner.fitted.joined(cross_fit(winner.learner, users, matrices, range(COMPARISON_FOLD)))
        learners = list(fitted.learners.values())
        means = predict_everybody(fitted, users, matrices)
        uplift = uplift_of(means, context.experiment)
        written |= {
            "predictions": write_predictions(context, users.frame["unit"], uplift, means),
            "models": write_models(context, fitted),
        }
    return written | {"drivers": context.write_json("drivers.json", _drivers(learners, users, features))}


def _drivers(learners: Sequence[UpliftLearner], users: Users, features: Sequence[str]) -> dict[str, Any]:
    """What drives the predictions of estimation users, by treatment."""
    seed = users.experiment.mining.seed
    rows = np.flatnonzero(~users.discovery)
    if len(rows) > DRIVER_USERS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, DRIVER_USERS, replace=False))
    found = drivers(learners, users.frame.loc[users.frame.index[rows], list(features)], seed=seed)
    return {
        str(treatment): [
            {
                "feature": row.feature,
                "importance": row.importance.estimate,
                "interval": list(row.importance.interval),
            }
            for row in ranked
        ]
        for treatment, ranked in found.items()
    }


def _improved_parameters(context: StageContext) -> dict[str, dict[str, Any]]:
    """The best parameters of the finalists for which tuning found others than those of ``train``."""
    names = [str(manifest.item) for manifest in context.inputs["tune"]]
    best = {name: context.read_json("tune", "tuning", item=name)["best"] for name in names}
    return {name: trial["parameters"] for name, trial in best.items() if trial["number"] > 0}


def _compared_rows(users: Users) -> NDArray[np.intp]:
    """Positions of the users on which entrants are compared."""
    rows = np.flatnonzero(users.scored & (users.frame["fold"] == COMPARISON_FOLD).to_numpy(dtype=bool))
    if not len(rows):
        raise InputError(
            f"users: no discovery user of fold {COMPARISON_FOLD} has an outcome",
            remedy="check the metrics table",
        )
    return rows


def _default_entrant(context: StageContext, name: str, rows: NDArray[np.intp]) -> Entrant:
    """The finalist as ``train`` fitted it: its model of the comparison fold has seen all other folds."""
    columns = [f"uplift__{treatment}" for treatment in context.experiment.treatments]
    uplift = context.read_table("train", "predictions", columns, item=name).to_numpy()[rows]
    return Entrant(name, context.read_json("train", "card", item=name)["parameters"], uplift)


def _tuned_entrant(
    context: StageContext,
    name: str,
    parameters: Mapping[str, Any],
    users: Users,
    matrices: Matrices,
    rows: NDArray[np.intp],
) -> Entrant:
    learner = unfitted(context, name, parameters)
    fitted = cross_fit(learner, users, matrices, [COMPARISON_FOLD])
    uplift = uplift_of(fitted.outcomes.loc[users.frame.index[rows]], context.experiment).to_numpy()
    return Entrant(name, learner.parameters, uplift, learner, fitted)


def _compared(entrants: Sequence[Entrant], arguments: Mapping[str, Any]) -> tuple[Entrant, list[dict[str, Any]]]:
    """The best entrant and one row for each, best first; of equals the one that is not tuned."""
    scores = {entrant.name: auuc_interval(uplift=entrant.uplift, **arguments) for entrant in entrants}
    order = sorted(entrants, key=lambda entrant: (-scores[entrant.name].estimate, entrant.tuned, entrant.name))
    board = [
        {
            "entrant": entrant.name,
            "candidate": entrant.candidate,
            "tuned": entrant.tuned,
            "parameters": dict(entrant.parameters),
            "auuc": scores[entrant.name].estimate,
            "standard_error": scores[entrant.name].standard_error,
            "interval": list(scores[entrant.name].interval),
            "difference_to_winner": None if entrant is order[0] else _difference(entrant, order[0], arguments),
        }
        for entrant in order
    ]
    return order[0], board


def _difference(entrant: Entrant, winner: Entrant, arguments: Mapping[str, Any]) -> dict[str, Any]:
    difference = compare(uplift_a=entrant.uplift, uplift_b=winner.uplift, **arguments)
    return {"estimate": difference.estimate, "interval": list(difference.interval)}


def _distinguishable(board: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every entrant of another candidate is worse than the winner beyond chance."""
    others = [row["difference_to_winner"] for row in board if row["candidate"] != board[0]["candidate"]]
    return bool(others) and all(difference["interval"][1] < 0 for difference in others)


def _handed_on(context: StageContext, name: str) -> dict[str, Uri]:
    """What ``train`` wrote of the candidate, byte for byte."""
    storage, models = context.storage, context.uri("train", "models", item=name)
    for file in storage.list_files(models, hash_local=False):
        context.write_bytes(f"models/{file.path}", storage.read_bytes(f"{models}/{file.path}"))
    predictions = storage.read_bytes(context.uri("train", "predictions", item=name))
    return {
        "predictions": context.write_bytes("predictions.parquet", predictions),
        "models": f"{context.folder}/models",
    }
