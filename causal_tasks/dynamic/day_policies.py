"""Policies of a day: chosen on some held-out users, measured on others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.dynamic.decision import NEVER, DynamicDecision
from causal_tasks.dynamic.decision_log import DecisionLog
from causal_tasks.dynamic.drift import threshold_drift
from causal_tasks.dynamic.policy_values import LoggedRequests, request_policy_values
from causal_tasks.dynamic.thresholds import ThresholdSearch, choose_thresholds
from causal_tasks.evaluation.estimate import LEVEL, Estimate, mean_estimate
from causal_tasks.evaluation.inverse_propensity import PolicyComparison
from causal_tasks.feed import Feed

DYNAMIC, PREFERENCE, INTEREST, BEST_ARM, CONTROL = "dynamic", "preference", "interest", "best_arm", "control"

GRID = 25
"""Quantiles of gains that are tried as thresholds."""

_CLEAR_OF_ZERO = 4.0
"""Standard errors that a control value must be above zero for a difference to be told relative to it."""

Positions = NDArray[np.intp]
Thresholds = tuple[float, ...]


@dataclass(frozen=True)
class ChosenPolicies:
    """What was chosen on users of the part that chooses.

    Attributes:
        feed: Names arms and categories.
        decisions: Of each policy that has thresholds, by name: ``dynamic`` and, where there are requests,
            ``preference`` and ``interest``; without exploration.
        usual: Mean preference, shape (K + 1,): what ``interest`` alone knows of everybody.
        best_arm: Position of the arm that brings most when everybody gets it.
    """

    feed: Feed
    decisions: Mapping[str, DynamicDecision]
    usual: NDArray[np.float64]
    best_arm: int

    @classmethod
    def of(cls, log: DecisionLog, feed: Feed) -> Self:
        """The policies that bring most on the rows of ``log``.

        Raises:
            InputError: As for ``choose_thresholds``, or an arm was given to nobody.
        """
        usual = log.preference.mean(axis=0, dtype=np.float64)
        common: dict[str, Any] = {
            "propensity": shares_of(feed),
            "allowed": log.allowed,
            "users": log.users,
            "interest_weights": feed.learning.interest_weights,
            "grid": GRID,
        }
        decisions = {}
        for name, (preference, interest) in _known_to(log, usual).items():
            found_best = choose_thresholds(log.reward, log.arm, preference, interest, **common)
            decisions[name] = decision_of(feed, found_best.thresholds, found_best.interest_weight, exploration=0.0)
        everybody = {arm: np.full(len(log), position) for position, arm in enumerate(feed.arms)}
        found = request_policy_values(
            log.reward, log.arm, everybody, propensity=shares_of(feed), baseline=feed.control, users=log.users
        )
        best = max(feed.arms, key=lambda arm: found.values[arm].value.estimate)
        return cls(feed, decisions, usual, feed.arms.index(best))

    def decided(self, log: DecisionLog) -> dict[str, Positions]:
        """Position of the arm that every policy gives each row, by name, shape (n,)."""
        found = {
            name: self.decisions[name].decide(preference, interest, log.allowed)
            for name, (preference, interest) in _known_to(log, self.usual).items()
        }
        found[BEST_ARM] = np.full(len(log), self.best_arm, dtype=np.intp)
        found[CONTROL] = np.zeros(len(log), dtype=np.intp)
        return found


def decision_of(
    feed: Feed, thresholds: Sequence[float], interest_weight: float, *, exploration: float
) -> DynamicDecision:
    """The decision of a feed."""
    return DynamicDecision(
        feed.arms,
        tuple(feed.treatments.values()),
        tuple(thresholds),
        interest_weight=interest_weight,
        exploration=exploration,
        stage=feed.serving.stage,
        boost=feed.serving.boost,
    )


def shares_of(feed: Feed) -> NDArray[np.float64]:
    """Probability with which each arm was drawn, shape (K + 1,)."""
    return np.array([feed.propensity[arm] for arm in feed.arms])


def compared(log: DecisionLog, decided: Mapping[str, Positions], feed: Feed) -> PolicyComparison:
    """What policies bring on the rows of ``log``, per row."""
    return request_policy_values(
        log.reward, log.arm, decided, propensity=shares_of(feed), baseline=CONTROL, users=log.users
    )


def told_policies(
    found: PolicyComparison, decided: Mapping[str, Positions], chosen: ChosenPolicies
) -> dict[str, dict[str, Any]]:
    """Value, rows that were given what the policy gives, and share of rows by arm, by name."""
    arms = chosen.feed.arms
    told: dict[str, dict[str, Any]] = {}
    for name, value in found.values.items():
        shares = np.bincount(decided[name], minlength=len(arms)) / len(decided[name])
        told[name] = {
            "value": value.value.model_dump(mode="json"),
            "matched": value.matched,
            "shares": dict(zip(arms, shares.tolist(), strict=True)),
        }
    told[BEST_ARM]["arm"] = arms[chosen.best_arm]
    return told


def told_differences(found: PolicyComparison) -> dict[str, dict[str, Any]]:
    """Differences of the dynamic policy from each other one, and of each of these from control."""
    others = [name for name in found.values if name not in (DYNAMIC, CONTROL)]
    pairs = [(DYNAMIC, CONTROL), *((DYNAMIC, other) for other in others), *((other, CONTROL) for other in others)]
    return {
        f"{name}_vs_{other}": found.difference(name, other).model_dump(mode="json")
        | {"relative": _relative(found, name, other)}
        for name, other in pairs
    }


def told_thresholds(chosen: ChosenPolicies, log: DecisionLog) -> dict[str, Any]:
    """The chosen thresholds, and on the rows of ``log`` the value by each while the others are as chosen."""
    feed, decision = chosen.feed, chosen.decisions[DYNAMIC]
    decided = chosen.decided(log)[DYNAMIC]
    search = ThresholdSearch.of(
        LoggedRequests.checked(log.reward, log.arm, propensity=shares_of(feed), users=log.users),
        log.preference,
        log.interest,
        allowed=log.allowed,
        grid=GRID,
        estimator="hajek",
        interest_weight=decision.interest_weight,
    )
    curve = search.curve(np.array(decision.thresholds), per_treatment=True, level=LEVEL)
    return {
        "chosen": by_treatment(feed, decision.thresholds),
        "interest_weight": None if log.interest is None else decision.interest_weight,
        "per_treatment": True,
        "switched_share": {
            treatment: float((decided == position).mean()) for position, treatment in enumerate(feed.treatments, 1)
        },
        "curve": [
            {
                "treatment": feed.arms[row["treatment"]],
                "xi": finite_or_none(row["threshold"]),
                "value": row["value"],
                "interval": [row["low"], row["high"]],
                "switched_share": row["switched_share"],
            }
            for row in curve.to_dict("records")
        ],
    }


def told_drift(chosen: ChosenPolicies, log: DecisionLog) -> dict[str, Any]:
    """Whether other thresholds would have been better in some segment and week, see ``threshold_drift``."""
    feed, decision = chosen.feed, chosen.decisions[DYNAMIC]
    table = threshold_drift(
        log.reward,
        log.arm,
        log.preference,
        log.interest,
        thresholds=decision.thresholds,
        segment=log.segment,
        week=log.week,
        users=log.users,
        propensity=shares_of(feed),
        allowed=log.allowed,
        interest_weight=decision.interest_weight,
    )
    return {
        "deployed": by_treatment(feed, decision.thresholds),
        "alarms": int(table["alarm"].sum()),
        "cells": int(table["p_value"].notna().sum()),
        "rows": [
            {
                **{name: row[name] for name in ("segment", "week", "requests", "users", "alarm", "note")},
                "thresholds": None if row["thresholds"] is None else by_treatment(feed, row["thresholds"]),
                "difference": None
                if math.isnan(row["difference"])
                else {
                    "estimate": row["difference"],
                    "interval": [row["low"], row["high"]],
                    "p_value": row["p_value"],
                },
            }
            for row in table.to_dict("records")
        ],
    }


def by_treatment(feed: Feed, thresholds: Sequence[float]) -> dict[str, float | None]:
    """Thresholds by treatment; None: never."""
    return {name: finite_or_none(xi) for name, xi in zip(feed.treatments, thresholds, strict=True)}


def finite_or_none(threshold: float) -> float | None:
    """A threshold as JSON holds it."""
    return None if threshold == NEVER else float(threshold)


def _known_to(
    log: DecisionLog, usual: NDArray[np.float64]
) -> dict[str, tuple[NDArray[np.floating[Any]], NDArray[np.float64] | None]]:
    """Preference and interest of each row as every policy with thresholds knows them, by name."""
    known: dict[str, tuple[NDArray[np.floating[Any]], NDArray[np.float64] | None]] = {
        DYNAMIC: (log.preference, log.interest)
    }
    if log.interest is not None:
        known[PREFERENCE] = (log.preference, None)
        known[INTEREST] = (np.broadcast_to(usual, log.preference.shape), log.interest)
    return known


def _relative(found: PolicyComparison, name: str, other: str) -> dict[str, Any] | None:
    """A difference divided by the value of control; None where that is not clearly above zero.

    Its interval counts that the value of control is estimated on the same rows.
    """
    control: Estimate = found.values[CONTROL].value
    if control.estimate <= _CLEAR_OF_ZERO * control.standard_error:
        return None
    terms = found.terms[name] - found.terms[other]
    relative = float(terms.mean()) / control.estimate
    influence = (terms - relative * found.terms[CONTROL]) / control.estimate
    return mean_estimate(relative + influence, clusters=found.clusters, level=found.level).model_dump(mode="json")
