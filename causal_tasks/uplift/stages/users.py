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
        propensity_scores: Shape (n, K), probability of each treatment among users in it or in control, NaN for users
            that its rankings leave out: those outside the overlap and those of other treatments. None where arms were
            randomised.
    """

    frame: pd.DataFrame
    outcome: NDArray[np.float64]
    arm: NDArray[np.intp]
    discovery: NDArray[np.bool_]
    experiment: Experiment
    propensity_scores: NDArray[np.float64] | None = None

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
        propensity_scores = None if experiment.randomized else _propensity_scores(context)
        return cls(frame, outcome, arm, discovery, experiment, propensity_scores)

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

    def ranking_arguments(
        self, rows: NDArray[np.bool_] | NDArray[np.intp], *, position: int | None = None
    ) -> dict[str, Any]:
        """The arguments that every score of a ranking of ``rows`` has in common, outcomes on the benefit scale.

        Args:
            rows: Users to rank.
            position: Of the only treatment among them; None: they are of all arms.
        """
        arguments = {
            "outcome": self.experiment.primary.benefit(self.outcome[rows]),
            "treatment": self.arm[rows],
            "clusters": self.frame["cluster"][rows] if self.experiment.cluster else None,
            "seed": self.experiment.mining.seed,
        }
        if self.propensity_scores is not None:
            of_treatment = slice(None) if position is None else slice(position - 1, position)
            arguments["propensity"] = self.propensity_scores[rows, of_treatment]
        return arguments

    def compared(self, position: int) -> NDArray[np.bool_]:
        """Shape (n,), the scored users in control or the treatment of that position that its rankings hold."""
        rows: NDArray[np.bool_] = self.scored & np.isin(self.arm, (0, position))
        return rows if self.propensity_scores is None else rows & ~np.isnan(self.propensity_scores[:, position - 1])

    def propensity_scores_by_label(self, rows: NDArray[np.bool_]) -> NDArray[np.float64] | None:
        """``propensity_scores`` of ``rows``, columns in the order of the treatments' sorted labels."""
        if self.propensity_scores is None:
            return None
        return self.propensity_scores[rows][:, np.argsort(self.experiment.treatments)]


def _propensity_scores(context: StageContext) -> NDArray[np.float64]:
    """Probabilities of the treatments as ``validate`` has them, NaN for users that it did not keep."""
    treatments = context.experiment.treatments
    columns = [f"{name}__{arm}" for name in ("propensity", "kept") for arm in treatments]
    table = context.read_table("validate", "propensity", columns)
    kept = table[[f"kept__{arm}" for arm in treatments]].to_numpy(dtype=bool)
    return np.where(kept, table[[f"propensity__{arm}" for arm in treatments]].to_numpy(), np.nan)
