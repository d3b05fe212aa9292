"""How many rows came in, how many units were dropped and why, how many are left: by arm, in order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


class Waterfall:
    """Counts by arm at every step from assignment rows to analysed units.

    Attributes:
        left: Units by arm after the last step.
    """

    def __init__(self, arms: Sequence[str], *, rows: Counts, units: Counts) -> None:
        self._arms = tuple(arms)
        self._steps: list[dict[str, Any]] = []
        self._add("rows", rows, np.zeros_like(rows))
        self._add("first_exposure", units, np.zeros_like(units))

    def drop(self, step: str, dropped: Counts) -> None:
        """Record units that were dropped for a reason."""
        self._add(step, self.left - dropped, dropped)

    def finish(self) -> dict[str, Any]:
        """The steps as JSON, the analysed units last."""
        self._add("analysed", self.left, np.zeros_like(self.left))
        return {"steps": self._steps}

    def _add(self, step: str, units: Counts, dropped: Counts) -> None:
        self.left = units
        self._steps.append({"step": step, "units": self._by_arm(units), "dropped": self._by_arm(dropped)})

    def _by_arm(self, counts: Counts) -> dict[str, int]:
        """Counts under their arm's label."""
        return {arm: int(count) for arm, count in zip(self._arms, counts, strict=True)}
