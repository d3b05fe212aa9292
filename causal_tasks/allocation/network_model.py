"""What the budget models that are one network share: how it learns, predicts, and is saved and loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causal_tasks.allocation.budget_model import BudgetModel
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.base_models import DesignMatrix, Features

if TYPE_CHECKING:
    from causal_tasks.allocation.networks.forecaster import Forecaster
    from causal_tasks.allocation.networks.training import Schedule


class LearnedByNetworks(BudgetModel):
    """A budget model whose networks all learn by one schedule."""

    learning_rate: float
    weight_decay: float
    batch_size: int
    epochs: int
    patience: int
    n_jobs: int
    random_state: int

    @property
    def library(self) -> str:
        """Module whose version decides whether a saved model can be read."""
        return "torch"

    @property
    def _schedule(self) -> "Schedule":
        from causal_tasks.allocation.networks.training import Schedule

        return Schedule(
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            epochs=self.epochs,
            patience=self.patience,
            seed=self.random_state,
        )


class NetworkModel(LearnedByNetworks):
    """A budget model whose forecast is that of a network, ``forecaster_``."""

    forecaster_: "Forecaster"

    @property
    def features_(self) -> Features:
        """The features it was fitted on, with their levels."""
        return self.forecaster_.encoding.features

    def _predict(self, chunk: DesignMatrix) -> Forecast:
        from causal_tasks.uplift.networks.trainer import threads

        with threads(self.n_jobs):
            return self.forecaster_.predict(chunk)

    def _write(self, folder: Path) -> dict[str, Any]:
        return self.forecaster_.write(folder)

    def _read(self, folder: Path, state: Mapping[str, Any]) -> None:
        from causal_tasks.allocation.networks.forecaster import Forecaster

        self.forecaster_ = Forecaster.read(folder, state)
