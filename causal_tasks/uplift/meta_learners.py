"""S, T and X: learners of the effect on each user, made from models of the outcome."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.base_models import BaseModel
from causal_tasks.errors import InputError
from causal_tasks.uplift.learner import Effects, MetaLearner, TrainingData, read_description

_PROPENSITY_BOUNDS = (0.01, 0.99)
"""Estimated propensities beyond them are set to them: one effect model would count for nothing."""

_OUTCOME = "outcome"
_INDICATOR = "treatment"


class SLearner(MetaLearner):
    """One outcome model in which the treatment is a feature; the effect is what that feature changes.

    Each treatment has an indicator column. A model that does not split on it predicts an effect of zero for everybody:
    ``uses_treatment`` tells. A random forest that may choose among all features at every split overlooks it most, for
    features that explain more of the outcome win the splits.

    Source: Künzel, Sekhon, Bickel, Yu (2019), section 2.
    """

    FITS_EACH_ARM: ClassVar[bool] = False

    def _predict_outcomes(self, X: pd.DataFrame) -> Effects:
        model = self.models_[_OUTCOME]
        arms = range(len(self.arms_))
        return np.column_stack([model.predict(self._with_treatment(X, np.full(len(X), arm))) for arm in arms])

    def uses_treatment(self) -> bool:
        """Whether the model splits on the indicator of every treatment."""
        return self._indicators() <= self.models_[_OUTCOME].used_features()

    def _fit_models(self, data: TrainingData) -> dict[str, BaseModel]:
        if taken := sorted(self._indicators() & set(map(str, data.X.columns))):
            raise InputError(f"X has the columns {taken}, which stand for the treatment", remedy="rename them")
        rows = np.arange(len(data.outcome))
        return {
            _OUTCOME: data.with_features(self._with_treatment(data.X, data.arm)).fitted(
                self.base_model, rows, data.outcome
            )
        }

    def _indicators(self) -> frozenset[str]:
        return frozenset(f"{_INDICATOR}:{position}" for position in range(1, len(self.arms_)))

    def _with_treatment(self, X: pd.DataFrame, arm: NDArray[np.intp]) -> pd.DataFrame:
        indicators = {
            f"{_INDICATOR}:{position}": (arm == position).astype(np.int8) for position in range(1, len(self.arms_))
        }
        return X.assign(**indicators)


class TLearner(MetaLearner):
    """One outcome model for each arm; the effect is the difference of their predictions.

    Source: Künzel, Sekhon, Bickel, Yu (2019), section 2.
    """

    FITS_EACH_ARM: ClassVar[bool] = True

    def _predict_outcomes(self, X: pd.DataFrame) -> Effects:
        return np.column_stack([self.models_[_outcome_of(arm)].predict(X) for arm in range(len(self.arms_))])

    def _fit_models(self, data: TrainingData) -> dict[str, BaseModel]:
        return outcome_models(data, self.base_model)


class XLearner(MetaLearner):
    """Effects imputed with the other arm's outcome model, modelled in each arm and weighted by the propensity.

    With mu the outcome models, tau_1 is fitted on Y - mu_0(X) of the treated and tau_0 on mu_1(X) - Y of the control
    users; the effect is e(X) tau_0(X) + (1 - e(X)) tau_1(X), e the propensity among the two arms: most weight has the
    side whose effects were imputed by the outcome model of the larger arm. Outcomes are predicted as mu_0(X), and that
    plus the effect. Where the propensity is not known it is modelled and cut to 0.01 to 0.99.

    Source: Künzel, Sekhon, Bickel, Yu (2019), section 2.
    """

    FITS_EACH_ARM: ClassVar[bool] = True

    @property
    def propensity_estimated_(self) -> bool:
        """Whether the propensity was modelled, because it was not known."""
        return self.propensity_ is None

    def _predict_outcomes(self, X: pd.DataFrame) -> Effects:
        control = self.models_[_outcome_of(0)].predict(X)
        arms = range(1, len(self.arms_))
        return np.column_stack([control, *(control + self._effect(X, arm) for arm in arms)])

    def _effect(self, X: pd.DataFrame, arm: int) -> Effects:
        share = self._propensity(X, arm)
        on_control, on_treated = (self.models_[f"effect-{side}-{arm}"].predict(X) for side in ("control", "treated"))
        return (share * on_control + (1 - share) * on_treated).astype(np.float32)

    def _propensity(self, X: pd.DataFrame, arm: int) -> Effects | float:
        """P(in the arm | in it or in control)."""
        if self.propensity_ is None:
            return np.clip(self.models_[f"propensity-{arm}"].predict(X), *_PROPENSITY_BOUNDS)
        return float(self.propensity_[arm] / (self.propensity_[0] + self.propensity_[arm]))

    def _fit_models(self, data: TrainingData) -> dict[str, BaseModel]:
        outcome = outcome_models(data, self.base_model)
        control_rows, baseline = data.rows_of(0), outcome[_outcome_of(0)]
        models = {_outcome_of(0): baseline}
        for arm in range(1, len(data.labels)):
            treated_rows = data.rows_of(arm)
            imputed = {
                "control": (
                    control_rows,
                    outcome[_outcome_of(arm)].predict(data.X.iloc[control_rows]) - data.outcome[control_rows],
                ),
                "treated": (treated_rows, data.outcome[treated_rows] - baseline.predict(data.X.iloc[treated_rows])),
            }
            for side, (rows, effects) in imputed.items():
                models[f"effect-{side}-{arm}"] = data.fitted(self.base_model, rows, effects)
            if data.propensity is None:
                both = data.rows_of(0, arm)
                models[f"propensity-{arm}"] = data.fitted(self.base_model, both, data.arm[both] == arm)
        return models


def outcome_models(data: TrainingData, base_model: BaseModel) -> dict[str, BaseModel]:
    """One model of the mean outcome for each arm."""
    models = {}
    for arm in range(len(data.labels)):
        rows = data.rows_of(arm)
        models[_outcome_of(arm)] = data.fitted(base_model, rows, data.outcome[rows])
    return models


def load_learner(folder: Path) -> MetaLearner:
    """The learner, of whatever class, that ``save`` wrote to ``folder``.

    Raises:
        InputError: The class is unknown, or as for its ``load``.
    """
    name = read_description(folder)["learner"]
    if name not in LEARNERS:
        raise InputError(f"{folder} holds a {name}", remedy=f"load one of {', '.join(LEARNERS)}")
    return LEARNERS[name].load(folder)


LEARNERS: dict[str, type[MetaLearner]] = {learner.__name__: learner for learner in (SLearner, TLearner, XLearner)}
"""Learners by the name under which they are saved."""


def _outcome_of(arm: int) -> str:
    return f"{_OUTCOME}-{arm}"
