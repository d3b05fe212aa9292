"""Cross-fits a learner on a run's discovery users and writes what later stages read of it."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from causal_tasks.base_models import DesignMatrix
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri
from causal_tasks.uplift.candidates import candidate
from causal_tasks.uplift.cross_fitting import OutOfFold, predict_out_of_fold
from causal_tasks.uplift.learner import UpliftLearner
from causal_tasks.uplift.stages.users import Users


def unfitted(context: StageContext, name: str, parameters: Mapping[str, Any] | None = None) -> UpliftLearner:
    """The candidate of that name on the run's device, threads and seed; ``parameters`` as for ``candidate``."""
    return candidate(
        name,
        device=context.settings.device,
        n_jobs=context.settings.threads,
        random_state=context.experiment.mining.seed,
        parameters=parameters,
    )


@dataclass(frozen=True, slots=True)
class Matrices:
    """Features of a run's users, made once for all that is fitted and predicted.

    Attributes:
        discovery: Of the users that learners are fitted on.
        estimation: Of the others, with the levels of the former.
    """

    discovery: DesignMatrix
    estimation: DesignMatrix

    @classmethod
    def of(cls, users: Users, features: Sequence[str]) -> Self:
        """The matrices of these features."""
        frame = users.frame[list(features)]
        discovery = DesignMatrix(frame.loc[users.discovery])
        return cls(discovery, DesignMatrix(frame.loc[~users.discovery], like=discovery))


def cross_fit(
    learner: UpliftLearner, users: Users, matrices: Matrices, held_out: Sequence[int] | None = None
) -> OutOfFold:
    """The learner fitted without each of the folds ``held_out``, all of them where that is None.

    The index of its outcomes is that of ``users.frame``.
    """
    rows = users.discovery
    return predict_out_of_fold(
        learner,
        matrices.discovery,
        users.outcome[rows],
        users.labels[rows],
        users.frame["fold"].to_numpy()[rows],
        control=users.experiment.control,
        propensity=users.propensity,
        clusters=users.frame["cluster"].to_numpy()[rows] if users.experiment.cluster else None,
        held_out=held_out,
    )


def predict_everybody(fitted: OutOfFold, users: Users, matrices: Matrices) -> pd.DataFrame:
    """Mean outcomes of all users, one float32 column for each arm in the order of the experiment."""
    arms = list(users.experiment.arms)
    means = np.empty((len(users.frame), len(arms)), dtype=np.float32)
    means[users.discovery] = fitted.outcomes[arms]
    if len(matrices.estimation):
        means[~users.discovery] = fitted.predict_outcomes(matrices.estimation)[arms]
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
        return context.write_folder("models", Path(folder))
