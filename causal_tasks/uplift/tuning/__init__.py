"""Search for the parameters with which a learner ranks users best."""

from causal_tasks.uplift.tuning.search import MAX_ROWS, tune
from causal_tasks.uplift.tuning.spaces import edited_space
from causal_tasks.uplift.tuning.trials import Trial, Tuning

__all__ = ["MAX_ROWS", "Trial", "Tuning", "edited_space", "tune"]
