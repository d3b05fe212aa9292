"""Average effects of a treatment, the yardstick that every subpopulation is held against."""

from causal_tasks.data.caps import AppliedCap, pooled_cap
from causal_tasks.effects.balance import standardized_mean_differences
from causal_tasks.effects.cupac import cupac
from causal_tasks.effects.did import difference_in_differences
from causal_tasks.effects.effect import Effect
from causal_tasks.effects.event_study import EventStudy, event_study
from causal_tasks.effects.matching import Matching, match_on_propensity
from causal_tasks.effects.means import cuped, difference_in_means
from causal_tasks.effects.mlrate import mlrate
from causal_tasks.effects.propensity import Propensity, cross_fitted_propensity
from causal_tasks.effects.proxy import cross_fitted_proxy
from causal_tasks.effects.ratio import ratio_of_means
from causal_tasks.effects.ratio_student_t import ratio_student_t
from causal_tasks.effects.student_t import student_t_effect

__all__ = [
    "AppliedCap",
    "Effect",
    "EventStudy",
    "Matching",
    "Propensity",
    "cross_fitted_propensity",
    "cross_fitted_proxy",
    "cupac",
    "cuped",
    "difference_in_differences",
    "difference_in_means",
    "event_study",
    "match_on_propensity",
    "mlrate",
    "pooled_cap",
    "ratio_of_means",
    "ratio_student_t",
    "standardized_mean_differences",
    "student_t_effect",
]
