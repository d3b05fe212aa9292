"""Average effects of a treatment, the yardstick that every subpopulation is held against."""

from causal_tasks.effects.effect import Effect
from causal_tasks.effects.means import cuped, difference_in_means
from causal_tasks.effects.ratio import ratio_of_means

__all__ = ["Effect", "cuped", "difference_in_means", "ratio_of_means"]
