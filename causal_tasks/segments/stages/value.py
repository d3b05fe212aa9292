"""Stage ``value_segments``: what assigning segments brings, on users whom nothing was learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.evaluation.inverse_propensity import PolicyComparison
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.segments.assigned_table import CREATIVE, SEGMENT, SEPARATE
from causal_tasks.segments.stages.users import Mask, SegmentUsers
from causal_tasks.segments.statement import stated_segmenting
from causal_tasks.segments.value import Assignment, assignment_value, compare_assignments
from causal_tasks.storage import Uri

NO_SEGMENT = ""
"""Stands for the segment of arms that are of none; no segment can have this name."""

DIFFERENCES = {
    "vs_best_creative": ("segments", "best_creative"),
    "vs_best_segment": ("segments", "best_segment"),
    "vs_separate": ("segments", "separate"),
    "vs_mix": ("segments", "mix"),
    "vs_control": ("segments", "control"),
    "best_in_segment_vs_best_creative": ("best_in_segment", "best_creative"),
    "separate_vs_best_creative": ("separate", "best_creative"),
    "separate_vs_best_in_segment": ("separate", "best_in_segment"),
}
"""What is subtracted from what; the first is the one that the report's verdict rests on."""


def value_segments(context: StageContext) -> dict[str, Uri]:
    """Write ``values``: responses by creative, by policy, and by assigned and shown segment, on the benefit scale."""
    users = SegmentUsers.read(context)
    table = context.read_table("assign_segments", "assignments", [SEGMENT, CREATIVE, SEPARATE])
    best = context.read_json("assign_segments", "assigned")["best"]
    measured = Measured.of(users, table)
    found = measured.compared(policies(measured, best))
    values = {
        "creatives": [measured.creative(arm) for arm in context.experiment.arms],
        "policies": {name: _json(found.values[name].value) for name in found.values}
        | dict.fromkeys({"control"} - found.values.keys()),
        "differences": _differences(found),
        "matrix": measured.matrix(),
        "notes": list(found.notes),
    }
    return {"values": context.write_json("values.json", values)}


@dataclass(frozen=True, slots=True)
class Measured:
    """Users of the estimation part who responded.

    Attributes:
        response: Shape (n,), benefit scale.
        arm: Shape (n,), what each was shown.
        assigned: ``segment``, ``creative`` and ``separate`` of each.
        clusters: Shape (n,), who was randomised together; None: each user alone.
        experiment: The experiment.
    """

    response: NDArray[np.float64]
    arm: NDArray[np.object_]
    assigned: pd.DataFrame
    clusters: NDArray[np.generic] | None
    experiment: Experiment

    @classmethod
    def of(cls, users: SegmentUsers, assigned: pd.DataFrame) -> Self:
        """Those of the run's users, all of whom are assigned a segment."""
        rows = users.measured
        clusters = None if users.clusters is None else users.clusters[rows]
        return cls(users.response[rows], users.labels[rows], assigned[rows], clusters, users.experiment)

    @property
    def segment_of(self) -> dict[str, str]:
        """The segment of every creative."""
        return stated_segmenting(self.experiment).segment_of

    def labels(self, column: str) -> NDArray[np.object_]:
        """A column of ``assigned``, shape (n,)."""
        return self.assigned[column].to_numpy(dtype=object)

    def compared(self, assignments: Mapping[str, Assignment]) -> PolicyComparison:
        """What assignments bring."""
        return compare_assignments(
            self.response,
            self.arm,
            assignments,
            baseline="best_creative",
            segment_of=self.segment_of,
            propensity=self.experiment.expected_shares,
            clusters=self.clusters,
        )

    def creative(self, arm: str) -> dict[str, Any]:
        """How those responded who were shown an arm."""
        segment, shown = self.segment_of.get(arm), self.arm == arm
        everybody = np.ones(len(shown), dtype=bool)
        return {
            "creative": arm,
            "segment": segment,
            "is_reference": segment is None,
            "users": int(shown.sum()),
            "response": self._mean(everybody, shown, Assignment.by_creative(arm)),
        }

    def matrix(self) -> list[dict[str, Any]]:
        """How users assigned a segment responded to the creatives of each; to other arms together, where there are."""
        segments: Sequence[str] = list(stated_segmenting(self.experiment).segments)
        shown = [*segments, *([NO_SEGMENT] if set(self.experiment.arms) - self.segment_of.keys() else [])]
        assigned, home = self.labels(SEGMENT), np.array([self._home[arm] for arm in self.arm], dtype=object)
        return [
            {
                "assigned": own,
                "shown": other or None,
                "users": int(((assigned == own) & (home == other)).sum()),
                "response": self._mean(assigned == own, home == other, Assignment.by_segment(other)),
            }
            for own in segments
            for other in shown
        ]

    @property
    def _home(self) -> dict[str, str]:
        """The segment of every arm, ``NO_SEGMENT`` included."""
        return dict.fromkeys(self.experiment.arms, NO_SEGMENT) | self.segment_of

    def _mean(self, rows: Mask, shown: Mask, assignment: Assignment) -> dict[str, Any] | None:
        """The mean response of those ``rows`` who were ``shown`` what is assigned; None where fewer than two were."""
        clusters = None if self.clusters is None else self.clusters[rows]
        independent = int(rows.sum()) if clusters is None else len(pd.unique(clusters))
        if (rows & shown).sum() < 2 or independent < 2:
            return None
        found = assignment_value(
            self.response[rows],
            self.arm[rows],
            assignment,
            segment_of=self._home,
            propensity=self.experiment.expected_shares,
            clusters=clusters,
        )
        return _json(found.value)


def policies(measured: Measured, best: Mapping[str, Any]) -> dict[str, Assignment]:
    """What is compared, by name.

    Args:
        measured: On whom.
        best: The best ``creative`` and ``segment`` on the discovery part.
    """
    found = {
        "segments": Assignment.by_segment(measured.labels(SEGMENT)),
        "best_in_segment": Assignment.by_creative(measured.labels(CREATIVE)),
        "separate": Assignment.by_creative(measured.labels(SEPARATE)),
        "best_creative": Assignment.by_creative(best["creative"]),
        "best_segment": Assignment.by_segment(best["segment"]),
        "mix": Assignment.as_shown(),
    }
    control = measured.experiment.control
    return found if control in measured.segment_of else found | {"control": Assignment.by_creative(control)}


def _differences(found: PolicyComparison) -> dict[str, Any]:
    return {
        name: _json(found.difference(policy, other)) if other in found.values else None
        for name, (policy, other) in DIFFERENCES.items()
    }


def _json(estimate: Estimate) -> dict[str, Any]:
    written: dict[str, Any] = estimate.model_dump(mode="json")
    return written
