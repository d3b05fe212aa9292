"""Two-sided tests and intervals of an estimate, by the t distribution or, for large samples, the normal one."""

import math

from scipy.special import stdtr, stdtrit

from causal_tasks.errors import InputError


def two_sided_quantile(level: float, degrees: float = math.inf) -> float:
    """Standard errors on either side of an estimate that make an interval.

    Args:
        level: Coverage of the interval.
        degrees: Degrees of freedom; infinite for the normal distribution.

    Raises:
        InputError: ``level`` is no share.
    """
    if not 0 < level < 1:
        raise InputError(f"level is {level}", remedy="use a share between 0 and 1, such as 0.95")
    return float(stdtrit(degrees, 0.5 + level / 2))


def two_sided_p_value(estimate: float, standard_error: float, degrees: float = math.inf) -> float:
    """The p-value of ``estimate`` being zero; without any uncertainty 0, or 1 where it is zero.

    Args:
        estimate: In any unit.
        standard_error: Same unit.
        degrees: Degrees of freedom; infinite for the normal distribution.
    """
    if standard_error == 0:
        return 1.0 if estimate == 0 else 0.0
    return float(2 * stdtr(degrees, -abs(estimate) / standard_error))
