import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.allocation.networks.hypergradient import conjugate_gradient, hypergradient

ARMS, FEATURES = 2, 4
RIDGE = 0.1


def positive_definite(size, seed):
    random = np.random.default_rng(seed)
    root = random.normal(size=(size, size))
    return torch.from_numpy(root @ root.T + np.eye(size))


@settings(max_examples=30, deadline=None)
@given(size=st.integers(1, 12), seed=st.integers(0, 10_000))
def test_as_many_steps_as_there_are_unknowns_solve_a_quadratic(size, seed):
    matrix = positive_definite(size, seed)
    right = torch.from_numpy(np.random.default_rng(seed + 1).normal(size=size))
    found = conjugate_gradient(lambda vector: matrix @ vector, right, steps=2 * size)
    torch.testing.assert_close(found.vector, torch.linalg.solve(matrix, right), rtol=1e-6, atol=1e-8)
    assert not found.negative_curvature
    exact = conjugate_gradient(lambda vector: matrix @ vector, right, steps=size)
    torch.testing.assert_close(matrix @ exact.vector, right, rtol=0, atol=1e-5)


def test_few_steps_stop_early_and_lower_the_quadratic_each_time():
    matrix, right = positive_definite(8, 3), torch.arange(1.0, 9.0, dtype=torch.float64)
    solutions = [conjugate_gradient(lambda v: matrix @ v, right, steps=steps) for steps in range(9)]
    assert [found.iterations for found in solutions] == list(range(9))
    values = [float(x.vector @ matrix @ x.vector / 2 - right @ x.vector) for x in solutions]
    assert (np.diff(values) < 0).all()


def test_it_ends_once_the_residual_is_small():
    found = conjugate_gradient(lambda vector: 2 * vector, torch.ones(50, dtype=torch.float64), steps=50)
    assert found.iterations == 1
    torch.testing.assert_close(found.vector, torch.full((50,), 0.5, dtype=torch.float64))
    assert conjugate_gradient(lambda vector: vector, torch.zeros(3), steps=5).iterations == 0


def test_a_direction_of_negative_curvature_ends_the_search_with_what_was_found_before():
    diagonal = torch.tensor([4.0, 1.0, -1.0], dtype=torch.float64)
    right = torch.tensor([1.0, 1.0, 0.1], dtype=torch.float64)
    found = conjugate_gradient(lambda vector: diagonal * vector, right, steps=10)
    before = conjugate_gradient(lambda vector: diagonal * vector, right, steps=found.iterations - 1)
    assert found.negative_curvature
    assert found.iterations > 1
    torch.testing.assert_close(found.vector, before.vector)
    assert not before.negative_curvature


def test_negative_curvature_at_once_leaves_the_right_side_itself():
    right = torch.tensor([1.0, -2.0])
    found = conjugate_gradient(lambda vector: -vector, right, steps=10)
    assert found.negative_curvature
    torch.testing.assert_close(found.vector, right)


class WeightedRidge:
    """Distillation of a linear teacher into a linear student: theta*(phi) has a closed form."""

    def __init__(self, seed):
        random = np.random.default_rng(seed)
        n = 60
        draw = lambda *shape: torch.from_numpy(random.normal(size=shape))  # noqa: E731
        self.logs, self.experiment = draw(n, FEATURES), draw(n, FEATURES)
        self.factual, self.teacher = draw(n), draw(n, ARMS)
        self.arm = torch.from_numpy(random.integers(0, ARMS, n))
        self.rewards = draw(n, ARMS)
        self.phi = draw(FEATURES, ARMS) * 0.5

    def weights_and_targets(self, phi):
        own = torch.nn.functional.one_hot(self.arm, ARMS)
        weights = own + (1 - own) * torch.sigmoid(self.logs @ phi)
        return weights, own * self.factual[:, None] + (1 - own) * self.teacher

    def lower(self, theta, phi):
        weights, targets = self.weights_and_targets(phi)
        return (weights * (self.logs @ theta - targets) ** 2).sum() + RIDGE * (theta**2).sum()

    def minimiser(self, phi):
        weights, targets = self.weights_and_targets(phi)
        columns = [
            torch.linalg.solve(
                self.logs.T @ (weights[:, [j]] * self.logs) + RIDGE * torch.eye(FEATURES),
                self.logs.T @ (weights[:, j] * targets[:, j]),
            )
            for j in range(ARMS)
        ]
        return torch.stack(columns, dim=1)

    def upper(self, theta):
        return -(torch.softmax(self.experiment @ theta, dim=1) * self.rewards).mean()


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_through_a_ridge_student_is_that_of_central_differences(seed):
    problem = WeightedRidge(seed)
    phi = problem.phi.clone().requires_grad_()
    theta = problem.minimiser(problem.phi).requires_grad_()
    found = hypergradient(
        problem.upper(theta), problem.lower(theta, phi), [theta], [phi], damping=0.0, steps=theta.numel()
    )
    assert found.iterations <= theta.numel()
    differences = torch.zeros_like(problem.phi)
    step = 1e-5
    for cell in np.ndindex(*problem.phi.shape):
        values = []
        for sign in (1, -1):
            moved = problem.phi.clone()
            moved[cell] += sign * step
            values.append(problem.upper(problem.minimiser(moved)))
        differences[cell] = (values[0] - values[1]) / (2 * step)
    assert differences.abs().max() > 1e-4
    torch.testing.assert_close(found.gradients[0], differences, rtol=0, atol=1e-8)


def test_damping_shrinks_the_gradient_as_a_larger_ridge_in_the_hessian_would():
    problem = WeightedRidge(0)
    phi = problem.phi.clone().requires_grad_()
    theta = problem.minimiser(problem.phi).requires_grad_()

    def gradient(damping):
        losses = problem.upper(theta), problem.lower(theta, phi)
        return hypergradient(*losses, [theta], [phi], damping=damping, steps=50).gradients[0]

    right = torch.autograd.grad(problem.upper(theta), theta)[0].flatten()
    hessian = torch.autograd.functional.hessian(lambda flat: problem.lower(flat.view_as(theta), phi), theta.flatten())
    solved = torch.linalg.solve(hessian + 7.0 * torch.eye(len(hessian)), right)
    slope = torch.autograd.grad(problem.lower(theta, phi), theta, create_graph=True)[0].flatten()
    expected = -torch.autograd.grad(slope @ solved.detach(), phi)[0]
    torch.testing.assert_close(gradient(7.0), expected, rtol=1e-8, atol=1e-12)
    assert gradient(1e6).abs().max() < 1e-3 * gradient(0.0).abs().max()


def test_several_parameters_of_several_shapes_get_gradients_of_their_own_shapes():
    problem = WeightedRidge(1)
    together, parts = problem.phi.clone().requires_grad_(), [c.clone().requires_grad_() for c in problem.phi.T]
    theta = problem.minimiser(problem.phi)
    whole = theta.clone().requires_grad_()
    rows = [theta[:1].clone().requires_grad_(), theta[1:].clone().requires_grad_()]
    one = hypergradient(
        problem.upper(whole), problem.lower(whole, together), [whole], [together], damping=0.0, steps=20
    )
    joined = torch.cat(rows)
    other = hypergradient(
        problem.upper(joined), problem.lower(joined, torch.stack(parts, dim=1)), rows, parts, damping=0.0, steps=20
    )
    torch.testing.assert_close(torch.stack(other.gradients, dim=1), one.gradients[0], rtol=1e-7, atol=1e-10)
