"""The uplift models that an experiment can name, with the parameters they start from."""

from collections.abc import Callable, Mapping
from typing import Any

from causal_tasks.base_models import BaseModel, LightGBM, RandomForest, XGBoost
from causal_tasks.errors import InputError
from causal_tasks.uplift.learner import MetaLearner
from causal_tasks.uplift.meta_learners import SLearner, TLearner, XLearner

_LEARNERS: Mapping[str, type[MetaLearner]] = {"t": TLearner, "x": XLearner, "s": SLearner}
_BASE_MODELS: Mapping[str, Any] = {"lightgbm": LightGBM, "xgboost": XGBoost, "random_forest": RandomForest}

CANDIDATES: Mapping[str, tuple[type[MetaLearner], Callable[..., BaseModel]]] = {
    f"{learner}_{base_model}": (_LEARNERS[learner], _BASE_MODELS[base_model])
    for learner in _LEARNERS
    for base_model in _BASE_MODELS
}
"""Learner and base model by ``<learner>_<base model>``, such as ``t_lightgbm``."""


def candidate(
    name: str,
    *,
    device: str = "cpu",
    n_jobs: int = 1,
    random_state: int = 0,
    parameters: Mapping[str, Any] | None = None,
) -> MetaLearner:
    """The unfitted learner of that name.

    Args:
        name: One of ``CANDIDATES``.
        device: ``cpu`` or ``cuda``.
        n_jobs: Threads of one fit.
        random_state: Seed.
        parameters: Of the base model; others keep their defaults.

    Raises:
        InputError: There is no candidate or no parameter of that name.
    """
    if name not in CANDIDATES:
        raise InputError(f"mining.candidates: {name!r} is unknown", remedy=f"use one of {', '.join(CANDIDATES)}")
    learner, base_model = CANDIDATES[name]
    try:
        return learner(base_model(device=device, n_jobs=n_jobs, random_state=random_state, **(parameters or {})))
    except TypeError as error:
        raise InputError(f"{name}: {error}", remedy="use parameters of its base model") from error
