"""What weights of several responses are worth in each: which are beaten in everything, and which break guards."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causal_tasks.data.parts import BUCKETS, buckets
from causal_tasks.dynamic.gains import Mask, Positions, Vector
from causal_tasks.dynamic.policy_values import LoggedRequests
from causal_tasks.dynamic.thresholds import ThresholdSearch
from causal_tasks.effects.arguments import finite
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import LEVEL, mean_estimate
from causal_tasks.evaluation.inverse_propensity import Estimator

_HALVES = "pareto_table"
"""Key by which users are dealt to the half that chooses and the half that measures."""

Weights = Mapping[str, float]


def weightings(scale: Mapping[str, float], *, steps: int = 4) -> list[dict[str, float]]:
    """Weights of responses from one alone to the other alone, in equal steps.

    Args:
        scale: What a share of each response counts in, its mean under control for instance: a response twice as large
            gets half the weight. Above 0.
        steps: Into how many the weight of 1 is cut.

    Returns:
        Every way of dealing the steps to responses, divided by ``scale``.

    Raises:
        InputError: There is no response, a scale is not above 0, or ``steps`` is below 1.
    """
    if not scale:
        raise InputError("scale names no response", remedy="name at least one")
    if wrong := {name: value for name, value in scale.items() if not value > 0}:
        raise InputError(f"scale is {wrong}", remedy="use numbers above 0")
    if steps < 1:
        raise InputError(f"steps is {steps}", remedy="use at least 1")
    return [
        {name: part / steps / of for part, (name, of) in zip(parts, scale.items(), strict=True)}
        for parts in _dealt(steps, len(scale))
    ]


def pareto_table(
    responses: Mapping[str, ArrayLike],
    arm: ArrayLike,
    preferences: Mapping[str, ArrayLike],
    interest: ArrayLike | None,
    weights: Sequence[Weights],
    *,
    users: ArrayLike,
    propensity: ArrayLike,
    guards: Mapping[str, float] | None = None,
    allowed: Mask | None = None,
    per_treatment: bool = True,
    grid: int = 50,
    estimator: Estimator = "hajek",
    level: float = LEVEL,
) -> pd.DataFrame:
    """What every weighting of responses brings in each of them, on users other than those who chose its thresholds.

    A weighting decides by the weighted sum of preferences, with the thresholds that bring most of the weighted sum of
    responses on half of the users; the other half measures.

    Args:
        responses: What each row brought, by name, shape (n,) each, more is better; rows are requests, or periods of
            users with ``interest`` None.
        arm: Position of the arm that it was given, shape (n,).
        preferences: Predicted responses of its user by the names of ``responses``, shape (n, K + 1) each.
        interest: Its predicted interest, shape (n, K); None: 1.
        weights: By name, at least 0; a response left out has none.
        users: Shape (n,).
        propensity: Probability with which arms were drawn, shape (K + 1,) or (n, K + 1).
        guards: By name the share of a response under control by which it may fall.
        allowed: Treatments that a user may get, shape (n, K); None: all.
        per_treatment: Whether every treatment has its own threshold.
        grid: How many quantiles of gains are tried as thresholds.
        estimator: Of values, see ``request_policy_values``.
        level: Of intervals.

    Returns:
        A row per weighting and response: ``weighting`` (its position), ``response``, ``weight``; ``switched_share`` (of
        the rows measured); per row ``value`` with ``low`` and ``high`` and its ``change`` from control for all with
        ``change_low`` and ``change_high``; ``guard_kept`` (whether the interval of the change lies above what is
        tolerated; None: no guard); ``dominated`` (whether another weighting has nowhere a smaller value and somewhere a
        larger one, by point estimates).

    Raises:
        InputError: As for ``choose_thresholds``, names are unknown, a weight is below 0 or all are 0, or a half has too
            few users of an arm.
    """
    guarded = dict(guards or {})
    named = {f"weights[{at}]": list(weighting) for at, weighting in enumerate(weights)}
    _require_known(responses, {"preferences": list(preferences), "guards": list(guarded), **named})
    logged = {
        name: LoggedRequests.checked(values, arm, propensity=propensity, users=users)
        for name, values in responses.items()
    }
    predicted = {name: finite(preferences[name], name=f"preference of {name}", dimensions=(2,)) for name in responses}
    chooses = buckets(pd.Series(np.asarray(users)), _HALVES) < BUCKETS // 2
    rows = []
    for at, weighting in enumerate(weights):
        weighted = _weights(weighting, list(responses), at)
        reward = sum(weight * logged[name].reward for name, weight in weighted.items())
        search = ThresholdSearch.of(
            LoggedRequests.checked(np.asarray(reward), arm, propensity=propensity, users=users),
            np.asarray(sum(weight * predicted[name] for name, weight in weighted.items())),
            interest,
            allowed=allowed,
            grid=grid,
            estimator=estimator,
        )
        chosen = search.of_rows(chooses).best(per_treatment=per_treatment)
        decided = search.of_rows(~chooses).decided(chosen)
        for name, its in logged.items():
            found = _changes(its.of(~chooses), decided, guarded.get(name), estimator=estimator, level=level)
            rows.append({"weighting": at, "response": name, "weight": weighted[name], **found})
    table = pd.DataFrame(rows)
    values = table.pivot(index="weighting", columns="response", values="value").to_numpy()
    table["dominated"] = _dominated(values)[table["weighting"]]
    return table


def _changes(
    logged: LoggedRequests, decided: Positions, tolerance: float | None, *, estimator: Estimator, level: float
) -> dict[str, object]:
    """Value of a decision and its change from control for all, see ``pareto_table``."""
    found = logged.compared(
        {"control": logged.matched(np.zeros_like(decided), "control"), "policy": logged.matched(decided, "policy")},
        baseline="control",
        estimator=estimator,
        level=level,
    )
    value, change, kept = found.values["policy"].value, found.difference("policy"), None
    if tolerance is not None:
        # Control is estimated too: what is left above the tolerated value has an interval of its own.
        left = found.terms["policy"] - (1 - tolerance) * found.terms["control"]
        kept = mean_estimate(left, clusters=logged.users, level=level).interval[0] >= 0
    return {
        "switched_share": float((decided > 0).mean()),
        "value": value.estimate,
        "low": value.interval[0],
        "high": value.interval[1],
        "change": change.estimate,
        "change_low": change.interval[0],
        "change_high": change.interval[1],
        "guard_kept": kept,
    }


def _dominated(values: Vector) -> Mask:
    """Which rows another row is nowhere below and somewhere above, shape (rows,)."""
    nowhere_below = np.all(values[None] >= values[:, None], axis=2)
    somewhere_above = np.any(values[None] > values[:, None], axis=2)
    return np.asarray((nowhere_below & somewhere_above).any(axis=1))


def _dealt(steps: int, to: int) -> Iterator[tuple[int, ...]]:
    """All ways of dealing so many steps."""
    if to == 1:
        yield (steps,)
        return
    for first in range(steps, -1, -1):
        for rest in _dealt(steps - first, to - 1):
            yield (first, *rest)


def _weights(weighting: Weights, names: Sequence[str], at: int) -> dict[str, float]:
    """A weight for each name."""
    if any(not weight >= 0 for weight in weighting.values()) or not any(weighting.values()):
        raise InputError(f"weights[{at}] is {dict(weighting)}", remedy="use weights of at least 0, one of them above 0")
    return {name: weighting.get(name, 0.0) for name in names}


def _require_known(responses: Mapping[str, ArrayLike], given: Mapping[str, Sequence[str]]) -> None:
    for argument, names in given.items():
        if unknown := sorted(set(names) - set(responses)):
            raise InputError(f"{argument} names {unknown}", remedy=f"use {', '.join(responses)}")
    if missing := sorted(set(responses) - set(given["preferences"])):
        raise InputError(f"preferences lacks {missing}", remedy="predict every response")
