"""From which gain on treatments are switched on: thresholds chosen by the value that logged requests give them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causal_tasks.dynamic.decision import NEVER
from causal_tasks.dynamic.gains import Mask, Matrix, Positions, Vector, best_arms, checked_allowed, uplifts
from causal_tasks.dynamic.policy_values import LoggedRequests
from causal_tasks.effects.arguments import require_rows
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import LEVEL, Estimate
from causal_tasks.evaluation.inverse_propensity import Estimator

SWEEPS = 10
"""Times at most that each treatment's threshold is looked at while the others are held."""


@dataclass(frozen=True)
class ChosenThresholds:
    """Thresholds, and what they seem to be worth on the requests that they were chosen on.

    The best of many looks better than it is: what is told of a choice is measured on users who had no part in it, by
    ``request_policy_values``.

    Attributes:
        thresholds: xi, shape (K,), units of the response; infinity: the treatment is not used.
        interest_weight: Of those tried.
        value: Reward per request.
        gain: Of ``value`` over control for all.
        switched_share: Share of requests that get a treatment.
        search: What they were found by.
        per_treatment: Whether every treatment has its own threshold.
        level: Of intervals.
    """

    thresholds: tuple[float, ...]
    interest_weight: float
    value: Estimate
    gain: Estimate
    switched_share: float
    search: "ThresholdSearch" = field(repr=False)
    per_treatment: bool
    level: float

    @cached_property
    def curve(self) -> pd.DataFrame:
        """Value by threshold, a row for each that was tried.

        ``treatment`` (position of the arm whose threshold varies while those of the others are the chosen ones; 0: one
        threshold for all), ``threshold``, ``value`` with ``low`` and ``high``, ``switched_share``.
        """
        return self.search.curve(np.array(self.thresholds), per_treatment=self.per_treatment, level=self.level)


def choose_thresholds(
    reward: ArrayLike,
    arm: ArrayLike,
    preference: ArrayLike,
    interest: ArrayLike | None,
    *,
    propensity: ArrayLike,
    allowed: Mask | None = None,
    users: ArrayLike | None = None,
    interest_weights: Sequence[float] = (1.0,),
    per_treatment: bool = True,
    grid: int = 50,
    estimator: Estimator = "hajek",
    level: float = LEVEL,
) -> ChosenThresholds:
    """The thresholds whose decisions would have brought most on logged requests.

    Tried are quantiles of gains and infinity, at which nothing is switched on; of equals the higher one. With a
    threshold per treatment, the best common one is the start, and each is then improved in turn until none changes.

    Args:
        reward: What each request brought, shape (n,), more is better.
        arm: Position of the arm that it was given, shape (n,).
        preference: Predicted responses of its user, shape (n, K + 1).
        interest: Its predicted interest, shape (n, K); None: 1.
        propensity: Probability with which arms were drawn, shape (K + 1,) or (n, K + 1).
        allowed: Treatments that its user may get, shape (n, K); None: all.
        users: Shape (n,); None: requests are independent.
        interest_weights: Of ``DynamicDecision``, to try; of equals the first.
        per_treatment: Whether every treatment has its own threshold.
        grid: How many quantiles are tried.
        estimator: Of values, see ``request_policy_values``.
        level: Of intervals.

    Raises:
        InputError: As for ``request_policy_values`` and ``DynamicDecision.gains``, no request was given control,
            there is no weight, or ``grid`` is below 1.
    """
    logged = LoggedRequests.checked(reward, arm, propensity=propensity, users=users)
    if not interest_weights:
        raise InputError("interest_weights is empty", remedy="try at least one; 1 is the published form")
    weights = (1.0,) if interest is None else tuple(interest_weights)
    searches = [
        ThresholdSearch.of(
            logged,
            preference,
            interest,
            allowed=allowed,
            grid=grid,
            estimator=estimator,
            interest_weight=weight,
        )
        for weight in weights
    ]
    found_best = [tried.best(per_treatment=per_treatment) for tried in searches]
    values = [tried.value(tried.decided(best)) for tried, best in zip(searches, found_best, strict=True)]
    at = int(np.argmax(values))
    search, chosen = searches[at], found_best[at]
    decided = search.decided(chosen)
    found = logged.compared(
        {"control": logged.matched(np.zeros_like(decided), "control"), "chosen": logged.matched(decided, "chosen")},
        baseline="control",
        estimator=estimator,
        level=level,
    )
    return ChosenThresholds(
        thresholds=tuple(chosen.tolist()),
        interest_weight=weights[at],
        value=found.values["chosen"].value,
        gain=found.difference("chosen"),
        switched_share=float((decided > 0).mean()),
        search=search,
        per_treatment=per_treatment,
        level=level,
    )


@dataclass(frozen=True, slots=True)
class _Switch:
    """Requests that change from one arm to another when a threshold falls below what is critical for each.

    Attributes:
        critical: Shape (n,).
        on: Position of the arm below it, shape (n,).
        off: Position of the arm at and above it, shape (n,).
    """

    critical: Vector
    on: Positions
    off: Positions

    def decided(self, threshold: float) -> Positions:
        return np.where(self.critical > threshold, self.on, self.off)


@dataclass(frozen=True, slots=True)
class ThresholdSearch:
    """Values of thresholds on logged requests.

    Attributes:
        logged: The requests.
        uplift: r_k y_k - y_0, minus infinity where a treatment is not allowed, shape (n, K).
        grid: How many quantiles are tried.
        estimator: Of values.
    """

    logged: LoggedRequests
    uplift: Matrix
    grid: int
    estimator: Estimator

    @classmethod
    def of(
        cls,
        logged: LoggedRequests,
        preference: ArrayLike,
        interest: ArrayLike | None,
        *,
        allowed: Mask | None,
        grid: int,
        estimator: Estimator,
        interest_weight: float = 1.0,
    ) -> Self:
        """Arguments and errors are those of ``choose_thresholds``."""
        if grid < 1:
            raise InputError(f"grid is {grid}", remedy="try at least 1 threshold")
        if not (logged.arm == 0).any():
            raise InputError(
                f"arm: none of {len(logged.arm)} requests was given control", remedy="pass requests of all arms"
            )
        uplift = uplifts(preference, interest, treatments=logged.arms - 1, interest_weight=interest_weight)
        require_rows(len(uplift), name="preference", rows=len(logged.arm))
        if allowed is not None:
            uplift = np.where(checked_allowed(allowed, shape=uplift.shape), uplift, -np.inf)
        return cls(logged, uplift, grid, estimator)

    def of_rows(self, rows: Mask) -> Self:
        """The search on some of the requests."""
        return replace(self, logged=self.logged.of(rows), uplift=self.uplift[rows])

    def decided(self, thresholds: Vector) -> Positions:
        """Position of the arm that each request gets, shape (n,)."""
        return best_arms(self.uplift - thresholds, None)

    def best(self, *, per_treatment: bool, start: Vector | None = None) -> Vector:
        """The best thresholds, shape (K,).

        Args:
            per_treatment: Whether every treatment has its own.
            start: Thresholds that are kept unless others are better; None: never.
        """
        treatments = self.uplift.shape[1]
        chosen = np.full(treatments, NEVER) if start is None else start.copy()
        together = self._together()
        tried = self._tried(together.critical)
        values = self._values(together, tried)
        best = _last_largest(values)
        if values[best] > self.value(self.decided(chosen)):
            chosen = np.full(treatments, tried[best])
        if not per_treatment or treatments == 1:
            return chosen
        for _ in range(SWEEPS):
            before = chosen.copy()
            for k in range(treatments):
                chosen[k] = self._improved(chosen, k)
            if (chosen == before).all():
                break
        return chosen

    def curve(self, chosen: Vector, *, per_treatment: bool, level: float) -> pd.DataFrame:
        """Value by threshold, see ``ChosenThresholds.curve``."""
        switches = (
            {k + 1: self._alone(chosen, k) for k in range(len(chosen))} if per_treatment else {0: self._together()}
        )
        rows = []
        for treatment, switch in switches.items():
            varied = self._tried(self._together().critical if treatment == 0 else self.uplift[:, treatment - 1])
            for threshold in np.union1d(varied, chosen[max(treatment - 1, 0)]):
                decided = switch.decided(threshold)
                if not (decided == self.logged.arm).any():
                    continue
                found = self.logged.compared(
                    {"this": self.logged.matched(decided, "this")},
                    baseline="this",
                    estimator=self.estimator,
                    level=level,
                )
                value = found.values["this"].value
                rows.append((treatment, threshold, value.estimate, *value.interval, (decided > 0).mean()))
        return pd.DataFrame(rows, columns=["treatment", "threshold", "value", "low", "high", "switched_share"])

    def _improved(self, thresholds: Vector, k: int) -> float:
        """The best threshold of treatment k while the others are held; the one it has unless another is better."""
        if np.isneginf(self.uplift[:, k]).all():
            return NEVER
        switch = self._alone(thresholds, k)
        tried = self._tried(self.uplift[:, k])
        values = self._values(switch, np.append(tried, thresholds[k]))
        best = _last_largest(values[:-1])
        return float(tried[best] if values[best] > values[-1] else thresholds[k])

    def _together(self) -> _Switch:
        """What one threshold for all treatments changes."""
        return _Switch(
            self.uplift.max(axis=1), self.uplift.argmax(axis=1) + 1, np.zeros(len(self.uplift), dtype=np.intp)
        )

    def _alone(self, thresholds: Vector, k: int) -> _Switch:
        """What the threshold of treatment k changes."""
        others = self.uplift - thresholds
        others[:, k] = -np.inf
        before, after = others[:, :k].max(axis=1, initial=0), others[:, k:].max(axis=1, initial=-np.inf)
        critical = self.uplift[:, k] - np.maximum(before, after)
        # Of equal gains the first treatment's wins: it beats those after it at the critical threshold already.
        critical = np.where(after > before, np.nextafter(critical, np.inf), critical)
        return _Switch(critical, np.full(len(others), k + 1), best_arms(others, None))

    def _tried(self, gains: Vector) -> Vector:
        """Thresholds between always and never, rising; shape (at most grid + 1,)."""
        possible = gains[np.isfinite(gains)]
        if not len(possible):
            return np.array([NEVER])
        quantiles = np.unique(np.quantile(possible, np.arange(self.grid) / self.grid))
        # At the smallest gain itself that request would stay off.
        quantiles[0] = np.nextafter(quantiles[0], -np.inf)
        return np.append(quantiles, NEVER)

    def _values(self, switch: _Switch, thresholds: Vector) -> Vector:
        """Value of each threshold, minus infinity where no request was given what it gives them, shape of these."""
        logged = self.logged
        order = np.argsort(-switch.critical, kind="stable")
        switched = np.searchsorted(-switch.critical[order], -thresholds)
        on, off = (logged.arm == switch.on), (logged.arm == switch.off)
        weight = (on.astype(np.float64) - off) / logged.probability
        # As in ``value_terms``: equal rewards must not be told apart by rounding.
        middle = np.median(logged.reward) if self.estimator == "hajek" else 0.0
        reward = logged.reward - middle

        def summed(of_on_less_off: Vector, at_never: float) -> Vector:
            return at_never + np.concatenate([[0.0], np.cumsum(of_on_less_off[order])])[switched]

        matched = summed(on.astype(np.float64) - off, float(off.sum()))
        total = summed(weight * reward, float((reward / logged.probability)[off].sum()))
        mass = summed(weight, float((1 / logged.probability)[off].sum())) if self.estimator == "hajek" else len(order)
        return np.where(matched > 0, middle + total / np.where(matched > 0, mass, 1), -np.inf)

    def value(self, decided: Positions) -> float:
        """Value of a decision, minus infinity where no request was given what it gives them."""
        never = _Switch(np.full(len(decided), -np.inf), decided, decided)
        return float(self._values(never, np.array([NEVER]))[0])


def _last_largest(values: Vector) -> int:
    return len(values) - 1 - int(values[::-1].argmax())
