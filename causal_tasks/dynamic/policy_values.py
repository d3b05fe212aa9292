"""What policies are worth at request time, read off requests whose arm was drawn with known probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.dynamic.gains import Codes, Mask, Positions, Vector, arm_positions
from causal_tasks.effects.arguments import cluster_codes, finite, require_rows
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import LEVEL
from causal_tasks.evaluation.inverse_propensity import Estimator, Matched, PolicyComparison, compare_matched


def request_policy_values(
    reward: ArrayLike,
    arm: ArrayLike,
    policies: Mapping[str, ArrayLike],
    *,
    propensity: ArrayLike,
    baseline: str,
    users: ArrayLike | None = None,
    estimator: Estimator = "hajek",
    level: float = LEVEL,
) -> PolicyComparison:
    """What policies bring per request, and by how much they differ, on requests that none of them was chosen on.

    A request counts where it was given the arm that the policy gives it, with weight one over the probability of that:
    ``V(pi) = mean(1{T = pi(x)} reward / P(T))``, for ``hajek`` divided by the mean weight. Whole users are resampled in
    thought: requests of one are not independent.

    Args:
        reward: Shape (n,), more is better.
        arm: Position of the arm that each request was given, 0 for control, shape (n,).
        policies: By name the position of the arm that each request would be given, shape (n,), or the probability of
            every arm, shape (n, K + 1): that of a policy which explores, or of how the arms were drawn.
        propensity: Probability with which arms were drawn: of every arm, shape (K + 1,), or of every arm and request,
            shape (n, K + 1).
        baseline: Name of the policy from which differences are taken.
        users: Shape (n,); None: requests are independent.
        estimator: ``hajek`` or ``ipw``, which is unbiased in samples of any size and less precise.
        level: Of intervals.

    Raises:
        InputError: Lengths differ, a value is not finite, an arm or name is unknown, a probability is not above 0 or
            those of a request do not sum to 1, no request was given what a policy gives it, or there are fewer than two
            requests or users.

    Source: Horvitz, Thompson (1952); Hajek (1971); Swaminathan, Joachims (2015), "The self-normalized estimator for
    counterfactual learning".

    Examples:
        >>> found = request_policy_values(
        ...     [1.0, 0.0, 3.0, 2.0], [0, 0, 1, 1], {"control": [0, 0, 0, 0], "mixed": [0, 1, 1, 0]},
        ...     propensity=[0.5, 0.5], baseline="control",
        ... )
        >>> found.values["mixed"].value.estimate, found.difference("mixed").estimate
        (2.0, 1.5)
    """
    logged = LoggedRequests.checked(reward, arm, propensity=propensity, users=users)
    matched = {name: logged.matched(logged.checked_policy(name, policy), name) for name, policy in policies.items()}
    return logged.compared(matched, baseline=baseline, estimator=estimator, level=level)


@dataclass(frozen=True, slots=True)
class LoggedRequests:
    """Requests whose arm was drawn.

    Attributes:
        reward: Shape (n,).
        arm: Position of the arm that was drawn, shape (n,).
        probability: With which it was, shape (n,).
        arms: K + 1.
        users: Codes 0, 1, …, shape (n,); None: requests are independent.
    """

    reward: Vector
    arm: Positions
    probability: Vector
    arms: int
    users: Codes | None

    @classmethod
    def checked(cls, reward: ArrayLike, arm: ArrayLike, *, propensity: ArrayLike, users: ArrayLike | None) -> Self:
        """Arguments and errors are those of ``request_policy_values``."""
        rewards = finite(reward, name="reward")
        shares = finite(propensity, name="propensity", dimensions=(1, 2))
        arms, rows = shares.shape[-1], len(rewards)
        if shares.ndim == 2:
            require_rows(len(shares), name="propensity", rows=rows)
        if not (shares > 0).all() or np.abs(shares.sum(axis=-1) - 1).max(initial=0) > 1e-6:
            raise InputError(
                f"propensity has values from {shares.min():g} to {shares.max():g} and sums from "
                f"{shares.sum(axis=-1).min():g} to {shares.sum(axis=-1).max():g}",
                remedy="pass the probability of every arm, above 0, in all 1",
            )
        given = arm_positions(arm, arms=arms)
        require_rows(len(given), name="arm", rows=rows)
        probability = shares[given] if shares.ndim == 1 else shares[np.arange(rows), given]
        codes = None if users is None else cluster_codes(users, rows=rows)
        return cls(rewards, given, probability, arms, codes)

    def checked_policy(self, name: str, policy: ArrayLike) -> NDArray[np.generic]:
        """Positions of arms, shape (n,), or their probabilities, shape (n, K + 1); see ``request_policy_values``."""
        given = np.asarray(policy)
        if given.ndim == 1:
            given = arm_positions(given, arms=self.arms, name=f"policy {name!r}")
            require_rows(len(given), name=f"policy {name!r}", rows=len(self.reward))
            return given
        shares = finite(given, name=f"policy {name!r}", dimensions=(2,))
        wanted = (len(self.reward), self.arms)
        if shares.shape != wanted or (shares < 0).any() or np.abs(shares.sum(axis=1) - 1).max(initial=0) > 1e-6:
            raise InputError(
                f"policy {name!r} of shape {shares.shape} is no probability of every arm",
                remedy=f"pass shape {wanted}, at least 0, each row 1 in all",
            )
        return shares

    def matched(self, policy: NDArray[np.generic], name: str) -> Matched:
        """Which requests were given what a checked policy gives them; raises InputError where none was."""
        if policy.ndim == 1:
            chance = (self.arm == policy).astype(np.float64)
        else:
            chance = policy[np.arange(len(self.arm)), self.arm].astype(np.float64)
        if not chance.any():
            raise InputError(
                f"policy {name!r}: none of {len(chance)} requests was given what it gives them",
                remedy="pass more requests, or check that it was made for these rows in this order",
            )
        return Matched(chance / self.probability)

    def compared(
        self, policies: Mapping[str, Matched], *, baseline: str, estimator: Estimator, level: float
    ) -> PolicyComparison:
        """Values of policies by who was given what they give."""
        return compare_matched(
            self.reward, policies, baseline=baseline, estimator=estimator, clusters=self.users, level=level
        )

    def of(self, rows: Mask) -> Self:
        """Some of the requests."""
        users = None if self.users is None else np.unique(self.users[rows], return_inverse=True)[1]
        return replace(
            self, reward=self.reward[rows], arm=self.arm[rows], probability=self.probability[rows], users=users
        )
