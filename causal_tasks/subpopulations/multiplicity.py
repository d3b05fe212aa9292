"""How many rules were looked at, and what that does to p-values and to intervals."""

from collections.abc import Sequence

from causal_tasks.evaluation.estimate import Estimate

FALSE_DISCOVERY_RATE = 0.10
FALSE_COVERAGE_RATE = 0.05


def q_values(p_values: Sequence[float | None]) -> list[float]:
    """The smallest false discovery rate at which each rule counts as found, over all rules examined.

    Args:
        p_values: One for each rule; None where too few users bear witness: such a rule stays in the family with p = 1.

    Source: Benjamini, Hochberg (1995).
    """
    from scipy.stats import false_discovery_control

    known = [1.0 if p_value is None else p_value for p_value in p_values]
    return [float(q) for q in false_discovery_control(known)] if known else []


def coverage_adjusted(estimate: Estimate, *, selected: int, examined: int) -> tuple[float, float]:
    """The interval of one of several selected estimates: of such intervals at most 5 % are expected to miss the truth.

    Intervals at the usual level hold for estimates picked beforehand. Of those picked because they stand out, more
    miss; these are as much wider as the selection was strict: at level 1 - R q / m for R selected of m.

    Args:
        estimate: Of a selected rule.
        selected: How many rules were selected, R.
        examined: From how many, m.

    Source: Benjamini, Yekutieli (2005), definition 1.
    """
    level = 1 - FALSE_COVERAGE_RATE * selected / examined
    return Estimate.of(estimate.estimate, estimate.standard_error, level=level).interval
