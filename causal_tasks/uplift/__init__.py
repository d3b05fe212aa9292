"""For whom does the treatment work? Learners of the effect on each user."""

from causal_tasks.uplift.candidates import CANDIDATES, candidate
from causal_tasks.uplift.cross_fitting import OutOfFold, predict_out_of_fold
from causal_tasks.uplift.meta_learners import SLearner, TLearner, XLearner
from causal_tasks.uplift.networks import DragonNet, DualHead
from causal_tasks.uplift.orthogonal_learners import DRLearner, RLearner
from causal_tasks.uplift.registry import load_learner
from causal_tasks.uplift.scoring import Scored, score_table
from causal_tasks.uplift.tuning import Trial, Tuning, tune

__all__ = [
    "CANDIDATES",
    "DRLearner",
    "DragonNet",
    "DualHead",
    "OutOfFold",
    "RLearner",
    "SLearner",
    "Scored",
    "TLearner",
    "Trial",
    "Tuning",
    "XLearner",
    "candidate",
    "load_learner",
    "predict_out_of_fold",
    "score_table",
    "tune",
]
