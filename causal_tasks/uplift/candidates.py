"""The uplift models that an experiment can name, with the parameters they start from."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from causal_tasks.base_models import LightGBM, RandomForest, XGBoost
from causal_tasks.errors import InputError
from causal_tasks.uplift.learner import UpliftLearner
from causal_tasks.uplift.meta_learner import MetaLearner
from causal_tasks.uplift.meta_learners import SLearner, TLearner, XLearner
from causal_tasks.uplift.networks import DragonNet, DualHead
from causal_tasks.uplift.orthogonal_learners import DRLearner, RLearner

_META_LEARNERS: Mapping[str, type[MetaLearner]] = {
    "t": TLearner,
    "x": XLearner,
    "s": SLearner,
    "r": RLearner,
    "dr": DRLearner,
}
_BASE_MODELS: Mapping[str, Any] = {"lightgbm": LightGBM, "xgboost": XGBoost, "random_forest": RandomForest}


def _made_from(learner: type[MetaLearner], base_model: Any, **where: Any) -> MetaLearner:
    return learner(base_model(**where))


CANDIDATES: Mapping[str, Callable[..., UpliftLearner]] = {
    **{
        f"{name}_{base}": partial(_made_from, learner, base_model)
        for name, learner in _META_LEARNERS.items()
        for base, base_model in _BASE_MODELS.items()
    },
    "dual_head": DualHead,
    "dragon_net": DragonNet,
}
"""What makes an unfitted learner, by name: ``<learner>_<base model>``, such as ``t_lightgbm``, or a network."""


def candidate(
    name: str,
    *,
    device: str = "cpu",
    n_jobs: int = 1,
    random_state: int = 0,
    parameters: Mapping[str, Any] | None = None,
) -> UpliftLearner:
    """The unfitted learner of that name.

    Args:
        name: One of ``CANDIDATES``.
        device: ``cpu`` or ``cuda``.
        n_jobs: Threads of one fit.
        random_state: Seed.
        parameters: Of the base model or the learner, named as in its ``parameters``; others keep their defaults.

    Raises:
        InputError: There is no candidate or no parameter of that name.
    """
    if name not in CANDIDATES:
        raise InputError(f"mining.candidates: {name!r} is unknown", remedy=f"use one of {', '.join(CANDIDATES)}")
    unfitted = CANDIDATES[name](device=device, n_jobs=n_jobs, random_state=random_state)
    try:
        return unfitted.with_parameters(parameters or {})
    except ValueError as error:
        raise InputError(f"{name}: {error}", remedy=f"use some of {', '.join(unfitted.parameters)}") from error


def family(name: str) -> str:
    """The base model of a candidate, which reads the features in its own form; a candidate without one is alone."""
    base_model = name.partition("_")[2]
    return base_model if base_model in _BASE_MODELS else name
