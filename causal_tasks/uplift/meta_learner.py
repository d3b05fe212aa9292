"""Learners that are made from models of a mean."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from weakref import ref

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags, get_tags

from causal_tasks.base_models import BASE_MODELS, BaseModel, DesignMatrix, Features, Range, deciding, predict_mean
from causal_tasks.base_models.tree_model import TreeModel
from causal_tasks.errors import InputError
from causal_tasks.uplift.learner import UpliftLearner
from causal_tasks.uplift.saved_model import ModelDescription
from causal_tasks.uplift.training_data import TrainingData


class MetaLearner(UpliftLearner):
    """A learner of the effect on each user, made from models of a mean.

    Args:
        base_model: Unfitted model of a mean, one of ``causal_tasks.base_models`` or any regressor in the manner of
            scikit-learn, which gets features as a frame, takes weights only where there are some, and cannot be saved.
            It is cloned for every model that the learner needs.

    Attributes:
        models_: Fitted base models by what they model; saved under these names.
    """

    def __init__(self, base_model: BaseModel) -> None:
        self.base_model = base_model

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        of_base_model = get_tags(self.base_model).input_tags
        tags.input_tags.allow_nan = of_base_model.allow_nan
        tags.input_tags.categorical = of_base_model.categorical
        return tags

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Where base models are fitted."""
        return "cuda" if getattr(self.base_model, "device", "cpu") == "cuda" else "cpu"

    @property
    def library(self) -> str:
        """Module of the base model.

        Raises:
            InputError: The base model is none of this package's.
        """
        self._require_savable()
        return self.base_model.library

    @property
    def features_(self) -> Features:
        """The features it was fitted on, with their levels."""
        known: Features = next(iter(self.models_.values())).features_  # type: ignore[attr-defined]
        # A model of an S-learner reads the treatment besides.
        return Features({name: known.levels[name] for name in self.feature_names_in_}, known.unseen)

    @property
    def search_space(self) -> Mapping[str, Range]:
        """What tuning may set of the base model; nothing for one that is not of this package."""
        return getattr(self.base_model, "search_space", {})

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the base model that decide the result."""
        return deciding(self.base_model.get_params())

    def with_parameters(self, parameters: Mapping[str, Any]) -> Self:
        """An unfitted clone with some parameters of its base model changed."""
        return self._with(**{f"base_model__{name}": value for name, value in parameters.items()})

    @abstractmethod
    def _fit_models(self, data: TrainingData) -> dict[str, BaseModel]: ...

    def _fit(self, data: TrainingData) -> None:
        self.models_: dict[str, BaseModel] = self._fit_models(data)

    def _write(self, folder: Path) -> dict[str, Any]:
        for name, model in self.models_.items():
            model.save(folder / f"{name}{model.suffix}")
        return {
            "base_model": type(self.base_model).__name__,
            "models": {name: f"{name}{model.suffix}" for name, model in self.models_.items()},
        }

    def _read(self, folder: Path, state: Mapping[str, Any]) -> None:
        model = type(self.base_model)
        self.models_ = {
            name: model(**self.base_model.get_params()).load(folder / file) for name, file in state["models"].items()
        }

    @classmethod
    def _unfitted(cls, description: ModelDescription) -> Self:
        base_model = description.state["base_model"]
        if base_model not in BASE_MODELS:
            raise InputError(
                f"the model was made from {base_model}, not from {', '.join(BASE_MODELS)}",
                remedy="load it with the version that saved it",
            )
        return cls(BASE_MODELS[base_model]()).with_parameters(description.parameters)

    def _require_savable(self) -> None:
        if type(self.base_model).__name__ not in BASE_MODELS:
            raise InputError(
                f"models of {type(self.base_model).__name__} have no file format that holds no code",
                remedy=f"use one of {', '.join(BASE_MODELS)} where models are to be saved",
            )


OUTCOME = "outcome"


def outcome_of(arm: int) -> str:
    """Name of the model of the mean outcome in an arm."""
    return f"{OUTCOME}-{arm}"


def mean_outcome(models: Mapping[str, BaseModel], arm: int, X: DesignMatrix) -> NDArray[np.float32]:
    """Mean outcomes in an arm by its model among ``models``, shape (n,).

    Learners of the same users have these models in common: what one of them asked, no other asks again.
    """
    model = models[outcome_of(arm)]
    if not isinstance(model, TreeModel):
        # Learners do not have it in common, and equality may mean to it what it likes.
        return predict_mean(model, X)
    mean: NDArray[np.float32] = X.recent(
        # What it said may be kept longer than the model.
        ("mean", ref(model), X.digest()),
        lambda: predict_mean(model, X),
        size=len(X) * np.dtype(np.float32).itemsize,
    )
    return mean


def outcome_models(data: TrainingData, base_model: BaseModel) -> dict[str, BaseModel]:
    """One model of the mean outcome for each arm."""
    models = {}
    for arm in range(len(data.labels)):
        rows = data.rows_of(arm)
        models[outcome_of(arm)] = data.fitted(base_model, rows, data.outcome[rows])
    return models
