"""What the stages read of the users: arm, part, fold and how they responded."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.data.columns import outcome_columns
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.segments.statement import response_metric, stated_segmenting
from causal_tasks.uplift.outcome import outcome_baseline, user_outcome

Mask = NDArray[np.bool_]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SegmentUsers:
    """Users of a run, in its order.

    Attributes:
        response: Shape (n,), benefit scale, so that more is better; NaN where a user has none.
        arm: Shape (n,), position in ``Experiment.arms``.
        discovery: Shape (n,).
        fold: Shape (n,), of the discovery part.
        clusters: Shape (n,), who was randomised together; None: each user alone.
        experiment: The experiment.
    """

    response: Vector
    arm: NDArray[np.intp]
    discovery: Mask
    fold: NDArray[np.int8]
    clusters: NDArray[np.generic] | None
    experiment: Experiment

    @classmethod
    def read(cls, context: StageContext) -> Self:
        """The users of the run.

        Raises:
            InputError: The experiment states no segmenting, or the response is a ratio without a denominator.
        """
        experiment = context.experiment
        metric, control = response_metric(experiment), experiment.control
        columns = ["arm", "part", "fold", *outcome_columns(metric)] + (["cluster"] if experiment.cluster else [])
        frame: pd.DataFrame = context.read_table("prepare", "users", columns)
        response = user_outcome(frame, metric, control=control) + outcome_baseline(frame, metric, control=control)
        return cls(
            metric.benefit(response),
            pd.Index(experiment.arms).get_indexer(pd.Index(frame["arm"].astype("str"))),
            (frame["part"] == "discovery").to_numpy(dtype=bool),
            frame["fold"].to_numpy(dtype=np.int8),
            frame["cluster"].to_numpy() if experiment.cluster else None,
            experiment,
        )

    def __len__(self) -> int:
        return len(self.arm)

    @property
    def shown(self) -> Mask:
        """Shape (n,), who was shown a creative of a segment."""
        return self.shown_any(*stated_segmenting(self.experiment).segment_of)

    @property
    def labels(self) -> NDArray[np.object_]:
        """Shape (n,), arm labels."""
        return np.array(self.experiment.arms, dtype=object)[self.arm]

    def shown_any(self, *creatives: str) -> Mask:
        """Shape (n,), who was shown one of these."""
        wanted = [position for position, arm in enumerate(self.experiment.arms) if arm in creatives]
        return np.asarray(np.isin(self.arm, wanted))

    @property
    def learned(self) -> Mask:
        """Shape (n,), who is learned from."""
        return self.discovery & self.shown & ~np.isnan(self.response)

    @property
    def measured(self) -> Mask:
        """Shape (n,), on whom it is measured what was learned; nobody of them is learned from."""
        measured: Mask = ~self.discovery & ~np.isnan(self.response)
        return measured
