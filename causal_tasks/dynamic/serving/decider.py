"""The decision about requests by the scores of their users and the interest of the moment: for one, and for many."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from causal_tasks.dynamic.decision import DynamicDecision
from causal_tasks.dynamic.lookup import Lookup
from causal_tasks.dynamic.requests import Requests
from causal_tasks.errors import InputError
from causal_tasks.feed import Feed

Positions = NDArray[np.intp]
Matrix = NDArray[np.float64]


class Interest(Protocol):
    """What predicts the interest of requests: a fitted ``RealTimeInterest``."""

    def predict(self, requests: Requests) -> Matrix:
        """Shape (n, K), about 1 on average."""
        ...


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided about n requests.

    Attributes:
        arm: Positions of the arms to give, control is 0, shape (n,).
        decided: The same before exploration, shape (n,).
        propensity: Probability with which ``arm`` was given, shape (n,).
        reason: See ``DecisionAnswer``, shape (n,).
        gains: Shape (n, K); NaN for unknown users, minus infinity for treatments that are not in use.
        interest: Shape (n, K), NaN for unknown users; None: preference alone decides.
    """

    arm: Positions
    decided: Positions
    propensity: NDArray[np.float64]
    reason: NDArray[np.object_]
    gains: Matrix
    interest: Matrix | None


class Decider:
    """Decides by one day's scores, one model and one decision.

    Args:
        feed: As it was stated when they were learned.
        lookup: Scores of its users.
        interest: The request-time model; None: preference alone decides.
        decision: How gains become arms.

    Raises:
        InputError: Their arms are not those of the feed.
    """

    def __init__(self, feed: Feed, lookup: Lookup, interest: Interest | None, decision: DynamicDecision) -> None:
        for name, arms in {"the lookup": lookup.arms, "the decision": decision.arms}.items():
            if arms != feed.arms:
                raise InputError(
                    f"{name} has arms {list(arms)}, feed {feed.run_id} has {list(feed.arms)}",
                    remedy="publish a day of this revision of the feed",
                )
        self.feed = feed
        self.lookup = lookup
        self.decision = decision
        self._interest = interest
        self._never = bool(np.isinf(decision.thresholds).all())

    def decide(self, users: Sequence[str | int], requests: Requests, request_ids: Sequence[str]) -> Decisions:
        """Decide about requests of users; one is decided in the same way as many.

        Args:
            users: Ids, shape (n,).
            requests: n requests.
            request_ids: Shape (n,), what exploration draws by.
        """
        rows = self.lookup.find_many(users)
        known = np.flatnonzero(rows >= 0)
        shape = (len(rows), len(self.feed.arms) - 1)
        decided, reason = np.zeros(len(rows), np.intp), np.full(len(rows), "unknown_user", dtype=object)
        gains = np.full(shape, np.nan)
        interest = None if self._interest is None else np.full(shape, np.nan)
        if len(known):
            preference, allowed = self.lookup.preference[rows[known]], self.lookup.allowed[rows[known]]
            of_known = requests if len(known) == len(rows) else requests.take(known)
            ratios = None if self._interest is None else self._interest.predict(of_known)
            if interest is not None:
                interest[known] = ratios
            gains[known] = self.decision.gains(preference, ratios)
            decided[known] = self.decision.decide(preference, ratios, allowed)
            reason[known] = self._reasons(gains[known], decided[known])
        arm, propensity = self.decision.explore(decided, request_ids)
        return Decisions(arm, decided, propensity, reason, gains, interest)

    def rehearse(self) -> None:
        """Decide about a request as poor as can be, so that what is wrong shows before anybody asks.

        Raises:
            InputError: The model does not know the feed's context, or predicts other than the decision takes.
        """
        if self._interest is not None:
            request = Requests.of_one(dict.fromkeys(self.feed.columns.context), [], [1.0], self.feed)
            self.decision.gains(np.ones((1, len(self.feed.arms))), self._interest.predict(request))

    def _reasons(self, gains: Matrix, decided: Positions) -> NDArray[np.object_]:
        if self._never:
            return np.full(len(gains), "never", dtype=object)
        # What gains and was not decided for was not allowed.
        without = np.where((gains > 0).any(axis=1), "guarded", "no_gain")
        return np.where(decided > 0, "gain", without).astype(object)
