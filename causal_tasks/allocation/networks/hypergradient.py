"""How an upper loss changes with what shapes the lower loss, through the minimiser of the lower one.

With theta*(phi) the minimiser of the lower loss ``L(phi, theta)`` and ``U(theta)`` the upper loss,

    dU / dphi = - (d2 L / dtheta dphi)' v,    H v = dU / dtheta,    H = d2 L / dtheta2

The Hessian is never formed: conjugate gradients ask for its products with vectors alone.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
"""A symmetric matrix times a vector of shape (p,)."""


class Solution(NamedTuple):
    """How far conjugate gradients came.

    Attributes:
        vector: Shape (p,).
        iterations: Products that were taken.
        negative_curvature: Whether they ended at a direction along which the matrix does not curve upwards.
    """

    vector: Tensor
    iterations: int
    negative_curvature: bool


class Hypergradient(NamedTuple):
    """A gradient through a minimiser.

    Attributes:
        gradients: One for each hyperparameter, of its shape.
        iterations: Products with the Hessian.
        negative_curvature: As of ``Solution``: the gradient is then one of fewer iterations.
    """

    gradients: tuple[Tensor, ...]
    iterations: int
    negative_curvature: bool


def conjugate_gradient(product: Product, right: Tensor, *, steps: int, tolerance: float = 1e-10) -> Solution:
    """Solve ``A x = right`` for a positive definite A; as far as A is that.

    At a direction of negative curvature the solution so far is returned, and ``right`` itself where it is the first
    one, as in a truncated Newton method.

    Args:
        product: A times a vector.
        right: Shape (p,).
        steps: Iterations, at most; p of them are exact but for rounding.
        tolerance: Size of the residual, relative to ``right``, at which to end.

    Source: Hestenes, Stiefel (1952); Nocedal, Wright (2006), algorithm 7.1, for negative curvature.
    """
    solution, residual = torch.zeros_like(right), right.clone()
    direction, size = residual.clone(), residual @ residual
    enough = tolerance**2 * size
    iterations = 0
    while iterations < steps and size > enough:
        image = product(direction)
        iterations += 1
        curvature = direction @ image
        if curvature <= 0:
            return Solution(right.clone() if iterations == 1 else solution, iterations, negative_curvature=True)
        step = size / curvature
        solution = solution + step * direction
        residual = residual - step * image
        size, previous = residual @ residual, size
        direction = residual + size / previous * direction
    return Solution(solution, iterations, negative_curvature=False)


def hypergradient(
    upper: Tensor,
    lower: Tensor,
    parameters: Sequence[Tensor],
    hyperparameters: Sequence[Tensor],
    *,
    damping: float,
    steps: int,
) -> Hypergradient:
    """Gradient of ``upper`` in the hyperparameters, through the parameters that minimise ``lower``.

    Args:
        upper: One number that depends on the parameters, not directly on the hyperparameters.
        lower: One number that depends on both, at or near its minimum in the parameters.
        parameters: theta, require gradients.
        hyperparameters: phi, require gradients.
        damping: Added to the diagonal of the Hessian, which away from a minimum is not positive definite.
        steps: Of conjugate gradients, at most.

    Source: Pedregosa (2016), algorithm 1; Lorraine, Vicol, Duvenaud (2020), for networks.
    """
    right = _flat(torch.autograd.grad(upper, parameters))
    slope = _flat(torch.autograd.grad(lower, parameters, create_graph=True))

    def product(vector: Tensor) -> Tensor:
        return _flat(torch.autograd.grad(slope, parameters, vector, retain_graph=True)) + damping * vector

    solution = conjugate_gradient(product, right, steps=steps)
    gradients = torch.autograd.grad(slope, hyperparameters, -solution.vector)
    return Hypergradient(gradients, solution.iterations, solution.negative_curvature)


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])
