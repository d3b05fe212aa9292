"""Networks of which each has seen one half of the units, so that every unit has a forecast that has not seen it."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.networks.forecaster import Forecaster
from causal_tasks.allocation.networks.training import Schedule
from causal_tasks.allocation.responses import Responses
from causal_tasks.base_models import DesignMatrix

HIDDEN = (32, 32)
"""Layers of a network whose only purpose is to take noise out of an estimate."""


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """Two forecasters and what each says of the half that it has not seen.

    Attributes:
        forecasters: One for each half.
        out_of_fold: Of the units that they were fitted on, shape (n, M) each.
    """

    forecasters: tuple[Forecaster, Forecaster]
    out_of_fold: Forecast

    @classmethod
    def fit(cls, data: Responses, schedule: Schedule, *, validation_share: float, device: str = "cpu") -> Self:
        """Fit a network to either half of every arm; a share of the half tells when to stop."""
        second = data.held_out(0.5, seed=schedule.seed)
        shape = (len(data), len(data.labels))
        out_of_fold = Forecast(np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32))
        forecasters = []
        for half in (second, ~second):
            forecaster = Forecaster.fitted(
                data.take(~half), schedule, hidden=HIDDEN, validation_share=validation_share, device=device
            )
            for levels, predicted in zip(out_of_fold, _predict(forecaster, data.take(half).X), strict=True):
                levels[half] = predicted
            forecasters.append(forecaster)
        return cls((forecasters[0], forecasters[1]), out_of_fold)

    def predict(self, X: DesignMatrix) -> Forecast:
        """Of units that neither has seen, the mean of both."""
        first, second = (_predict(forecaster, X) for forecaster in self.forecasters)
        outcome, cost = ((one + other) / np.float32(2) for one, other in zip(first, second, strict=True))
        return Forecast(outcome, cost)


def _predict(forecaster: Forecaster, X: DesignMatrix) -> Forecast:
    parts = [forecaster.predict(chunk) for chunk in X.chunks()]
    outcome, cost = zip(*parts, strict=True)
    return Forecast(np.concatenate(outcome), np.concatenate(cost))
