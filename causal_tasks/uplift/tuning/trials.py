"""What a search has tried, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of parameters and how well the learner ranked held-out users with it.

    Attributes:
        number: 0 has the learner's own parameters.
        state: ``pruned`` where it was given up before it was fitted on all rows.
        parameters: Those that are searched.
        rung_auucs: After fitting on the rows of each rung that it reached, benefit per user, mean over folds.
        fold_auucs: The same by held-out fold, at the last rung that it reached.
        auuc: After fitting on all rows, mean over folds; None where pruned.
    """

    number: int
    state: Literal["complete", "pruned"]
    parameters: Mapping[str, float]
    rung_auucs: tuple[float, ...]
    fold_auucs: Mapping[str, float]
    auuc: float | None

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The trial of which ``record`` has the attributes."""
        return cls(**{**record, "rung_auucs": tuple(record["rung_auucs"])})


@dataclass(frozen=True, slots=True)
class Tuning:
    """The trials of one learner.

    Attributes:
        trials: In the order of their numbers.
        rungs: Users that a trial is fitted on at each rung, in the fold that has the fewest.
        scored: Users that it is scored on, in all folds.
        default_outside: Parameters of trial 0 that lie outside the ranges that the others are drawn from.
        stopped_early: Whether time ran out before the last trial.
    """

    trials: tuple[Trial, ...]
    rungs: tuple[int, ...]
    scored: int
    default_outside: tuple[str, ...] = ()
    stopped_early: bool = False

    @property
    def rows(self) -> int:
        """Users that a complete trial was fitted on."""
        return self.rungs[-1]

    @property
    def best(self) -> Trial:
        """The complete trial with the highest score; the earliest of equals."""
        return max((trial for trial in self.trials if trial.auuc is not None), key=lambda trial: trial.auuc or 0.0)
