"""Preferences over several responses: one model each, what they are worth together, and which may not fall."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from causal_tasks.base_models import DesignMatrix, StoredDesign
from causal_tasks.dynamic.long_term import LongTermUplift
from causal_tasks.dynamic.response_rows import ResponseRows
from causal_tasks.errors import InputError
from causal_tasks.feed import Response
from causal_tasks.uplift.saved_model import ModelDescription

Outcomes = pd.DataFrame | Mapping[str, ArrayLike]


@dataclass(frozen=True, slots=True)
class Preferences:
    """What n users are predicted to bring over a period.

    Attributes:
        arms: Labels, control first.
        combined: Shape (n, K + 1), sum over responses of weight times response.
        by_response: By key, shape (n, K + 1), in the response's unit.
        allowed: Shape (n, K): whether no guarded response is predicted to fall by more than its tolerance under the
            treatment.
    """

    arms: tuple[Any, ...]
    combined: NDArray[np.float32]
    by_response: Mapping[str, NDArray[np.float32]]
    allowed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.combined)


class LongTermResponses:
    """A ``LongTermUplift`` for each response of a feed.

    A treatment is allowed for a user where ``y_k - y_0 >= -tolerance * m`` for every guarded response, with ``m`` its
    mean in the control rows that it was learned from.

    Args:
        responses: With keys of their own; at least one has a weight.
        model: Cloned for every response.

    Attributes:
        models_: Fitted, by key.
        control_means_: Mean of each response in the control rows, by key.

    Raises:
        InputError: There is no response, a key is there twice, or no response has a weight.
    """

    models_: Mapping[str, LongTermUplift]
    control_means_: Mapping[str, float]

    def __init__(self, responses: Sequence[Response], model: LongTermUplift | None = None) -> None:
        keys = [response.key for response in responses]
        if len(set(keys)) < len(keys) or not any(response.weight for response in responses):
            raise InputError(
                f"responses have the keys {keys} and the weights {[response.weight for response in responses]}",
                remedy="state each response once, and give at least one a weight",
            )
        self.responses = tuple(responses)
        self.model = LongTermUplift() if model is None else model

    @property
    def arms_(self) -> tuple[Any, ...]:
        """Labels of all arms, control first."""
        return self._first.arms_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features, shape (p,)."""
        names: NDArray[Any] = self._first.feature_names_in_
        return names

    @property
    def refreshes_(self) -> int:
        """How often the models were refreshed since they were trained from scratch."""
        return self._first.refreshes_

    @property
    def notes_(self) -> tuple[str, ...]:
        """Codes of what a reader should know, of all models."""
        return tuple(dict.fromkeys(note for model in self._fitted.values() for note in model.notes_))

    @property
    def parameters(self) -> dict[str, Any]:
        """All that decide the result, as JSON values."""
        return {
            "responses": [response.model_dump(mode="json") for response in self.responses],
            "model": self.model.parameters,
        }

    @property
    def library(self) -> str:
        """Module whose version decides whether saved models can be read."""
        return self.model.library

    propensity_: ClassVar[None] = None
    """For ``ModelDescription``: a model of outcomes does not need it."""

    def fit(
        self,
        X: Any,
        outcomes: Outcomes,
        treatment: ArrayLike,
        *,
        control: Any = None,
        sample_weight: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
    ) -> Self:
        """Learn every response from scratch.

        Args:
            X: Shape (n, p), as for ``LongTermUplift``.
            outcomes: By key of a response: shape (n,), not negative; NaN where the period is not over, and the row then
                teaches the other responses alone.
            treatment: Shape (n,), arm labels.
            control: Label of the control arm; None: 0.
            sample_weight: Shape (n,); None weighs every row alike.
            clusters: Shape (n,), users; None: every row is one.

        Raises:
            InputError: A response has no outcomes, an arm has none of one response, or as for ``LongTermUplift``.
        """
        rows = ResponseRows.checked(X, self._required(outcomes), treatment, sample_weight, clusters)
        return self._learn(rows, {key: partial(clone(self.model).fit, control=control) for key in rows.outcomes})

    def refreshed(
        self,
        X: Any,
        outcomes: Outcomes,
        treatment: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
        max_epochs: int = 5,
    ) -> Self:
        """Models that start with the weights of these and learn from newer rows; guards take the new control means.

        Arguments are those of ``fit`` and of ``LongTermUplift.refreshed``.

        Raises:
            InputError: As for ``LongTermUplift.refreshed``.
        """
        rows = ResponseRows.checked(X, self._required(outcomes), treatment, sample_weight, clusters)
        learners = {key: partial(model.refreshed, max_epochs=max_epochs) for key, model in self._fitted.items()}
        other = type(self)(self.responses, self.model)
        return other._learn(rows, learners)  # noqa: SLF001 - of this class

    def predict(self, X: Any) -> Preferences:
        """What every user brings under every arm.

        Raises:
            InputError: As for ``LongTermUplift.predict_outcomes``.
        """
        design = X if isinstance(X, StoredDesign) else DesignMatrix.of(X)
        by_response = {key: model.predict_outcomes(design) for key, model in self._fitted.items()}
        combined = np.zeros((len(design), len(self.arms_)))
        allowed = np.ones((len(design), len(self.arms_) - 1), dtype=np.bool_)
        for response in self.responses:
            outcomes = by_response[response.key].astype(np.float64)
            combined += response.weight * outcomes
            if response.guarded:
                fall = outcomes[:, :1] - outcomes[:, 1:]
                allowed &= fall <= response.tolerance * self.control_means_[response.key]
        return Preferences(self.arms_, combined.astype(np.float32), MappingProxyType(by_response), allowed)

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and a folder for each response, in formats that hold no code.

        Raises:
            InputError: Arms are labelled by neither text nor numbers.
        """
        for key, model in self._fitted.items():
            model.save(folder / key)
        ModelDescription.of(self, {"control_means": dict(self.control_means_)}, folder).write(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The models that ``save`` wrote to ``folder``.

        Raises:
            InputError: The folder holds something else, what a newer version wrote, or files that have changed since.
        """
        description = ModelDescription.read(folder)
        description.require(cls.__name__, folder)
        stated = description.parameters
        loaded = cls(
            [Response.model_validate(response) for response in stated["responses"]], LongTermUplift(**stated["model"])
        )
        loaded.models_ = {response.key: LongTermUplift.load(folder / response.key) for response in loaded.responses}
        loaded.control_means_ = description.state["control_means"]
        return loaded

    def _learn(self, rows: "ResponseRows", learners: Mapping[str, Callable[..., LongTermUplift]]) -> Self:
        models, means = {}, {}
        for key, learn in learners.items():
            known = rows.known(key)
            models[key] = learn(
                known.X, known.outcomes[key], known.treatment, sample_weight=known.weight, clusters=known.clusters
            )
            means[key] = known.control_mean(key, models[key].control_)
        arms = {key: model.arms_ for key, model in models.items()}
        if len(set(arms.values())) > 1:
            raise InputError(
                f"outcomes: the arms differ between responses: {arms}",
                remedy="pass outcomes of users of all arms for every response",
            )
        self.models_, self.control_means_ = models, means
        return self

    @property
    def _fitted(self) -> Mapping[str, LongTermUplift]:
        if not hasattr(self, "models_"):
            raise NotFittedError("this LongTermResponses is not fitted yet: call fit or load first")
        return self.models_

    @property
    def _first(self) -> LongTermUplift:
        """Arms, features and refreshes are the same of all models."""
        return next(iter(self._fitted.values()))

    def _required(self, outcomes: Outcomes) -> dict[str, Any]:
        keys = [response.key for response in self.responses]
        if lacking := [key for key in keys if key not in outcomes]:
            raise InputError(
                f"outcomes lack {lacking}; there are {list(outcomes)}", remedy="pass one column per response, by key"
            )
        return {key: outcomes[key] for key in keys}
