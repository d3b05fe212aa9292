"""Two stages: predict outcome and cost under every arm as well as possible, then leave the rest to a solver."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.budget_model import BudgetModel
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.responses import Responses
from causal_tasks.base_models import DesignMatrix, Features
from causal_tasks.errors import InputError
from causal_tasks.uplift.candidates import CANDIDATES, candidate
from causal_tasks.uplift.learner import UpliftLearner
from causal_tasks.uplift.registry import load_learner

if TYPE_CHECKING:
    from causal_tasks.allocation.networks.forecaster import Forecaster

NETWORK = "network"
"""The model that predicts outcome and cost of all arms at once."""

NETWORK_SETTINGS: Mapping[str, Any] = {
    "hidden": (32, 32),
    "learning_rate": 3e-3,
    "weight_decay": 1e-5,
    "batch_size": 512,
    "epochs": 100,
    "patience": 10,
    "validation_share": 0.2,
}
"""``settings`` of the network and what they are unless stated; see ``networks.training.Schedule``."""

_OUTCOME, _COST = "outcome", "cost"


class TwoStage(BudgetModel):
    """Models of the outcome and of the cost, fitted without a thought of the decision.

    The yardstick of every decision-focused method: where the models are right, nothing beats it; where they are
    mis-specified, errors that do not change a decision cost it as much as those that do.

    Args:
        model: One of ``causal_tasks.uplift.candidates.CANDIDATES``, such as ``t_lightgbm``, fitted once to the outcome
            and once to the cost, where that is not known; or ``network``: one network that has an output for every arm
            and either target.
        settings: Parameters of the model by name, those of ``causal_tasks.uplift.candidates.candidate`` or of
            ``NETWORK_SETTINGS``; the others keep their defaults.
        device: Where the models are fitted.
        n_jobs: Threads.
        random_state: Seed.

    Source: Zhou et al. (2024), "Decision focused causal learning for direct counterfactual marketing optimization", who
    name it TSM.
    """

    def __init__(
        self,
        model: str = "t_lightgbm",
        *,
        settings: Mapping[str, Any] | None = None,
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.model = model
        self.settings = settings
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def library(self) -> str:
        """Module whose version decides whether a saved model can be read."""
        return self._first_stage.library

    @property
    def features_(self) -> Features:
        """The features it was fitted on, with their levels."""
        return self._first_stage.features

    def _fit(self, data: Responses, logs: Responses | None) -> None:  # noqa: ARG002 - USES_LOGS is False
        self._first_stage: _FirstStage = self._network(data) if self.model == NETWORK else self._learners(data)

    def _learners(self, data: Responses) -> "_Learners":
        if self.model not in CANDIDATES:
            raise InputError(
                f"model {self.model!r} is unknown", remedy=f"use {NETWORK} or one of {', '.join(CANDIDATES)}"
            )
        return _Learners(
            self._learner().fit(data.X, data.outcome, **_design(data)),
            None if data.price is not None else self._learner().fit(data.X, data.cost, **_design(data)),
            data.labels,
        )

    def _learner(self) -> UpliftLearner:
        return candidate(
            self.model,
            device=self.device,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
            parameters=self.settings,
        )

    def _network(self, data: Responses) -> "_Network":
        from causal_tasks.allocation.networks.forecaster import Forecaster
        from causal_tasks.allocation.networks.training import Schedule
        from causal_tasks.uplift.networks.trainer import threads

        if unknown := [name for name in self.settings or {} if name not in NETWORK_SETTINGS]:
            raise InputError(
                f"settings of the network name {unknown}", remedy=f"use some of {', '.join(NETWORK_SETTINGS)}"
            )
        settings = {**NETWORK_SETTINGS, **(self.settings or {})}
        hidden, share = tuple(settings.pop("hidden")), settings.pop("validation_share")
        schedule = Schedule(**settings, seed=self.random_state)
        with threads(self.n_jobs):
            return _Network(
                Forecaster.fitted(data, schedule, hidden=hidden, validation_share=share, device=self.device)
            )

    def _predict(self, chunk: DesignMatrix) -> Forecast:
        return self._first_stage.predict(chunk, self.n_jobs)

    def _write(self, folder: Path) -> dict[str, Any]:
        return self._first_stage.write(folder)

    def _read(self, folder: Path, state: Mapping[str, Any]) -> None:
        kind: type[_FirstStage] = _Network if self.model == NETWORK else _Learners
        self._first_stage = kind.read(folder, state, self.arms_)


class _FirstStage(Protocol):
    """What predicts outcome and cost."""

    @property
    def library(self) -> str: ...

    @property
    def features(self) -> Features: ...

    def predict(self, chunk: DesignMatrix, n_jobs: int) -> Forecast: ...

    def write(self, folder: Path) -> dict[str, Any]: ...

    @classmethod
    def read(cls, folder: Path, state: Mapping[str, Any], arms: tuple[Any, ...]) -> Self: ...


@dataclass(frozen=True, slots=True)
class _Learners:
    """A learner for the outcome and one for the cost; None: the cost is known."""

    outcome: UpliftLearner
    cost: UpliftLearner | None
    arms: tuple[Any, ...]

    @property
    def library(self) -> str:
        return self.outcome.library

    @property
    def features(self) -> Features:
        return self.outcome.features_

    def predict(self, chunk: DesignMatrix, n_jobs: int) -> Forecast:  # noqa: ARG002 - learners know theirs
        outcome = self._levels(self.outcome, chunk)
        return Forecast(outcome, np.zeros_like(outcome) if self.cost is None else self._levels(self.cost, chunk))

    def _levels(self, learner: UpliftLearner, chunk: DesignMatrix) -> NDArray[np.float32]:
        # A learner sorts its arms, whoever fits a budget model may state another order.
        order = [learner.arms_.index(arm) for arm in self.arms]
        return learner.predict_outcomes(chunk)[:, order]

    def write(self, folder: Path) -> dict[str, Any]:
        self.outcome.save(folder / _OUTCOME)
        if self.cost is not None:
            self.cost.save(folder / _COST)
        return {"learners": [_OUTCOME] if self.cost is None else [_OUTCOME, _COST]}

    @classmethod
    def read(cls, folder: Path, state: Mapping[str, Any], arms: tuple[Any, ...]) -> Self:
        learners = {name: load_learner(folder / name) for name in state["learners"]}
        return cls(learners[_OUTCOME], learners.get(_COST), arms)


@dataclass(frozen=True, slots=True)
class _Network:
    """One network for all."""

    forecaster: "Forecaster"

    @property
    def library(self) -> str:
        return "torch"

    @property
    def features(self) -> Features:
        return self.forecaster.encoding.features

    def predict(self, chunk: DesignMatrix, n_jobs: int) -> Forecast:
        from causal_tasks.uplift.networks.trainer import threads

        with threads(n_jobs):
            return self.forecaster.predict(chunk)

    def write(self, folder: Path) -> dict[str, Any]:
        return self.forecaster.write(folder)

    @classmethod
    def read(cls, folder: Path, state: Mapping[str, Any], arms: tuple[Any, ...]) -> Self:  # noqa: ARG003
        from causal_tasks.allocation.networks.forecaster import Forecaster

        return cls(Forecaster.read(folder, state))


def _design(data: Responses) -> dict[str, Any]:
    """Who was in which arm and how that came about, as arguments of a learner's ``fit``."""
    arms: dict[str, Any] = {
        "treatment": np.array(data.labels, dtype=object)[data.arm],
        "control": data.labels[0],
    }
    shares = data.propensity[0]
    if (data.propensity == shares).all():
        return arms | {"propensity": dict(zip(data.labels, shares.tolist(), strict=True))}
    # So weighted, every unit looks as if its arm had been drawn with even chances.
    even = 1 / len(data.labels)
    return arms | {"propensity": dict.fromkeys(data.labels, even), "sample_weight": data.weight * even}
