"""S, T and X: learners of the effect on each user, made from models of the outcome."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.base_models import BaseModel, DesignMatrix, fit_model, predict_mean
from causal_tasks.errors import InputError
from causal_tasks.uplift.learner import Effects
from causal_tasks.uplift.meta_learner import OUTCOME, MetaLearner, mean_outcome, outcome_models, outcome_of
from causal_tasks.uplift.nuisances import share_among_two, within_bounds
from causal_tasks.uplift.training_data import TrainingData

_INDICATOR = "treatment"


class SLearner(MetaLearner):
    """One outcome model in which the treatment is a feature; the effect is what that feature changes.

    Each arm has an indicator column, control too: where a tree or a split may choose among some of the features, either
    of two columns will do to tell a treatment from control. A model that splits on neither predicts an effect of zero
    for everybody: ``uses_treatment`` tells. A random forest overlooks them most, for features that explain more of the
    outcome win the splits.

    Source: Künzel, Sekhon, Bickel, Yu (2019), section 2.
    """

    FITS_EACH_ARM: ClassVar[bool] = False

    def uses_treatment(self) -> bool:
        """Whether the model splits on the indicator of control or on that of every treatment.

        Of a base model that cannot tell what it splits on, whether predictions for users it has seen differ by arm.
        """
        model = self.models_[OUTCOME]
        if not hasattr(model, "used_features"):
            return self._predictions_differ
        control, *treatments = self._indicators()
        used = model.used_features()
        return control in used or set(treatments) <= used

    def _predict_outcomes(self, X: DesignMatrix) -> Effects:
        model = self.models_[OUTCOME]
        return np.column_stack(
            [predict_mean(model, self._with_treatment(X, np.full(len(X), arm))) for arm in range(len(self.arms_))]
        )

    def _fit_models(self, data: TrainingData) -> dict[str, BaseModel]:
        if taken := sorted(set(self._indicators()) & set(data.X.columns)):
            raise InputError(f"X has the columns {taken}, which stand for the treatment", remedy="rename them")
        model = fit_model(self.base_model, self._with_treatment(data.X, data.arm), data.outcome, data.weight)
        self.models_ = {OUTCOME: model}
        if not hasattr(model, "used_features"):
            some = self._predict_outcomes(next(iter(data.X.chunks())))
            self._predictions_differ = bool((some[:, 1:] != some[:, :1]).any(axis=0).all())
        return self.models_

    def _indicators(self) -> list[str]:
        return [f"{_INDICATOR}:{position}" for position in range(len(self.arms_))]

    def _with_treatment(self, X: Any, arm: NDArray[np.intp]) -> Any:
        columns: dict[str, ArrayLike] = {name: arm == position for position, name in enumerate(self._indicators())}
        return X.with_columns(columns)


class TLearner(MetaLearner):
    """One outcome model for each arm; the effect is the difference of their predictions.

    Source: Künzel, Sekhon, Bickel, Yu (2019), section 2.
    """

    FITS_EACH_ARM: ClassVar[bool] = True

    def _predict_outcomes(self, X: DesignMatrix) -> Effects:
        return np.column_stack([mean_outcome(self.models_, arm, X) for arm in range(len(self.arms_))])

    def _fit_models(self, data: TrainingData) -> dict[str, BaseModel]:
        return outcome_models(data, self.base_model)


class XLearner(MetaLearner):
    """Effects imputed with the other arm's outcome model, modelled in each arm and weighted by the propensity.

    With mu the outcome models, tau_1 is fitted on Y - mu_0(X) of the treated and tau_0 on mu_1(X) - Y of the control
    users; the effect is e(X) tau_0(X) + (1 - e(X)) tau_1(X), e the propensity among the two arms: most weight has the
    side whose effects were imputed by the outcome model of the larger arm. Outcomes are predicted as mu_0(X), and that
    plus the effect. Where the propensity is not known it is modelled and cut to 0.05 to 0.95.

    Source: Künzel, Sekhon, Bickel, Yu (2019), section 2.
    """

    FITS_EACH_ARM: ClassVar[bool] = True

    @property
    def propensity_estimated_(self) -> bool:
        """Whether the weights come from a model of the propensity."""
        return self.propensity_ is None

    def _predict_outcomes(self, X: DesignMatrix) -> Effects:
        baseline = mean_outcome(self.models_, 0, X)
        effects = [self._effect(X, arm) for arm in range(1, len(self.arms_))]
        return np.column_stack([baseline, *(baseline + effect for effect in effects)])

    def _effect(self, X: DesignMatrix, arm: int) -> Effects:
        share = self._propensity(X, arm)
        on_control, on_treated = (
            predict_mean(self.models_[f"effect-{side}-{arm}"], X) for side in ("control", "treated")
        )
        return (share * on_control + (1 - share) * on_treated).astype(np.float32)

    def _propensity(self, X: DesignMatrix, arm: int) -> NDArray[np.float64] | float:
        """P(in the arm | in it or in control)."""
        if self.propensity_ is None:
            return within_bounds(predict_mean(self.models_[f"propensity-{arm}"], X))
        return share_among_two(self.propensity_, arm)

    def _fit_models(self, data: TrainingData) -> dict[str, BaseModel]:
        outcome = outcome_models(data, self.base_model)
        control_rows, baseline = data.rows_of(0), outcome[outcome_of(0)]
        models = {outcome_of(0): baseline}
        for arm in range(1, len(data.labels)):
            treated_rows = data.rows_of(arm)
            imputed = {
                "control": (
                    control_rows,
                    predict_mean(outcome[outcome_of(arm)], data.X.take(control_rows)) - data.outcome[control_rows],
                ),
                "treated": (
                    treated_rows,
                    data.outcome[treated_rows] - predict_mean(baseline, data.X.take(treated_rows)),
                ),
            }
            for side, (rows, effects) in imputed.items():
                models[f"effect-{side}-{arm}"] = data.fitted(self.base_model, rows, effects)
            if data.propensity is None:
                both = data.rows_of(0, arm)
                models[f"propensity-{arm}"] = data.fitted(self.base_model, both, data.arm[both] == arm)
        return models
