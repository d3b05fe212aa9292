"""Simulated experiments and logs with money at stake, whose mean outcomes and costs under every arm are known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from causal_tasks.errors import InputError

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

FEATURES = 8

POSITIONS = 10
"""Places of a list in which a coupon may be shown; the first is seen most."""

_COST_SHAPE = 4.0
"""Of the gamma distribution of a cost around its mean: a coefficient of variation of a half."""

_SELECTION = (2.4, 1.0)
"""How strongly a hidden trait and the first feature draw logged units to dearer arms."""


@dataclass(frozen=True, slots=True)
class CouponProblem:
    """Units of which one arm was seen, and what every arm would have brought and cost on average.

    Attributes:
        X: Features, shape (n, 8), standard normal.
        treatment: Shape (n,), arms 0 (control), 1, …, M - 1, each dearer than the one before.
        outcome: Shape (n,), seen.
        cost: Shape (n,), seen, zero or more.
        propensity: Shape (n, M), probability of every arm given all that decided it, what is hidden included.
        true_outcome: Shape (n, M), expected outcome given the features, were the arm forced upon the unit.
        true_cost: Shape (n, M), expected cost likewise.
    """

    X: Matrix
    treatment: NDArray[np.intp]
    outcome: Vector
    cost: Vector
    propensity: Matrix
    true_outcome: Matrix
    true_cost: Matrix


def binary_problem(n: int, *, seed: int, share: float = 0.5) -> CouponProblem:
    """A randomised experiment of one coupon with yes-or-no outcomes and costs: orders, and coupons used.

    The return on cost lies between 0.05 and 0.95 for every unit, the extra cost between 0.02 and 0.2.

    Args:
        n: Units, at least one.
        seed: Of all draws.
        share: Probability of treatment.

    Raises:
        InputError: ``n`` or ``share`` is out of range.
    """
    if not 0 < share < 1:
        raise InputError(f"share {share} is no probability of treatment", remedy="choose a number between 0 and 1")
    random, x = _begin(n, seed)
    extra_cost = 0.02 + 0.18 * expit(1.2 * x[0] - 0.8 * x[1] * x[2])
    extra_outcome = extra_cost * (0.05 + 0.9 * expit(-0.5 + 1.2 * x[3] + 0.8 * x[4] * x[0] - 0.6 * x[5]))
    base_cost = 0.1 + 0.5 * expit(1.5 * x[6] + x[7])
    base_outcome = base_cost * (0.2 + 0.5 * expit(x[5] + x[6]))
    true_outcome = np.column_stack([base_outcome, base_outcome + extra_outcome])
    true_cost = np.column_stack([base_cost, base_cost + extra_cost])
    treatment = (random.random(n) < share).astype(np.intp)
    unit = np.arange(n)
    return CouponProblem(
        X=x.T,
        treatment=treatment,
        outcome=(random.random(n) < true_outcome[unit, treatment]).astype(np.float64),
        cost=(random.random(n) < true_cost[unit, treatment]).astype(np.float64),
        propensity=np.broadcast_to([1 - share, share], (n, 2)),
        true_outcome=true_outcome,
        true_cost=true_cost,
    )


def dose_problem(n: int, *, seed: int, noise: float = 1.0, arms: int = 5) -> CouponProblem:
    """A randomised experiment of coupons of rising value: returns diminish, the baseline is large and beside the point.

    Args:
        n: Units, at least one.
        seed: Of all draws.
        noise: Standard deviation of the outcome around its mean.
        arms: Coupon values, evenly spaced from none to the full one; equally likely.

    Raises:
        InputError: ``n``, ``noise`` or ``arms`` is out of range.
    """
    random, x = _begin(n, seed)
    true_outcome, true_cost = _dose_response(x, _doses(arms))
    treatment = random.integers(0, arms, n)
    unit = np.arange(n)
    return CouponProblem(
        X=x.T,
        treatment=treatment,
        outcome=true_outcome[unit, treatment] + _noise(random, n, noise),
        cost=true_cost[unit, treatment] * _cost_factor(random, n),
        propensity=np.broadcast_to(np.full(arms, 1 / arms), (n, arms)),
        true_outcome=true_outcome,
        true_cost=true_cost,
    )


def confounded_logs(n: int, *, seed: int, gamma: float = 2.0, noise: float = 1.0, arms: int = 5) -> CouponProblem:
    """Logs of the units of ``dose_problem`` in which a hidden trait u, standard normal, raised both coupon and outcome.

    A coupon of value s was chosen with log-odds 2 (1.2 u + 0.5 x0) (s - 0.5), and gamma u added to the outcome: an
    experiment among the same units has ``dose_problem(…, noise=hypot(noise, gamma))``.

    Args:
        n: Units, at least one.
        seed: Of all draws.
        gamma: What one standard deviation of the hidden trait adds to the outcome.
        noise: Standard deviation of the outcome around its mean and the hidden trait.
        arms: As for ``dose_problem``.

    Raises:
        InputError: ``n``, ``noise`` or ``arms`` is out of range.
    """
    random, x = _begin(n, seed)
    hidden = random.standard_normal(n)
    true_outcome, true_cost = _dose_response(x, _doses(arms))
    treatment, propensity = _select(random, hidden, x[0], arms)
    unit = np.arange(n)
    return CouponProblem(
        X=x.T,
        treatment=treatment,
        outcome=true_outcome[unit, treatment] + gamma * hidden + _noise(random, n, noise),
        cost=true_cost[unit, treatment] * _cost_factor(random, n),
        propensity=propensity,
        true_outcome=true_outcome,
        true_cost=true_cost,
    )


def position_biased_logs(
    n: int, *, seed: int, severity: float = 0.3, noise: float = 1.0, arms: int = 5
) -> CouponProblem:
    """Logs of the units of ``dose_problem`` in which dearer coupons were shown higher in a list, where more is seen.

    A unit's place k is uniform on 1 to 10 and hidden. A place is examined in proportion to e(k) = k^-severity (the
    position-based model), so that the outcome is the one of ``dose_problem`` times e(k) over its mean of all places,
    plus noise. A coupon of value s was chosen with the log-odds of ``confounded_logs`` and
    u = (5.5 - k) / sqrt(8.25). In an experiment, which places units without regard to arms, the mean is that of
    ``dose_problem``.

    Args:
        n: Units, at least one.
        seed: Of all draws.
        severity: How fast attention falls with the place; 0: all places are seen alike.
        noise: Standard deviation of the outcome around its mean and place.
        arms: As for ``dose_problem``.

    Raises:
        InputError: ``n``, ``severity``, ``noise`` or ``arms`` is out of range.

    Source: Joachims, Swaminathan, Schnabel (2017), "Unbiased learning-to-rank with biased feedback", section 5.
    """
    if severity < 0:
        raise InputError(f"severity {severity} is negative", remedy="choose 0 (no bias) or more")
    random, x = _begin(n, seed)
    place = random.integers(1, POSITIONS + 1, n)
    places = np.arange(1.0, POSITIONS + 1)
    attention = places**-severity / np.mean(places**-severity)
    true_outcome, true_cost = _dose_response(x, _doses(arms))
    treatment, propensity = _select(random, (places.mean() - place) / places.std(), x[0], arms)
    unit = np.arange(n)
    return CouponProblem(
        X=x.T,
        treatment=treatment,
        outcome=true_outcome[unit, treatment] * attention[place - 1] + _noise(random, n, noise),
        cost=true_cost[unit, treatment] * _cost_factor(random, n),
        propensity=propensity,
        true_outcome=true_outcome,
        true_cost=true_cost,
    )


def _begin(n: int, seed: int) -> tuple[np.random.Generator, Matrix]:
    """The source of all draws, and features of shape (8, n)."""
    if n < 1:
        raise InputError(f"a problem of {n} units", remedy="ask for at least one")
    random = np.random.default_rng(seed)
    return random, random.standard_normal((FEATURES, n))


def _doses(arms: int) -> Vector:
    if arms < 2:
        raise InputError(f"arms is {arms}: there is nothing to choose", remedy="ask for at least two, control included")
    return np.linspace(0, 1, arms)


def _dose_response(x: Matrix, doses: Vector) -> tuple[Matrix, Matrix]:
    """Expected outcome and cost under every arm, shape (n, M) each."""
    baseline = 3 * (1 + 0.8 * x[0] + 0.6 * x[1] ** 2 - 0.5 * x[0] * x[2])
    gain = 1.2 * np.exp(0.6 * x[3] - 0.4 * x[4] * x[5] - 0.18)
    steepness = (0.5 + 3 * expit(1.5 * x[5] + x[6]))[:, None]
    response = (1 - np.exp(-steepness * doses)) / (1 - np.exp(-steepness))
    cost = 0.4 + 1.6 * expit(1.2 * x[4] - x[7])
    return baseline[:, None] + gain[:, None] * response, cost[:, None] * doses


def _select(random: np.random.Generator, hidden: Vector, feature: Vector, arms: int) -> tuple[NDArray[np.intp], Matrix]:
    """Arms drawn by a hidden trait and a feature, and their probabilities, shape (n, M)."""
    drawn = _SELECTION[0] * hidden + _SELECTION[1] * feature
    propensity: Matrix = softmax(drawn[:, None] * (_doses(arms) - 0.5), axis=1)
    passed = propensity.cumsum(axis=1) < random.random(len(hidden))[:, None]
    return np.minimum(passed.sum(axis=1), arms - 1), propensity


def _noise(random: np.random.Generator, n: int, deviation: float) -> Vector:
    if deviation < 0:
        raise InputError(f"noise {deviation} is negative", remedy="choose a standard deviation of 0 or more")
    return deviation * random.standard_normal(n)


def _cost_factor(random: np.random.Generator, n: int) -> Vector:
    return random.gamma(_COST_SHAPE, 1 / _COST_SHAPE, n)
