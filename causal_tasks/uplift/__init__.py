"""For whom does the treatment work? Learners of the effect on each user."""

from causal_tasks.uplift.candidates import CANDIDATES, candidate
from causal_tasks.uplift.cross_fitting import OutOfFold, predict_out_of_fold
from causal_tasks.uplift.meta_learners import TLearner

__all__ = ["CANDIDATES", "OutOfFold", "TLearner", "candidate", "predict_out_of_fold"]
