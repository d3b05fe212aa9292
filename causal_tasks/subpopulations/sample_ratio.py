"""Whether a rule holds its share of each arm: if not, the rule itself depends on the treatment."""

from typing import Any

from causal_tasks.subpopulations.evidence import Mask
from causal_tasks.subpopulations.users import Users
from causal_tasks.validity.arms import goodness_of_fit


def sample_ratio_p_value(users: Users, inside: Mask, treatment: Any) -> float | None:
    """The p-value of covered users (of both parts) in control and ``treatment`` under the shares of the design.

    Where whole clusters were dealt, clusters with a covered user are counted.

    Args:
        users: All.
        inside: Shape (n,), who is covered by the rule.
        treatment: Label of the arm.

    Returns:
        Pearson's chi-square test; None where nobody dealt arms at random, or nobody is covered.
    """
    counts = users.independent(inside, treatment)
    if not users.randomized or not sum(counts):
        return None
    shares = (users.shares[users.arms[0]], users.shares[treatment])
    return goodness_of_fit(counts, [share / sum(shares) for share in shares])
