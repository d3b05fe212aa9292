"""What all learners of effects share: arguments, arms, saving and loading."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from causal_tasks.base_models import BASE_MODELS, BaseModel, library_version
from causal_tasks.effects.arguments import read_arms
from causal_tasks.errors import InputError

DESCRIPTION = "model.json"

Effects = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Checked arguments of ``fit``.

    Attributes:
        X: Shape (n, p).
        outcome: Shape (n,).
        arm: Shape (n,), 0 for control, k for ``labels[k]``.
        labels: Control first.
        propensity: Share of each arm, shape (K + 1,); None: unknown.
        weight: Shape (n,); None weighs every row alike.
    """

    X: pd.DataFrame
    outcome: NDArray[np.float64]
    arm: NDArray[np.intp]
    labels: tuple[Any, ...]
    propensity: NDArray[np.float64] | None
    weight: NDArray[np.float64] | None

    @classmethod
    def checked(
        cls,
        X: pd.DataFrame,
        outcome: ArrayLike,
        treatment: ArrayLike,
        *,
        control: Any,
        propensity: Mapping[Any, float] | None,
        sample_weight: ArrayLike | None,
    ) -> Self:
        """The arguments of ``fit`` in one form.

        Raises:
            InputError: Lengths differ, a label is missing, there is no control arm or no other, or ``propensity`` does
                not name exactly the arms in ``treatment``, each with a positive share.
        """
        arms = read_arms(treatment, control=control)
        values = np.asarray(outcome, dtype=np.float64)
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        lengths = {len(X), len(values), len(arms.codes), *(() if weight is None else (len(weight),))}
        if len(lengths) > 1:
            raise InputError(f"X, outcome, treatment and weight have {sorted(lengths)} rows", remedy="align them")
        return cls(X, values, arms.codes, arms.labels, _shares(propensity, arms.labels), weight)

    def fitted(self, base_model: BaseModel, rows: NDArray[np.intp], outcome: NDArray[np.float64]) -> BaseModel:
        """A clone of the base model, fitted on ``outcome``, shape (m,), of the users at positions ``rows``."""
        weight = None if self.weight is None else self.weight[rows]
        fitted: BaseModel = clone(base_model).fit(self.X.iloc[rows], outcome, sample_weight=weight)
        return fitted

    def with_features(self, X: pd.DataFrame) -> Self:
        """The same users with other features."""
        return replace(self, X=X)

    def rows_of(self, *arms: int) -> NDArray[np.intp]:
        """Positions of the users in these arms."""
        return np.flatnonzero(np.isin(self.arm, arms))


class MetaLearner(BaseEstimator, ABC):  # type: ignore[misc]
    """A learner of the effect on each user, made from models of a mean.

    Args:
        base_model: Unfitted model of a mean; it is cloned for every model that the learner needs.

    Attributes:
        control_: Label of the control arm.
        treatments_: Labels of the treatments, sorted: the order of columns in ``predict``.
        propensity_: Known share of each arm in the order of ``arms_``; None: unknown.
        models_: Fitted base models by what they model; saved under these names.
    """

    FITS_EACH_ARM: ClassVar[bool]
    """Whether it fits models on the users of one arm alone, which a small arm makes poor."""

    def __init__(self, base_model: BaseModel) -> None:
        self.base_model = base_model

    @property
    def arms_(self) -> tuple[Any, ...]:
        """Labels of all arms, control first: the order of columns in ``predict_outcomes``."""
        return (self.control_, *self.treatments_)

    def fit(
        self,
        X: pd.DataFrame,
        outcome: ArrayLike,
        treatment: ArrayLike,
        *,
        control: Any = None,
        propensity: Mapping[Any, float] | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn the effect of every treatment; all are compared with the same control.

        Args:
            X: Shape (n, p), numeric, boolean and categorical columns; missing values allowed.
            outcome: Shape (n,), finite.
            treatment: Shape (n,), arm labels.
            control: Label of the control arm; None: 0.
            propensity: Known share of every arm by label, as in a randomised experiment; None: unknown. Only their
                ratios count.
            sample_weight: Shape (n,); None weighs every row alike.

        Raises:
            InputError: Lengths differ, a label or outcome is missing, there is no control arm or no other, or
                ``propensity`` does not name exactly the arms in ``treatment``, each with a positive share.
        """
        data = TrainingData.checked(
            X, outcome, treatment, control=control, propensity=propensity, sample_weight=sample_weight
        )
        self.control_, *self.treatments_ = data.labels
        self.propensity_ = data.propensity
        self.models_: dict[str, BaseModel] = self._fit_models(data)
        return self

    def predict(self, X: pd.DataFrame) -> Effects:
        """Effects in outcome units: shape (n,) for one treatment, (n, K) in the order of ``treatments_`` for more."""
        outcomes = self.predict_outcomes(X)
        uplift = outcomes[:, 1:] - outcomes[:, :1]
        return uplift[:, 0] if len(self.treatments_) == 1 else uplift

    def predict_outcomes(self, X: pd.DataFrame) -> Effects:
        """Mean outcomes under each arm, shape (n, K + 1), columns in the order of ``arms_``."""
        check_is_fitted(self, "models_")
        return self._predict_outcomes(X)

    def uses_treatment(self) -> bool:
        """Whether the fitted model can tell every treatment from the control."""
        return True

    @abstractmethod
    def _fit_models(self, data: TrainingData) -> dict[str, BaseModel]: ...

    @abstractmethod
    def _predict_outcomes(self, X: pd.DataFrame) -> Effects: ...

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and one file for each base model, in the base model's own format."""
        check_is_fitted(self, "models_")
        folder.mkdir(parents=True, exist_ok=True)
        for name, model in self.models_.items():
            model.save(folder / f"{name}{model.suffix}")
        library = self.base_model.library
        description = {
            "learner": type(self).__name__,
            "base_model": type(self.base_model).__name__,
            "library": {"name": library, "version": library_version(library)},
            "parameters": self.base_model.get_params(),
            "arms": list(self.arms_),
            "propensity": None if self.propensity_ is None else self.propensity_.tolist(),
            "models": {name: f"{name}{model.suffix}" for name, model in self.models_.items()},
        }
        (folder / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The learner that ``save`` wrote to ``folder``.

        Raises:
            InputError: The folder holds another learner, one made from an unknown base model, or one that a newer
                version of its library wrote.
        """
        description = read_description(folder)
        if description["learner"] != cls.__name__ or description["base_model"] not in BASE_MODELS:
            raise InputError(
                f"{folder} holds a {description['learner']} of {description['base_model']}, not a {cls.__name__} of "
                f"{', '.join(BASE_MODELS)}",
                remedy="load it with the class and the version that saved it",
            )
        _require_version(**description["library"])
        learner = cls(BASE_MODELS[description["base_model"]](**description["parameters"]))
        learner.control_, *learner.treatments_ = description["arms"]
        shares = description["propensity"]
        learner.propensity_ = None if shares is None else np.asarray(shares, dtype=np.float64)
        learner.models_ = {
            name: clone(learner.base_model).load(folder / file) for name, file in description["models"].items()
        }
        return learner


def read_description(folder: Path) -> dict[str, Any]:
    """What ``MetaLearner.save`` wrote about a learner: its class, arms and files."""
    description: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return description


def _shares(propensity: Mapping[Any, float] | None, labels: tuple[Any, ...]) -> NDArray[np.float64] | None:
    if propensity is None:
        return None
    if set(propensity) != set(labels):
        raise InputError(
            f"propensity names the arms {list(propensity)}, treatment has {list(labels)}",
            remedy="give the share of every arm that has users, and of no other",
        )
    shares = np.array([propensity[label] for label in labels], dtype=np.float64)
    if not (np.isfinite(shares) & (shares > 0)).all():
        raise InputError(f"propensity has the shares {shares.tolist()}", remedy="give every arm a positive share")
    return shares


def _require_version(name: str, version: str) -> None:
    installed = library_version(name)
    if _release(installed) < _release(version):
        raise InputError(
            f"the model was saved with {name} {version}, {installed} is installed",
            remedy=f"install {name} {version} or newer",
        )


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".")[:2])
