"""The objective, its optimality conditions and a dual bound, written in plain numpy from the article: the solver's judges.

Every function speaks of one segment: X of shape (n, p), already scaled; ``creative`` counts its creatives from 0.
No code is shared with the solver, and the coefficients are (beta, gamma), not (delta, gamma).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from causal_tasks.segments import CreativeSegments
from tests.unit.segments.random_experiments import RandomExperiment

Array = NDArray[Any]


@dataclass(frozen=True)
class SegmentProblem:
    """One segment's part of the objective."""

    X: Array
    response: Array
    creative: Array
    family: str
    lam: float
    alpha: float

    @property
    def creatives(self) -> int:
        return int(self.creative.max()) + 1

    def eta(self, intercept: Array, beta: Array) -> Array:
        return intercept[self.creative] + (self.X * beta[self.creative]).sum(axis=1)

    def mean(self, eta: Array) -> Array:
        return {"binomial": lambda: 1 / (1 + np.exp(-eta)), "poisson": lambda: np.exp(eta), "gaussian": lambda: eta}[
            self.family
        ]()

    def loss(self, eta: Array) -> float:
        y = self.response
        if self.family == "binomial":
            return float(np.sum(np.logaddexp(0, eta) - y * eta))
        if self.family == "poisson":
            return float(np.sum(np.exp(eta) - y * eta + xlogy(y, y) - y))
        return float(np.sum((y - eta) ** 2) / 2)

    def objective(self, intercept: Array, beta: Array, gamma: Array) -> float:
        apart = np.linalg.norm(beta - gamma, axis=1).sum() * (1 - self.alpha) / self.creatives
        return self.loss(self.eta(intercept, beta)) + self.lam * (apart + self.alpha * np.abs(gamma).sum())

    def gradient(self, intercept: Array, beta: Array) -> tuple[Array, Array]:
        """Of the loss by intercept, shape (K,), and by beta, shape (K, p)."""
        residual = self.mean(self.eta(intercept, beta)) - self.response
        shown = self.creative == np.arange(self.creatives)[:, None]
        return shown @ residual, (shown * residual) @ self.X


def segment_problems(
    experiment: RandomExperiment, lam: float, **parameters: Any
) -> Iterator[tuple[str, list[str], SegmentProblem]]:
    """Segment, its creatives and the problem that it poses."""
    given = {"alpha": 0.1, "standardize": True} | experiment.parameters | parameters
    X = standardized(experiment.X) if given["standardize"] else experiment.X
    for segment in dict.fromkeys(experiment.segment.values()):
        creatives = [name for name, owner in experiment.segment.items() if owner == segment]
        shown = np.isin(experiment.creative, creatives)
        codes = np.array([creatives.index(name) for name in experiment.creative[shown]])
        yield (
            segment,
            creatives,
            SegmentProblem(X[shown], experiment.response[shown], codes, experiment.family, lam, given["alpha"]),
        )


def standardized(X: Array) -> Array:
    """Columns with mean 0 and variance 1, but for the rounding of both to 32 bits; constant ones with variance 0."""
    centre, scale = (values.astype(np.float32).astype(float) for values in (X.mean(axis=0), X.std(axis=0)))
    return (X - centre) / np.where(np.ptp(X, axis=0) > 0, scale, 1)


def coefficients(model: CreativeSegments, segment: str, creatives: list[str]) -> tuple[Array, Array, Array]:
    """Intercepts, beta and gamma that a model has found for a segment."""
    at = [list(model.creatives_).index(name) for name in creatives]
    return model.intercept_[at], model.beta_[at], model.gamma_[list(model.segments_).index(segment)]


def stationary_error(problem: SegmentProblem, intercept: Array, beta: Array, gamma: Array) -> float:
    """How far the conditions for an optimum are from being met, in the gradient's units.

    Source: the conditions (KKT) of section 3.3 of the method, from which the penalty's subgradients follow.
    """
    slope, by_creative = problem.gradient(intercept, beta)
    shared, delta = by_creative.sum(axis=0), beta - gamma
    bound, each = problem.lam * problem.alpha, problem.lam * (1 - problem.alpha) / problem.creatives
    errors = [np.abs(slope).max()]
    errors.append(np.where(gamma != 0, np.abs(shared + bound * np.sign(gamma)), np.abs(shared) - bound).max())
    for g, d in zip(by_creative, delta, strict=True):
        length = np.linalg.norm(d)
        errors.append(float(np.linalg.norm(g + each * d / length) if length > 0 else np.linalg.norm(g) - each))
    return float(max(errors))


def allowed_error(problem: SegmentProblem, intercept: Array, beta: Array, gap: float) -> float:
    """How far from zero the gradient's conditions may be within ``gap`` of the optimum: sqrt(2 L gap), L the curvature.

    L is that of the loss near the coefficients, which is global for gaussian responses; twice the root, not to be narrow.
    """
    mean = problem.mean(problem.eta(intercept, beta))
    weight = {"binomial": 0.25, "poisson": float(mean.max()), "gaussian": 1.0}[problem.family]
    columns = np.concatenate([np.ones((len(mean), 1)), problem.X], axis=1)
    return float(2 * np.sqrt(2 * weight * gap) * np.linalg.norm(columns, 2))


def with_best_intercepts(problem: SegmentProblem, intercept: Array, beta: Array) -> Array:
    """Intercepts at which every creative's residuals sum to zero, by Newton's method."""
    offset = problem.eta(np.zeros(problem.creatives), beta)
    found = intercept.copy()
    for k in range(problem.creatives):
        shown = problem.creative == k
        for _ in range(100):
            part = replace(problem, response=problem.response[shown])
            mean = part.mean(offset[shown] + found[k])
            weight = {"binomial": mean * (1 - mean), "poisson": mean, "gaussian": np.ones_like(mean)}[problem.family]
            found[k] -= (mean - part.response).sum() / weight.sum()
    return found


def dual_bound(problem: SegmentProblem, intercept: Array, beta: Array) -> float:
    """A number that no coefficients can go below: the dual objective at residuals shrunk into the dual ball.

    For 0 < alpha < 1, where shrinking alone is enough.
    """
    intercept = with_best_intercepts(problem, intercept, beta)
    theta = problem.response - problem.mean(problem.eta(intercept, beta))
    _, gradient = problem.gradient(intercept, beta)
    shared = np.abs(gradient.sum(axis=0)).max() / (problem.lam * problem.alpha)
    apart = np.linalg.norm(gradient, axis=1).max() * problem.creatives / (problem.lam * (1 - problem.alpha))
    q = problem.response - min(1.0, 1 / max(shared, apart, 1e-300)) * theta
    if problem.family == "gaussian":
        return float(np.sum(problem.response**2 - q**2) / 2)
    entropy = -np.where(q > 0, q * np.log(np.where(q > 0, q, 1)), 0)
    if problem.family == "poisson":
        return float(np.sum(entropy + q + xlogy(problem.response, problem.response) - problem.response))
    rest = np.where(q < 1, (1 - q) * np.log(np.where(q < 1, 1 - q, 1)), 0)
    return float(np.sum(entropy - rest))


def largest_of(experiment: RandomExperiment, **parameters: Any) -> float:
    """The penalty from which on nothing is left: all coefficients are zero, or for alpha = 0 every delta.

    0 where no penalty removes anything: for alpha = 1, and for alpha = 0 where no creative has another beside it.
    """
    problems = [problem for *_, problem in segment_problems(experiment, 1.0, **parameters)]
    return max(_largest_lam(problem) for problem in problems)


def _largest_lam(problem: SegmentProblem) -> float:
    if problem.alpha == 1 or (problem.alpha == 0 and problem.creatives == 1):
        return 0.0
    beta = np.zeros((problem.creatives, problem.X.shape[1]))
    if problem.alpha == 0:
        beta = beta + pooled(problem)
    intercept = with_best_intercepts(problem, np.zeros(problem.creatives), beta)
    _, gradient = problem.gradient(intercept, beta)
    shared = np.abs(gradient.sum(axis=0)).max() / problem.alpha if problem.alpha > 0 else 0.0
    apart = np.linalg.norm(gradient, axis=1).max() * problem.creatives / (1 - problem.alpha)
    return float(max(shared, apart))


def pooled(problem: SegmentProblem) -> Array:
    """Coefficients common to all creatives that maximise the likelihood beside an intercept of each, by Newton's method."""
    shown = np.eye(problem.creatives)[problem.creative]
    columns = np.concatenate([shown, problem.X], axis=1)
    found = np.zeros(columns.shape[1])
    for _ in range(100):
        mean = problem.mean(columns @ found)
        weight = {"binomial": mean * (1 - mean), "poisson": mean, "gaussian": np.ones_like(mean)}[problem.family]
        found -= np.linalg.lstsq(columns.T * weight @ columns, columns.T @ (mean - problem.response), rcond=None)[0]
    return found[problem.creatives :]
