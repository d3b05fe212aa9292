"""Learners of the effect on each user, made from models of the outcome."""

import json
import re
from collections.abc import Mapping
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone

from causal_tasks.base_models import BASE_MODELS, BaseModel
from causal_tasks.effects.arguments import read_arms
from causal_tasks.errors import InputError

DESCRIPTION = "model.json"
_PLAIN = re.compile(r"(?!arm-)[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class TLearner(BaseEstimator):  # type: ignore[misc]
    """One outcome model for each arm; the effect is the difference of their predictions.

    All treatments are compared with the same control model.

    Args:
        base_model: Unfitted model of the mean outcome; it is cloned for each arm.

    Attributes:
        control_: Label of the control arm.
        treatments_: Labels of the treatments, sorted: the order of columns in ``predict``.
        models_: Fitted base model by arm.

    Source: Künzel, Sekhon, Bickel, Yu (2019), section 2.
    """

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
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn the mean outcome of every arm.

        Args:
            X: Shape (n, p), numeric, boolean and categorical columns; missing values allowed.
            outcome: Shape (n,), finite.
            treatment: Shape (n,), arm labels.
            control: Label of the control arm; None: 0.
            sample_weight: Shape (n,); None weighs every row alike.

        Raises:
            InputError: Lengths differ, a label or outcome is missing, there is no control arm or no other.
        """
        arms = read_arms(treatment, control=control)
        values = np.asarray(outcome, dtype=np.float64)
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        lengths = {len(X), len(values), len(arms.codes), *(() if weight is None else (len(weight),))}
        if len(lengths) > 1:
            raise InputError(f"X, outcome, treatment and weight have {sorted(lengths)} rows", remedy="align them")
        self.control_, *self.treatments_ = arms.labels
        self.models_: dict[Any, BaseModel] = {}
        for code, label in enumerate(arms.labels):
            rows = np.flatnonzero(arms.codes == code)
            self.models_[label] = clone(self.base_model).fit(
                X.iloc[rows], values[rows], sample_weight=None if weight is None else weight[rows]
            )
        return self

    def predict(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Effects in outcome units: shape (n,) for one treatment, (n, K) in the order of ``treatments_`` for more."""
        outcomes = self.predict_outcomes(X)
        uplift = outcomes[:, 1:] - outcomes[:, :1]
        return uplift[:, 0] if len(self.treatments_) == 1 else uplift

    def predict_outcomes(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Mean outcomes under each arm, shape (n, K + 1), columns in the order of ``arms_``."""
        return np.column_stack([self.models_[label].predict(X) for label in self.arms_])

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and one model file for each arm, in the base model's own format."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {label: f"{_file_stem(label, position)}.txt" for position, label in enumerate(self.arms_)}
        for label, file in files.items():
            self.models_[label].save(folder / file)
        description = {
            "learner": type(self).__name__,
            "base_model": type(self.base_model).__name__,
            "library": {"name": self.base_model.library, "version": installed_version(self.base_model.library)},
            "parameters": self.base_model.get_params(),
            "arms": [{"label": label, "file": file} for label, file in files.items()],
        }
        (folder / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The learner that ``save`` wrote to ``folder``.

        Raises:
            InputError: The folder holds another learner, one made from an unknown base model, or one that a newer
                version of its library wrote.
        """
        description: Mapping[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if description["learner"] != cls.__name__ or description["base_model"] not in BASE_MODELS:
            raise InputError(
                f"{folder} holds a {description['learner']} of {description['base_model']}, not a {cls.__name__} of "
                f"{', '.join(BASE_MODELS)}",
                remedy="load it with the class and the version that saved it",
            )
        _require_version(**description["library"])
        learner = cls(BASE_MODELS[description["base_model"]](**description["parameters"]))
        learner.control_, *learner.treatments_ = (arm["label"] for arm in description["arms"])
        learner.models_ = {
            arm["label"]: clone(learner.base_model).load(folder / arm["file"]) for arm in description["arms"]
        }
        return learner


def _file_stem(label: Any, position: int) -> str:
    """The label where it is a safe file name that no position gives, else ``arm-<position>``."""
    return str(label) if _PLAIN.fullmatch(str(label)) else f"arm-{position}"


def _require_version(name: str, version: str) -> None:
    installed = installed_version(name)
    if _release(installed) < _release(version):
        raise InputError(
            f"the model was saved with {name} {version}, {installed} is installed",
            remedy=f"install {name} {version} or newer",
        )


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".")[:2])
