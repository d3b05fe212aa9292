"""What the stages read of the users: features, primary outcome, arm and part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.data.columns import outcome_columns
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.uplift.outcome import user_outcome


@dataclass(frozen=True, slots=True)
class Users:
    """Users of a run and what learning and ranking need of them.

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

    @property
    def labels(self) -> NDArray[np.object_]:
        """Shape (n,), arm labels."""
        return np.array(self.experiment.arms, dtype=object)[self.arm]

    @property
    def propensity(self) -> dict[str, float] | None:
        """The share of every arm where the design tells it."""
        return self.experiment.expected_shares if self.experiment.randomized else None

    def ranking_arguments(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> dict[str, Any]:
        """The arguments that every score of a ranking of ``rows`` has in common, outcomes on the benefit scale."""
        return {
            "outcome": self.experiment.primary.benefit(self.outcome[rows]),
            "treatment": self.arm[rows],
            "clusters": self.frame["cluster"][rows] if self.experiment.cluster else None,
            "seed": self.experiment.mining.seed,
        }
