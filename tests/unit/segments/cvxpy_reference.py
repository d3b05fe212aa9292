"""Optima by cvxpy and Clarabel, of the penalty in its original form: beta and gamma, not what a creative adds."""

import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np
from numpy.typing import NDArray

from tests.unit.segments.optimality import SegmentProblem

Array = NDArray[Any]


@dataclass(frozen=True)
class Optimum:
    """What Clarabel has found.

    Attributes:
        objective: At its coefficients, computed in plain numpy.
        beta: Shape (K, p).
        vouched: Whether it calls them optimal, not merely nearly so.
    """

    objective: float
    beta: Array
    vouched: bool


def clarabel_optimum(problem: SegmentProblem) -> Optimum:
    """Of one segment, to the smallest tolerance that Clarabel reaches; its word counts up to 1e-9."""
    K, p = problem.creatives, problem.X.shape[1]
    b, beta, gamma = cvxpy.Variable(K), cvxpy.Variable((K, p)), cvxpy.Variable(p)
    shown = [problem.creative == k for k in range(K)]
    loss = sum(
        _loss(b[k] + problem.X[shown[k]] @ beta[k], problem.response[shown[k]], problem.family) for k in range(K)
    )
    apart = sum(cvxpy.norm(beta[k] - gamma, 2) for k in range(K)) * ((1 - problem.alpha) / K)
    objective = cvxpy.Minimize(loss + problem.lam * (apart + problem.alpha * cvxpy.norm(gamma, 1)))
    program = cvxpy.Problem(objective)
    for tolerance in (1e-10, 1e-9, 1e-8):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Solution may be inaccurate")
            with suppress(cvxpy.SolverError):
                program.solve(cvxpy.CLARABEL, tol_gap_abs=tolerance, tol_gap_rel=tolerance, tol_feas=tolerance)
        if program.status == cvxpy.OPTIMAL:
            break
    found = problem.objective(np.array(b.value), np.array(beta.value), np.array(gamma.value))
    return Optimum(found, np.array(beta.value), program.status == cvxpy.OPTIMAL and tolerance < 1e-8)


def _loss(eta: Any, response: Array, family: str) -> Any:
    if family == "binomial":
        return cvxpy.sum(cvxpy.logistic(eta)) - response @ eta
    if family == "poisson":
        return cvxpy.sum(cvxpy.exp(eta)) - response @ eta
    return cvxpy.sum_squares(eta - response) / 2
