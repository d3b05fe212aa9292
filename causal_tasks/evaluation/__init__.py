"""Arrays in, numbers out: how well a ranking finds the users who gain, and how sure that is."""

from causal_tasks.evaluation.buckets import uplift_at, uplift_curve
from causal_tasks.evaluation.curves import auuc, gain_curve, qini, qini_curve
from causal_tasks.evaluation.intervals import ScoredValue, auuc_interval, compare, qini_interval
from causal_tasks.evaluation.scores import dr_scores

__all__ = [
    "ScoredValue",
    "auuc",
    "auuc_interval",
    "compare",
    "dr_scores",
    "gain_curve",
    "qini",
    "qini_curve",
    "qini_interval",
    "uplift_at",
    "uplift_curve",
]
