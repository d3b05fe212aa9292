"""Stages ``train`` and ``select``: fit every candidate out of fold, keep the one that ranks users best."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.data.columns import outcome_columns
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc_interval, compare
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri
from causal_tasks.uplift.candidates import candidate
from causal_tasks.uplift.cross_fitting import OutOfFold, predict_out_of_fold
from causal_tasks.uplift.outcome import user_outcome

COMPARISON_FOLD = 4
"""The discovery fold on which ``select`` compares candidates; their models for it are fitted on the others."""

SMALL_ARM = 0.2
"""Share of users below which an arm is too small for learners that fit each arm by itself."""


@dataclass(frozen=True, slots=True)
class Users:
    """What both stages read of the users.

    Attributes:
        frame: As ``prepare`` writes it, without the columns that are not needed.
        outcome: Shape (n,), primary metric, NaN where a user has none.
        arm: Shape (n,), position of the user's arm in ``Experiment.arms``; 0 is control.
        discovery: Shape (n,), whether the user is in the discovery part.
        experiment: The experiment.
    """

    frame: pd.DataFrame
    outcome: NDArray[np.float64]
    arm: NDArray[np.intp]
    discovery: NDArray[np.bool_]
    experiment: Experiment

    @classmethod
    def read(cls, context: StageContext, features: Sequence[str] = ()) -> Self:
        """The users of the run, with these features.

        Raises:
            InputError: A user is in an arm that the experiment does not have, or an arm has no user.
        """
        experiment = context.experiment
        columns = ["unit", "arm", "part", "fold", *outcome_columns(experiment.primary), *features]
        if experiment.cluster:
            columns.append("cluster")
        frame = context.read_table("prepare", "users", columns)
        arm = pd.Index(experiment.arms).get_indexer(frame["arm"].astype("str"))
        discovery = (frame["part"] == "discovery").to_numpy(dtype=bool)
        if (arm < 0).any():
            unknown = sorted(set(frame["arm"][arm < 0].astype("str")))
            raise InputError(f"users: arms {unknown} are not in the experiment", remedy="add them to treatments")
        for position, label in enumerate(experiment.arms):
            if not (discovery & (arm == position)).any():
                raise InputError(f"users: no discovery user is in arm {label!r}", remedy="check the assignments table")
        outcome = user_outcome(frame, experiment.primary, control=experiment.control)
        return cls(frame, outcome, arm, discovery, experiment)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Shape (n,), the discovery users with an outcome."""
        scored: NDArray[np.bool_] = self.discovery & ~np.isnan(self.outcome)
        return scored

    def ranking_arguments(self, rows: NDArray[np.bool_]) -> dict[str, Any]:
        """The arguments that every score of a ranking of ``rows`` has in common, outcomes on the benefit scale."""
        return {
            "outcome": self.experiment.primary.benefit(self.outcome[rows]),
            "treatment": self.arm[rows],
            "clusters": self.frame["cluster"][rows] if self.experiment.cluster else None,
            "seed": self.experiment.mining.seed,
        }


def train(context: StageContext) -> dict[str, Uri]:
    """Fit the candidate ``context.item`` out of fold on discovery users and predict all users.

    Raises:
        InputError: The candidate is unknown, or its predictions are constant or not finite.
    """
    experiment, name = context.experiment, str(context.item)
    features: list[str] = context.read_json("validate", "features")["used"]
    users = Users.read(context, features)
    learner = candidate(
        name, device=context.settings.device, n_jobs=context.settings.threads, random_state=experiment.mining.seed
    )
    began = time.monotonic()
    fitted = _fit(learner, users, features)
    means = _predict_everybody(fitted, users, features)
    seconds = round(time.monotonic() - began, 3)
    uplift = _uplift(means, experiment)
    _require_variation(name, uplift, means, users)
    predictions = _predictions(users.frame["unit"], uplift, means)
    card = _card(name, learner, users, uplift) | {
        "device": context.settings.device,
        "seconds": seconds,
        "features": features,
    }
    return {
        "predictions": context.write_table("predictions.parquet", predictions),
        "card": context.write_json("card.json", card),
        "models": _write_models(context, fitted),
    }


def select(context: StageContext) -> dict[str, Uri]:
    """Rank the trained candidates on the comparison fold and hand on the predictions of the best.

    Raises:
        InputError: The comparison fold has no user with an outcome.
    """
    users = Users.read(context)
    rows = users.scored & (users.frame["fold"] == COMPARISON_FOLD).to_numpy(dtype=bool)
    if not rows.any():
        raise InputError(
            f"users: no discovery user of fold {COMPARISON_FOLD} has an outcome",
            remedy="check the metrics table",
        )
    uplift_columns = [f"uplift__{treatment}" for treatment in context.experiment.treatments]
    uplift = {
        str(manifest.item): context.read_table("train", "predictions", uplift_columns, item=manifest.item)
        .loc[rows]
        .to_numpy()
        for manifest in context.inputs["train"]
    }
    scores = {name: auuc_interval(uplift=values, **users.ranking_arguments(rows)) for name, values in uplift.items()}
    order = sorted(scores, key=lambda name: (-scores[name].estimate, name))
    winner = order[0]
    cards = {name: context.read_json("train", "card", item=name) for name in order}
    board = [
        {
            "candidate": name,
            "auuc": scores[name].estimate,
            "standard_error": scores[name].standard_error,
            "interval": list(scores[name].interval),
            "seconds": cards[name]["seconds"],
            "device": cards[name]["device"],
            "difference_to_winner": None
            if name == winner
            else _difference(users.ranking_arguments(rows), uplift[name], uplift[winner]),
        }
        for name in order
    ]
    selection = {"winner": winner, "board": board, "failed": _failed(context)}
    predictions = context.storage.read_bytes(context.uri("train", "predictions", item=winner))
    return {
        "selection": context.write_json("selection.json", selection),
        "predictions": context.write_bytes("predictions.parquet", predictions),
    }


def _fit(learner: Any, users: Users, features: Sequence[str]) -> OutOfFold:
    rows = np.flatnonzero(users.discovery)
    frame = users.frame.iloc[rows]
    labels = np.array(users.experiment.arms, dtype=object)[users.arm[rows]]
    return predict_out_of_fold(
        learner,
        frame[list(features)],
        users.outcome[rows],
        labels,
        frame["fold"].to_numpy(),
        control=users.experiment.control,
    )


def _predict_everybody(fitted: OutOfFold, users: Users, features: Sequence[str]) -> pd.DataFrame:
    """Mean outcomes of all users, one column for each arm in the order of the experiment."""
    arms = list(users.experiment.arms)
    means = np.empty((len(users.frame), len(arms)), dtype=np.float32)
    means[users.discovery] = fitted.outcomes[arms]
    estimation = ~users.discovery
    if estimation.any():
        means[estimation] = fitted.predict_outcomes(users.frame.loc[estimation, list(features)])[arms]
    return pd.DataFrame(means, columns=arms)


def _uplift(means: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Predicted effects on the benefit scale, one column for each treatment."""
    treatments = list(experiment.treatments)
    uplift: pd.DataFrame = experiment.primary.benefit(means[treatments].sub(means[experiment.control], axis=0))
    return uplift


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


def _predictions(unit: pd.Series, uplift: pd.DataFrame, means: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([unit, uplift.add_prefix("uplift__"), means.add_prefix("mean__")], axis=1)


def _card(name: str, learner: Any, users: Users, uplift: pd.DataFrame) -> dict[str, Any]:
    base_model = learner.base_model
    return {
        "candidate": name,
        "learner": type(learner).__name__,
        "base_model": type(base_model).__name__,
        "parameters": _portable(base_model.get_params()),
        "rows": int(users.scored.sum()),
        "auuc": _scores_by_treatment(users, uplift),
        "notes": _notes(users),
    }


def _scores_by_treatment(users: Users, uplift: pd.DataFrame) -> dict[str, Any]:
    scores = {}
    for position, treatment in enumerate(users.experiment.treatments, start=1):
        rows = users.scored & np.isin(users.arm, (0, position))
        scores[treatment] = auuc_interval(
            uplift=uplift[treatment].to_numpy()[rows], **users.ranking_arguments(rows)
        ).to_dict()
    return scores


def _portable(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that decide the result, without those that say where it was computed."""
    return {name: value for name, value in parameters.items() if name not in {"n_jobs", "device"}}


def _notes(users: Users) -> list[str]:
    """Codes of caveats."""
    fitted = np.bincount(users.arm[users.scored], minlength=len(users.experiment.arms))
    return ["small_arm"] if fitted.min() < SMALL_ARM * fitted.sum() else []


def _write_models(context: StageContext, fitted: OutOfFold) -> Uri:
    with tempfile.TemporaryDirectory() as folder:
        for fold, learner in fitted.learners.items():
            learner.save(Path(folder) / f"fold-{fold}")
        for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            context.write_bytes(f"models/{file.relative_to(folder).as_posix()}", file.read_bytes())
    return f"{context.folder}/models"


def _difference(arguments: Mapping[str, Any], uplift: Any, winner: Any) -> dict[str, Any]:
    difference = compare(uplift_a=uplift, uplift_b=winner, **arguments)
    return {"estimate": difference.estimate, "interval": list(difference.interval)}


def _failed(context: StageContext) -> dict[str, Any]:
    """Why the candidates that have no predictions failed; None where they were killed or ran out of memory."""
    return {
        key.removeprefix("train/"): failure.reason if failure else None
        for key, failure in context.failures.items()
        if key.startswith("train/")
    }
