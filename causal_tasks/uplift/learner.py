"""What all learners of effects share: arguments, arms, predictions, saving and loading."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Tags
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from causal_tasks.base_models import DesignMatrix, Features, Range, StoredDesign
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc
from causal_tasks.uplift.saved_model import ModelDescription, require_lasting_labels
from causal_tasks.uplift.training_data import TrainingData

Effects = NDArray[np.float32]


class UpliftLearner(BaseEstimator, ABC):  # type: ignore[misc]
    """A learner of the effect on each user.

    Attributes:
        control_: Label of the control arm.
        treatments_: Labels of the treatments, sorted: the order of columns in ``predict``.
        propensity_: Known share of each arm in the order of ``arms_``; None: unknown.
        feature_names_in_: Names of the features, shape (p,).
        n_features_in_: Their number.
    """

    FITS_EACH_ARM: ClassVar[bool]
    """Whether it fits models on the users of one arm alone, which a small arm makes poor."""

    # scikit-learn passes it by position, as it does its own y.
    __metadata_request__fit: ClassVar[Mapping[str, str]] = {"outcome": UNUSED}
    __metadata_request__score: ClassVar[Mapping[str, str]] = {"outcome": UNUSED}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.target_tags.required = True
        return tags

    @property
    def arms_(self) -> tuple[Any, ...]:
        """Labels of all arms, control first: the order of columns in ``predict_outcomes``."""
        return (self.control_, *self.treatments_)

    def fit(
        self,
        X: Any,
        outcome: ArrayLike,
        treatment: ArrayLike,
        *,
        control: Any = None,
        propensity: Mapping[Any, float] | None = None,
        sample_weight: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
    ) -> Self:
        """Learn the effect of every treatment; all are compared with the same control.

        Args:
            X: Shape (n, p), a frame of numeric, boolean and categorical columns, missing values allowed, or a numeric
                array; or a ``DesignMatrix``, so that learners share its bins, or a ``StoredDesign``.
            outcome: Shape (n,), finite.
            treatment: Shape (n,), arm labels.
            control: Label of the control arm; None: 0.
            propensity: Known share of every arm by label, as in a randomised experiment; None: unknown. Only their
                ratios count.
            sample_weight: Shape (n,); None weighs every row alike.
            clusters: Shape (n,), groups of users that depend on each other, which no split of a learner divides; None:
                every user is independent.

        Raises:
            InputError: Lengths differ, a label or outcome is missing, there is no control arm or no other, an arm has
                one row, a feature has no value, or ``propensity`` does not name exactly the arms in ``treatment``,
                each with a share between 0 and 1.
        """
        data = TrainingData.checked(
            X,
            outcome,
            treatment,
            control=control,
            propensity=propensity,
            sample_weight=sample_weight,
            clusters=clusters,
        )
        self.control_, *self.treatments_ = data.labels
        self.propensity_ = data.propensity
        self.feature_names_in_ = np.array(data.X.columns, dtype=object)
        self.n_features_in_ = len(data.X.columns)
        self._fit(data)
        return self

    def predict(self, X: Any) -> Effects:
        """Effects in outcome units: shape (n,) for one treatment, (n, K) in the order of ``treatments_`` for more."""
        outcomes = self.predict_outcomes(X)
        uplift = outcomes[:, 1:] - outcomes[:, :1]
        return uplift[:, 0] if len(self.treatments_) == 1 else uplift

    def predict_outcomes(self, X: Any) -> Effects:
        """Mean outcomes under each arm, shape (n, K + 1), columns in the order of ``arms_``.

        Args:
            X: As for ``fit``.

        Raises:
            InputError: A feature is missing, has become categorical or numeric, or has a level that was not there.
        """
        check_is_fitted(self, "treatments_")
        design = X if isinstance(X, StoredDesign) else DesignMatrix.of(X)
        self._require_features(design, by_name=hasattr(X, "columns"))
        outcomes = np.empty((len(design), len(self.arms_)), dtype=np.float32)
        begin = 0
        for chunk in design.chunks():
            outcomes[begin : begin + len(chunk)] = self._predict_outcomes(chunk)
            begin += len(chunk)
        return outcomes

    def score(
        self,
        X: Any,
        outcome: ArrayLike,
        treatment: ArrayLike,
        *,
        control: Any = None,
        propensity: ArrayLike | None = None,
    ) -> float:
        """How well the predicted effects rank users: AUUC per user, the mean over treatments.

        Arguments are those of ``fit``; ``propensity`` is that of ``causal_tasks.evaluation.auuc``.
        """
        return float(auuc(outcome, self.predict(X), treatment, control=control, propensity=propensity))

    def uses_treatment(self) -> bool:
        """Whether the fitted model can tell every treatment from the control."""
        return True

    @property
    @abstractmethod
    def device(self) -> Literal["cpu", "cuda"]:
        """Where it is fitted."""

    @property
    @abstractmethod
    def search_space(self) -> Mapping[str, Range]:
        """What tuning may set, by parameter."""

    @property
    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """All that decide the result, without those that say where it is computed."""

    @abstractmethod
    def with_parameters(self, parameters: Mapping[str, Any]) -> Self:
        """An unfitted clone with some of its ``parameters`` changed."""

    @property
    @abstractmethod
    def features_(self) -> Features:
        """The features it was fitted on, with their levels."""

    @property
    @abstractmethod
    def library(self) -> str:
        """Module whose version decides whether a saved model can be read."""

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and the files of the models, in formats that hold no code.

        Raises:
            InputError: Its models have no such format, or arms are labelled by neither text nor numbers.
        """
        check_is_fitted(self, "treatments_")
        self._require_savable()
        require_lasting_labels(self.arms_)
        folder.mkdir(parents=True, exist_ok=True)
        state = self._write(folder)
        ModelDescription.of(self, state, folder).write(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The learner that ``save`` wrote to ``folder``.

        Raises:
            InputError: The folder holds another learner, one that a newer version wrote, or files that have changed
                since.
        """
        description = ModelDescription.read(folder)
        description.require(cls.__name__, folder)
        learner = cls._unfitted(description)
        learner.control_, *learner.treatments_ = description.arms
        shares = description.propensity
        learner.propensity_ = None if shares is None else np.asarray(shares, dtype=np.float64)
        learner.feature_names_in_ = np.array(description.features, dtype=object)
        learner.n_features_in_ = len(description.features)
        learner._read(folder, description.state)  # noqa: SLF001 - of this class
        return learner

    @classmethod
    def _unfitted(cls, description: ModelDescription) -> Self:
        return cls(**description.parameters)

    @abstractmethod
    def _fit(self, data: TrainingData) -> None: ...

    @abstractmethod
    def _predict_outcomes(self, X: DesignMatrix) -> Effects: ...

    def _require_savable(self) -> None:
        """Refuse models that have no file format that holds no code."""

    @abstractmethod
    def _write(self, folder: Path) -> dict[str, Any]:
        """Write the models; returns what ``_read`` needs besides, as JSON."""

    @abstractmethod
    def _read(self, folder: Path, state: Mapping[str, Any]) -> None:
        """Take over the models that ``_write`` wrote."""

    def _require_features(self, design: DesignMatrix | StoredDesign, *, by_name: bool) -> None:
        absent = [name for name in self.feature_names_in_ if name not in design.columns]
        if absent or not (by_name or len(design.columns) == self.n_features_in_):
            raise InputError(
                f"X has {len(design.columns)} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input; X lacks the columns {absent}",
                remedy="pass every column that the model was fitted on",
            )

    def _with(self, **parameters: Any) -> Self:
        changed: Self = clone(self).set_params(**parameters)
        return changed
