"""The decision of one request: the arm with the largest gain, at times a random one, and what it does to the slate."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causal_tasks.dynamic.gains import arm_positions, best_arms, checked_thresholds, require_interest_weight, uplifts
from causal_tasks.dynamic.slates import reordered
from causal_tasks.errors import InputError
from causal_tasks.feed import DurationBuckets

Stage = Literal["retrieval", "ranking", "reranking"]
STAGES = get_args(Stage)

NEVER = math.inf
"""Threshold of a treatment that is not used."""

_HASH_KEY = "causal_explore_1"
"""Sixteen letters; another key draws other arms for the same requests."""

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class DynamicDecision:
    """Which arm a request gets, by preference and interest, and how the arm changes a slate.

    Treatment k gains ``r_k y_k - y_0 - xi_k``, where ``y`` are the user's predicted responses, ``r_k`` the interest of
    the request, which is about 1 on average, and ``xi_k`` its threshold. The largest gain wins where it is above zero.
    Responses are amounts of at least zero: interest multiplies them. It multiplies all of a response, of which a
    treatment moves a part only, so that it may say too much: with a weight w below 1, 1 + w (r - 1) stands for r.

    Attributes:
        arms: Labels, control first.
        buckets: For each treatment the label of the category of durations whose share it raises, shape (K,).
        thresholds: xi, in units of the response, shape (K,); infinity: never.
        interest_weight: w, from 0, preference alone, to 1, as published.
        exploration: Share of requests that get an arm at random.
        stage: At which the slate is changed, see ``adjust``.
        boost: Share of the slate, or of the pool of candidates, that a treatment adds to its category.

    Source: Kuaishou's CDUM, arXiv 2410.16755, for the rule.

    Examples:
        >>> decision = DynamicDecision(("control", "more_long", "more_short"), ("long", "short"), (1.0, 1.0))
        >>> decision.decide([[10.0, 12.0, 10.0]], [[1.0, 1.5]])
        array([2])
        >>> decision.gains([[10.0, 12.0, 10.0]], [[1.0, 1.5]])
        array([[1., 4.]])
    """

    arms: tuple[str, ...]
    buckets: tuple[str, ...]
    thresholds: tuple[float, ...]
    interest_weight: float = field(default=1.0, kw_only=True)
    exploration: float = field(default=0.0, kw_only=True)
    stage: Stage = field(default="reranking", kw_only=True)
    boost: float = field(default=0.2, kw_only=True)

    def __post_init__(self) -> None:
        """Check.

        Raises:
            InputError: Arms repeat one or are fewer than two, lengths differ, a threshold is missing or minus infinity,
                interest_weight or exploration is not in [0, 1], boost is not in (0, 1), or the stage is unknown.
        """
        treatments = len(self.arms) - 1
        if treatments < 1 or len(set(self.arms)) < len(self.arms):
            raise InputError(f"arms are {list(self.arms)}", remedy="name control and at least one treatment, each once")
        if len(self.buckets) != treatments:
            raise InputError(
                f"buckets has {len(self.buckets)} entries for {treatments} treatments",
                remedy="name one for each treatment",
            )
        checked_thresholds(self.thresholds, treatments=treatments)
        require_interest_weight(self.interest_weight)
        if not 0 <= self.exploration <= 1:
            raise InputError(f"exploration is {self.exploration}", remedy="use a share from 0 to 1")
        if not 0 < self.boost < 1:
            raise InputError(f"boost is {self.boost}", remedy="use a share between 0 and 1")
        if self.stage not in STAGES:
            raise InputError(f"stage {self.stage!r} is unknown", remedy=f"use one of {', '.join(STAGES)}")

    def gains(self, preference: ArrayLike, interest: ArrayLike | None) -> Matrix:
        """What each treatment gains over control beyond its threshold; minus infinity where that is infinite.

        Args:
            preference: Predicted responses of each request's user by arm, shape (n, K + 1).
            interest: Shape (n, K); None: 1, preference alone decides.

        Returns:
            Shape (n, K), units of the response.

        Raises:
            InputError: A value is not finite, or a shape is another one.
        """
        moved = uplifts(preference, interest, treatments=len(self.buckets), interest_weight=self.interest_weight)
        found: Matrix = moved - np.array(self.thresholds)
        return found

    def decide(
        self, preference: ArrayLike, interest: ArrayLike | None, allowed: NDArray[np.bool_] | None = None
    ) -> Positions:
        """Position of the arm that each request gets before exploration.

        Args:
            preference: Shape (n, K + 1).
            interest: Shape (n, K) or None, as for ``gains``.
            allowed: Treatments that a user may get, shape (n, K); None: all.

        Returns:
            Shape (n,): the first treatment with the largest gain among those allowed, 0 (control) where none is above
            zero.

        Raises:
            InputError: As for ``gains``, or ``allowed`` has another shape.
        """
        return best_arms(self.gains(preference, interest), allowed)

    def propensities(self, arm: ArrayLike) -> Matrix:
        """Probability with which each arm is given where exploration starts from these, shape (n, K + 1).

        Args:
            arm: Positions before exploration, shape (n,).

        Raises:
            InputError: A position is none of an arm.
        """
        decided = arm_positions(arm, arms=len(self.arms))
        greedy = decided[:, None] == np.arange(len(self.arms))
        found: Matrix = self.exploration / len(self.arms) + (1 - self.exploration) * greedy
        return found

    def explore(self, arm: ArrayLike, request_ids: Sequence[Any]) -> tuple[Positions, Vector]:
        """The arm that each request is given, at times one drawn evenly among all, and how likely that was.

        A hash of the id draws, so that a request that is asked twice gets the same arm.

        Args:
            arm: Positions before exploration, shape (n,).
            request_ids: Shape (n,), text or integers.

        Returns:
            Positions of arms and the probability with which each was given, shape (n,) each.

        Raises:
            InputError: A position is none of an arm, or there are more or fewer ids.
        """
        decided = arm_positions(arm, arms=len(self.arms))
        if len(request_ids) != len(decided):
            raise InputError(
                f"request_ids has {len(request_ids)} entries for {len(decided)} decisions", remedy="pass one for each"
            )
        draw = uniform_of(request_ids)
        random = draw < self.exploration
        given = decided.copy()
        # Below the share of exploration the draw is as uniform as it is altogether.
        given[random] = (draw[random] / self.exploration * len(self.arms)).astype(np.intp)
        return given, self.exploration / len(self.arms) + (1 - self.exploration) * (given == decided)

    def adjust(self, candidates: ArrayLike, arm: int, durations: DurationBuckets, size: int) -> Positions:
        """The order of a ranked slate's candidates under an arm.

        The arm's category gets ``boost`` more of the first ``size`` places, rounded, as far as there are candidates of
        it; control changes nothing. The stage says how, see ``slates.reordered``.

        Args:
            candidates: How long the candidates are, best first, shape (c,), seconds.
            arm: Position of the arm.
            durations: The categories.
            size: Places of the slate, or of the pool that goes on to the next stage.

        Returns:
            Positions of ``candidates``, shape (c,).

        Raises:
            InputError: A duration is no finite number above 0, the arm is none of the decision's, its category
                is none of ``durations``, or ``size`` is below 1.
        """
        position = int(arm_positions([arm], arms=len(self.arms))[0])
        raised = None if position == 0 else self.buckets[position - 1]
        return reordered(candidates, raised, durations, size=size, boost=self.boost, stage=self.stage)

    def to_json(self) -> dict[str, Any]:
        """As JSON values; a threshold of infinity is None."""
        return {
            "arms": list(self.arms),
            "buckets": list(self.buckets),
            "thresholds": [None if math.isinf(xi) else xi for xi in self.thresholds],
            "interest_weight": self.interest_weight,
            "exploration": self.exploration,
            "stage": self.stage,
            "boost": self.boost,
        }

    @classmethod
    def from_json(cls, stated: Any) -> Self:
        """The decision that ``to_json`` described.

        Raises:
            InputError: Something is missing, unknown or not what the constructor takes.
        """
        try:
            return cls(
                tuple(stated["arms"]),
                tuple(stated["buckets"]),
                tuple(NEVER if xi is None else float(xi) for xi in stated["thresholds"]),
                interest_weight=stated["interest_weight"],
                exploration=stated["exploration"],
                stage=stated["stage"],
                boost=stated["boost"],
            )
        except InputError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"decision: {type(error).__name__}: {error}", remedy="write what DynamicDecision.to_json returns"
            ) from error


def uniform_of(ids: Iterable[Any], *, key: str = _HASH_KEY) -> Vector:
    """A number in [0, 1) of each id, evenly spread and always the same, shape (n,); another ``key`` draws anew."""
    text = np.array([str(one) for one in ids], dtype=object)
    hashed = pd.util.hash_array(text, hash_key=key, categorize=False)
    # The upper 53 bits are what a double holds exactly.
    return (hashed >> np.uint64(11)).astype(np.float64) * 2.0**-53
