"""What all models behind an allocation share: arguments, arms, forecasts, saving and loading."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.responses import Propensity, Responses
from causal_tasks.base_models import DesignMatrix, Features, StoredDesign, deciding
from causal_tasks.errors import InputError
from causal_tasks.uplift.saved_model import ModelDescription, require_lasting_labels


class BudgetModel(BaseEstimator, ABC):  # type: ignore[misc]
    """A model that says what every arm brings and costs, so that a solver can spend a budget.

    At a price lambda of money the decision for a unit is ``argmax_j outcome_j - lambda * cost_j``.

    Attributes:
        arms_: Labels, control first: the order of columns in ``predict``.
        prices_by_arm_: What every arm costs where that was declared, or was the same for all its units; None: costs
            differ and are predicted.
        notes_: Codes of caveats.
        feature_names_in_: Names of the features, shape (p,).
        n_features_in_: Their number.
    """

    USES_LOGS: ClassVar[bool] = False
    """Whether ``fit`` takes observational rows besides the experiment's."""

    device: Literal["cpu", "cuda"] = "cpu"

    def fit(
        self,
        X: Any,
        outcome: ArrayLike,
        treatment: ArrayLike,
        *,
        cost: Mapping[Any, float] | ArrayLike,
        control: Any = None,
        propensity: Propensity | None = None,
        logs: Responses | None = None,
    ) -> Self:
        """Learn from a randomised experiment.

        Args:
            X: Shape (n, p), a frame of numeric, boolean and categorical columns, missing values allowed, a numeric
                array, or a ``DesignMatrix``.
            outcome: Shape (n,), larger is better.
            treatment: Shape (n,), arm labels.
            cost: Shape (n,), what each unit cost; or by label what an arm costs for everybody.
            control: Label of the control arm; None: 0.
            propensity: Probability of every arm by label, or shape (n, M) in the order of ``arms_``; None: units were
                randomised and the shares of ``treatment`` are taken.
            logs: Observational rows of the same features and arms, for models with ``USES_LOGS``.

        Raises:
            InputError: An argument is wrong, see ``Responses.checked``, or the model takes no ``logs``.
        """
        data = Responses.checked(X, outcome, treatment, cost=cost, control=control, propensity=propensity)
        return self.fit_responses(data, logs=logs)

    def fit_responses(self, data: Responses, *, logs: Responses | None = None) -> Self:
        """``fit`` on arguments that have been checked."""
        if logs is not None and not self.USES_LOGS:
            raise InputError(
                f"{type(self).__name__} learns from an experiment alone",
                remedy="leave logs out, or use BilevelDecisionFocused",
            )
        if logs is not None and logs.labels != data.labels:
            raise InputError(
                f"logs have the arms {list(logs.labels)}, the experiment {list(data.labels)}",
                remedy="pass logs of the same arms in the same order: Responses.checked(…, arms=…)",
            )
        self.arms_ = data.labels
        self.prices_by_arm_ = data.prices
        self.notes_: tuple[str, ...] = data.notes
        self.feature_names_in_ = np.array(data.X.columns, dtype=object)
        self.n_features_in_ = len(data.X.columns)
        self._fit(data, logs)
        return self

    def predict(self, X: Any) -> Forecast:
        """Outcome and cost of every unit under every arm, shape (n, M) each.

        Raises:
            InputError: A feature is missing, has become categorical or numeric, or has a level that was not there; or a
                prediction is not finite.
        """
        check_is_fitted(self, "arms_")
        design = self._design(X)
        outcome, cost = (np.empty((len(design), len(self.arms_)), dtype=np.float32) for _ in range(2))
        begin = 0
        for chunk in design.chunks():
            rows = slice(begin, begin + len(chunk))
            outcome[rows], cost[rows] = self._predict(chunk)
            begin += len(chunk)
        for arm, price in enumerate(self.prices_by_arm_):
            if price is not None:
                cost[:, arm] = price
        return Forecast.checked(outcome, np.maximum(cost, 0, out=cost))

    def _design(self, X: Any) -> DesignMatrix | StoredDesign:
        """``X`` with every feature of ``fit``."""
        design = X if isinstance(X, StoredDesign) else DesignMatrix.of(X)
        if absent := [name for name in self.feature_names_in_ if name not in design.columns]:
            raise InputError(f"X lacks the columns {absent}", remedy="pass every column that the model was fitted on")
        return design

    @property
    def control_(self) -> Any:
        """Label of the control arm."""
        return self.arms_[0]

    @property
    def parameters(self) -> dict[str, Any]:
        """All that decide the result, without those that say where it is computed."""
        return deciding(self.get_params())

    propensity_: ClassVar[None] = None
    """For ``ModelDescription``: no forecast needs it."""

    @property
    @abstractmethod
    def library(self) -> str:
        """Module whose version decides whether a saved model can be read."""

    @property
    @abstractmethod
    def features_(self) -> Features:
        """The features it was fitted on, with their levels."""

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and the files of the model, in formats that hold no code.

        Raises:
            InputError: Arms are labelled by neither text nor numbers.
        """
        check_is_fitted(self, "arms_")
        require_lasting_labels(self.arms_)
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "model": self._write(folder),
            "prices": list(self.prices_by_arm_),
            "notes": list(self.notes_),
        }
        ModelDescription.of(self, state, folder).write(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that ``save`` wrote to ``folder``.

        Raises:
            InputError: The folder holds another model, one that a newer version wrote, or files that have changed
                since.
        """
        description = ModelDescription.read(folder)
        description.require(cls.__name__, folder)
        model = cls._unfitted(description)
        model.arms_ = tuple(description.arms)
        model.prices_by_arm_ = tuple(description.state["prices"])
        model.notes_ = tuple(description.state["notes"])
        model.feature_names_in_ = np.array(description.features, dtype=object)
        model.n_features_in_ = len(description.features)
        model._read(folder, description.state["model"])  # noqa: SLF001 - of this class
        return model

    @classmethod
    def _unfitted(cls, description: ModelDescription) -> Self:
        return cls(**description.parameters)

    @abstractmethod
    def _fit(self, data: Responses, logs: Responses | None) -> None: ...

    @abstractmethod
    def _predict(self, chunk: DesignMatrix) -> Forecast:
        """Levels of a few rows; costs are replaced where ``prices_by_arm_`` knows them."""

    @abstractmethod
    def _write(self, folder: Path) -> dict[str, Any]:
        """Write the model; returns what ``_read`` needs besides, as JSON."""

    @abstractmethod
    def _read(self, folder: Path, state: Mapping[str, Any]) -> None:
        """Take over the model that ``_write`` wrote."""
