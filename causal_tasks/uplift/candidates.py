"""The uplift models that an experiment can name, with the parameters they start from."""

from collections.abc import Callable, Mapping

from causal_tasks.base_models import LightGBM
from causal_tasks.errors import InputError
from causal_tasks.uplift.meta_learners import TLearner

CANDIDATES: Mapping[str, Callable[..., TLearner]] = {
    "t_lightgbm": lambda **execution: TLearner(LightGBM(**execution)),
}


def candidate(name: str, *, device: str = "cpu", n_jobs: int = 1, random_state: int = 0) -> TLearner:
    """The unfitted learner of that name with default parameters.

    Args:
        name: ``<learner>_<base model>``, such as ``t_lightgbm``.
        device: ``cpu`` or ``cuda``.
        n_jobs: Threads of one fit.
        random_state: Seed.

    Raises:
        InputError: There is no candidate of that name.
    """
    if name not in CANDIDATES:
        raise InputError(
            f"mining.candidates: {name!r} is unknown",
            remedy=f"use one of {', '.join(CANDIDATES)}",
        )
    return CANDIDATES[name](device=device, n_jobs=n_jobs, random_state=random_state)
