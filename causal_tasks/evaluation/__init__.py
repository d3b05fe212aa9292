"""Arrays in, numbers out: how well a ranking finds the users who gain, and how sure that is."""

from causal_tasks.evaluation.buckets import uplift_at, uplift_curve
from causal_tasks.evaluation.characteristics import characteristics
from causal_tasks.evaluation.curves import auuc, gain_curve, qini, qini_curve
from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.evaluation.heterogeneity import (
    BestLinearPredictor,
    Calibration,
    GroupEffects,
    best_linear_predictor,
    calibration,
    group_effects,
)
from causal_tasks.evaluation.intervals import ScoredValue, auuc_interval, compare, qini_interval
from causal_tasks.evaluation.policy import budget_curve, policy_value
from causal_tasks.evaluation.published import PublishedScore, PublishedScores, published_scores
from causal_tasks.evaluation.rate import RankTest, autoc, compare_rates, rate, toc_curve
from causal_tasks.evaluation.scores import dr_scores

__all__ = [
    "BestLinearPredictor",
    "Calibration",
    "Estimate",
    "GroupEffects",
    "PublishedScore",
    "PublishedScores",
    "RankTest",
    "ScoredValue",
    "autoc",
    "auuc",
    "auuc_interval",
    "best_linear_predictor",
    "budget_curve",
    "calibration",
    "characteristics",
    "compare",
    "compare_rates",
    "dr_scores",
    "gain_curve",
    "group_effects",
    "policy_value",
    "published_scores",
    "qini",
    "qini_curve",
    "qini_interval",
    "rate",
    "toc_curve",
    "uplift_at",
    "uplift_curve",
]
