"""R and DR: learners of the effect on each user that errors of the outcome and propensity models hardly reach."""

from abc import abstractmethod
from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.base_models import BaseModel, DesignMatrix, fit_model, predict_mean
from causal_tasks.evaluation.scores import mean_scores
from causal_tasks.uplift.learner import Effects
from causal_tasks.uplift.meta_learner import MetaLearner, outcome_of
from causal_tasks.uplift.nuisances import CrossFit, arm_shares, cross_fit, draw_folds, share_among_two, within_bounds
from causal_tasks.uplift.training_data import TrainingData

FOLDS = 3
"""With two, models of a small arm see too little of it; more than three take longer and are hardly better."""

_OWN = {"folds": "folds", "folds_random_state": "random_state"}
"""Arguments of the learner by their names among its parameters, where base models have a ``random_state`` too."""


class OrthogonalLearner(MetaLearner):
    """A learner whose effect models are fitted on what cross-fitted nuisances leave of the outcomes.

    Args:
        base_model: As for every ``MetaLearner``; nuisances and effects are models of the same kind.
        folds: Parts that users are dealt to, whole clusters each; nuisances of a part come from models of the others.
        random_state: Seed of the dealing, ``folds_random_state`` among ``parameters``; None: that of the base model, or
            0 where it has none.

    Attributes:
        models_: Models of the effects, and those nuisances of each fold that predicting outcomes needs.
    """

    def __init__(self, base_model: BaseModel, *, folds: int = FOLDS, random_state: int | None = None) -> None:
        super().__init__(base_model)
        self.folds = folds
        self.random_state = random_state

    @property
    def propensity_estimated_(self) -> bool:
        """Whether propensities come from models."""
        return self.propensity_ is None

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the learner and of the base model that decide the result."""
        return super().parameters | {name: getattr(self, argument) for name, argument in _OWN.items()}

    def with_parameters(self, parameters: Mapping[str, Any]) -> Self:
        """An unfitted clone with some parameters of the learner or of its base model changed."""
        return self._with(**{_OWN.get(name, f"base_model__{name}"): value for name, value in parameters.items()})

    def _deal(self, data: TrainingData) -> NDArray[np.intp]:
        """Fold of each user, shape (n,)."""
        seed = getattr(self.base_model, "random_state", None) if self.random_state is None else self.random_state
        return draw_folds(data, self.folds, int(seed) if isinstance(seed, Integral) else 0)

    @abstractmethod
    def _baseline(self, X: DesignMatrix, effects: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Mean outcomes under control, shape (n,), given the effects of the treatments."""

    def _predict_outcomes(self, X: DesignMatrix) -> Effects:
        effects = [predict_mean(self.models_[f"effect-{arm}"], X) for arm in range(1, len(self.arms_))]
        baseline = self._baseline(X, effects)
        return np.column_stack([baseline, *(baseline + effect for effect in effects)])

    def _mean_of_folds(self, name: str, X: DesignMatrix) -> NDArray[np.float32]:
        models = [model for key, model in self.models_.items() if key.startswith(f"{name}.fold-")]
        mean: NDArray[np.float32] = np.mean([predict_mean(model, X) for model in models], axis=0, dtype=np.float32)
        return mean


class RLearner(OrthogonalLearner):
    """What is left of the outcome, learned as the effect of what is left of the treatment.

    With m(x) the mean outcome whatever the arm and e(x) the propensity, both cross-fitted, the effect tau minimises the
    sum of (Y - m(X) - (T - e(X)) tau(X))^2. That is a regression of (Y - m) / (T - e) with weights (T - e)^2, which
    every base model can do. The loss for several treatments together is none: so each is compared with the control on
    the users of these two arms, e being the propensity among them. Outcomes are predicted as mu_0 = m - e tau, the mean
    over treatments, and mu_0 plus the effect. A propensity that is not known is modelled and cut to 0.05 to 0.95.

    Source: Nie, Wager (2021), section 2.
    """

    FITS_EACH_ARM: ClassVar[bool] = False

    def _fit_models(self, data: TrainingData) -> dict[str, BaseModel]:
        fold = self._deal(data)
        models: dict[str, BaseModel] = {}
        for arm in range(1, len(data.labels)):
            rows, treated = data.rows_of(0, arm), data.arm == arm
            mean = cross_fit(data, self.base_model, fold, data.outcome, learned=rows, asked=rows)
            models |= _by_fold(f"mean-{arm}", mean)
            if data.propensity is None:
                indicator = cross_fit(data, self.base_model, fold, treated, learned=rows, asked=rows)
                models |= _by_fold(f"propensity-{arm}", indicator)
                propensity: NDArray[np.float64] | float = within_bounds(indicator.means)
            else:
                propensity = share_among_two(data.propensity, arm)
            models[f"effect-{arm}"] = self._effect_model(
                data, rows, data.outcome[rows] - mean.means, treated[rows] - propensity
            )
        return models

    def _effect_model(
        self,
        data: TrainingData,
        rows: NDArray[np.intp],
        outcome_residual: NDArray[np.float64],
        treatment_residual: NDArray[np.float64],
    ) -> BaseModel:
        weight = treatment_residual**2 * (1.0 if data.weight is None else data.weight[rows])
        return fit_model(self.base_model, data.X.take(rows), outcome_residual / treatment_residual, weight)

    def _baseline(self, X: DesignMatrix, effects: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        means = [
            self._mean_of_folds(f"mean-{arm}", X) - self._propensity(X, arm) * effect
            for arm, effect in enumerate(effects, start=1)
        ]
        baseline: NDArray[np.float32] = np.mean(means, axis=0, dtype=np.float32)
        return baseline

    def _propensity(self, X: DesignMatrix, arm: int) -> NDArray[np.float64] | float:
        if self.propensity_ is None:
            return within_bounds(self._mean_of_folds(f"propensity-{arm}", X))
        return share_among_two(self.propensity_, arm)


class DRLearner(OrthogonalLearner):
    """Doubly robust scores, learned as the effect.

    With mu_k the outcome model of arm k and e_k its propensity, both cross-fitted, the score of a user is
    mu_k(X) - mu_0(X) + 1{T = k} (Y - mu_k(X)) / e_k(X) - 1{T = 0} (Y - mu_0(X)) / e_0(X). Its mean given X is the
    effect if either the outcome models or the propensities are right. It is defined for every user, whatever the arm,
    so that all of them teach the effect of each treatment; the arms share one control model and one set of propensities
    that sum to one. Outcomes are predicted as mu_0(X), and that plus the effect. Propensities that are not known are
    modelled and cut to 0.05 to 0.95 before they are made to sum to one.

    Source: Kennedy (2023), section 3.
    """

    FITS_EACH_ARM: ClassVar[bool] = True

    def _fit_models(self, data: TrainingData) -> dict[str, BaseModel]:
        fold = self._deal(data)
        everybody = np.arange(len(data.arm))
        shares = self._shares(data, fold)
        scores, models = [], {}
        for arm, share in enumerate(shares):
            mean = cross_fit(data, self.base_model, fold, data.outcome, learned=data.rows_of(arm), asked=everybody)
            scores.append(mean_scores(data.outcome, data.arm == arm, mean.means, share))
            if arm == 0:
                models = _by_fold(outcome_of(0), mean)
            else:
                models[f"effect-{arm}"] = data.fitted(self.base_model, everybody, scores[arm] - scores[0])
        return models

    def _shares(self, data: TrainingData, fold: NDArray[np.intp]) -> NDArray[np.float64]:
        """Propensity by arm: a number each where it is known, else of shape (K + 1, n)."""
        if data.propensity is not None:
            known: NDArray[np.float64] = data.propensity / data.propensity.sum()
            return known
        everybody, arms = np.arange(len(data.arm)), range(len(data.labels))
        # The control's is what the only treatment leaves.
        modelled = arms[1:] if len(arms) == 2 else arms
        indicators = [
            cross_fit(data, self.base_model, fold, data.arm == arm, learned=everybody, asked=everybody)
            for arm in modelled
        ]
        return arm_shares([indicator.means for indicator in indicators]).T

    def _baseline(self, X: DesignMatrix, effects: list[NDArray[np.float32]]) -> NDArray[np.float32]:  # noqa: ARG002
        return self._mean_of_folds(outcome_of(0), X)


def _by_fold(name: str, fitted: CrossFit) -> dict[str, BaseModel]:
    return {f"{name}.fold-{fold}": model for fold, model in enumerate(fitted.models)}
