"""Cross-fits a learner on a run's discovery users and writes what later stages read of it."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri
from causal_tasks.uplift.candidates import candidate
from causal_tasks.uplift.cross_fitting import OutOfFold, predict_out_of_fold
from causal_tasks.uplift.learner import MetaLearner
from causal_tasks.uplift.meta_learners import load_learner
from causal_tasks.uplift.stages.users import Users


def unfitted(context: StageContext, name: str, parameters: Mapping[str, Any] | None = None) -> Any:
    """The candidate of that name on the run's device, threads and seed; ``parameters`` as for ``candidate``."""
    return candidate(
        name,
        device=context.settings.device,
        n_jobs=context.settings.threads,
        random_state=context.experiment.mining.seed,
        parameters=parameters,
    )


def cross_fit(learner: Any, users: Users, features: Sequence[str], held_out: Sequence[int] | None = None) -> OutOfFold:
    """The learner fitted without each of the folds ``held_out``, all of them where that is None.

    The index of its outcomes is that of ``users.frame``.
    """
    rows = users.discovery
    return predict_out_of_fold(
        learner,
        users.frame.loc[rows, list(features)],
        users.outcome[rows],
        users.labels[rows],
        users.frame["fold"].to_numpy()[rows],
        control=users.experiment.control,
        propensity=users.propensity,
        held_out=held_out,
    )


def predict_everybody(fitted: OutOfFold, users: Users, features: Sequence[str]) -> pd.DataFrame:
    """Mean outcomes of all users, one float32 column for each arm in the order of the experiment."""
    arms = list(users.experiment.arms)
    means = np.empty((len(users.frame), len(arms)), dtype=np.float32)
    means[users.discovery] = fitted.outcomes[arms]
    estimation = ~users.discovery
    if estimation.any():
        means[estimation] = fitted.predict_outcomes(users.frame.loc[estimation, list(features)])[arms]
    return pd.DataFrame(means, columns=arms)


def uplift_of(means: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Predicted effects on the benefit scale, one column for each treatment."""
    treatments = list(experiment.treatments)
    uplift: pd.DataFrame = experiment.primary.benefit(means[treatments].sub(means[experiment.control], axis=0))
    return uplift


def write_predictions(context: StageContext, unit: pd.Series, uplift: pd.DataFrame, means: pd.DataFrame) -> Uri:
    """Write ``predictions.parquet``: ``unit``, ``uplift__<treatment>``, ``mean__<arm>``; returns its address."""
    frame = pd.concat([unit, uplift.add_prefix("uplift__"), means.add_prefix("mean__")], axis=1)
    return context.write_table("predictions.parquet", frame)


def write_models(context: StageContext, fitted: OutOfFold) -> Uri:
    """Write ``models/fold-<k>/…``, what each fold's learner saves; returns the folder's address."""
    with tempfile.TemporaryDirectory() as folder:
        for fold, learner in fitted.learners.items():
            learner.save(Path(folder) / f"fold-{fold}")
        for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            context.write_bytes(f"models/{file.relative_to(folder).as_posix()}", file.read_bytes())
    return f"{context.folder}/models"


def read_models(context: StageContext, stage: str, item: str | None = None) -> list[MetaLearner]:
    """The learners that ``write_models`` wrote in an earlier stage, in the order of their folds."""
    models = context.uri(stage, "models", item=item)
    with tempfile.TemporaryDirectory() as folder:
        for file in context.storage.list_files(models, hash_local=False):
            path = Path(folder) / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(context.storage.read_bytes(f"{models}/{file.path}"))
        return [load_learner(path) for path in sorted(Path(folder).iterdir())]
