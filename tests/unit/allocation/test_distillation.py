from dataclasses import replace

import numpy as np
import pytest
import torch

from causal_tasks.allocation.networks.distillation import Distillation, fixed_gates
from causal_tasks.allocation.networks.forecaster import Forecaster
from causal_tasks.allocation.responses import Responses

ARMS = 3


def responses(*, binary=False, prices=None, control=1.0, n=300, seed=0):
    random = np.random.default_rng(seed)
    X, arm = random.normal(size=(n, 4)), random.integers(0, ARMS, n)
    outcome = (random.random(n) < 0.4).astype(float) if binary else X[:, 0] + arm + random.normal(size=n)
    return Responses.checked(X, outcome, arm, cost=prices or (arm + control) * random.uniform(0.5, 1.5, n))


def lesson(data, seed=0):
    """Student, teacher's lesson and units."""
    student = Forecaster.untrained(data, hidden=(8,), seed=seed)
    return student, Distillation(student.scales, student.another(seed + 1).network), student.units(data)


def outputs_of(student, units):
    return student.outputs(units).clone().requires_grad_()


def test_without_gates_only_the_factual_loss_is_left():
    student, distillation, units = lesson(responses())
    outputs = student.outputs(units)
    loss = distillation.loss(outputs, units, fixed_gates(0.0)(units))
    torch.testing.assert_close(loss, ARMS * student.scales.prediction_loss(outputs, units))


@pytest.mark.parametrize("gate", [0.3, 1.0])
def test_the_gradient_is_that_of_the_published_target_with_the_students_part_held_constant(gate):
    student, distillation, units = lesson(responses())
    gates = fixed_gates(gate)(units)
    outputs = outputs_of(student, units)
    distillation.loss(outputs, units, gates).sum().backward()

    published = outputs_of(student, units)
    taught = distillation.teacher(units.numbers, units.levels).detach()
    counterfactual = gates * taught + (1 - gates) * published.detach()
    others = (torch.arange(ARMS) != units.arm[:, None]).repeat(1, 2)
    factual = ARMS * student.scales.prediction_loss(published, units)
    (factual.sum() + (others * (counterfactual - published) ** 2).sum()).backward()
    torch.testing.assert_close(outputs.grad, published.grad)
    torch.testing.assert_close(outputs.grad[others], (2 * gates * (outputs - taught)).detach()[others])


def test_a_student_that_says_what_the_teacher_says_pays_only_for_the_factual_arm():
    _, distillation, units = lesson(responses())
    taught = distillation.teacher(units.numbers, units.levels).detach()
    full, none = (distillation.loss(taught, units, fixed_gates(gate)(units)) for gate in (1.0, 0.0))
    torch.testing.assert_close(full, none)


def test_a_binary_target_is_taught_by_log_loss_and_is_learned_exactly_where_student_and_teacher_agree():
    student, distillation, units = lesson(responses(binary=True))
    assert student.scales.outcome.binary
    taught = distillation.teacher(units.numbers, units.levels).detach().requires_grad_()
    distillation.loss(taught, units, fixed_gates(1.0)(units)).sum().backward()
    others = torch.arange(ARMS) != units.arm[:, None]
    torch.testing.assert_close(taught.grad[:, :ARMS][others], torch.zeros(int(others.sum())), atol=1e-6, rtol=0)
    assert (taught.grad[:, :ARMS][~others] != 0).all()


def test_known_prices_are_not_taught():
    student, distillation, units = lesson(responses(prices={0: 0.0, 1: 1.0, 2: 2.0}))
    outputs = outputs_of(student, units)
    distillation.loss(outputs, units, fixed_gates(1.0)(units)).sum().backward()
    assert (outputs.grad[:, ARMS:] == 0).all()
    assert (outputs.grad[:, :ARMS] != 0).all()


def test_the_cost_of_an_arm_that_is_always_free_is_not_taught():
    student, distillation, units = lesson(responses(control=0.0))
    outputs = outputs_of(student, units)
    distillation.loss(outputs, units, fixed_gates(1.0)(units)).sum().backward()
    assert (outputs.grad[:, ARMS] == 0).all()
    assert (outputs.grad[:, ARMS + 1 :] != 0).all()


def test_gates_of_outcome_and_cost_are_their_own():
    student, distillation, units = lesson(responses())
    gates = fixed_gates(0.0)(units)
    gates[:, ARMS:] = 1.0
    outputs, bare = outputs_of(student, units), outputs_of(student, units)
    distillation.loss(outputs, units, gates).sum().backward()
    distillation.loss(bare, units, fixed_gates(0.0)(units)).sum().backward()
    torch.testing.assert_close(outputs.grad[:, :ARMS], bare.grad[:, :ARMS])
    assert not torch.allclose(outputs.grad[:, ARMS:], bare.grad[:, ARMS:])


def test_the_teacher_gets_no_gradient():
    student, distillation, units = lesson(responses())
    outputs = student.network(units.numbers, units.levels)
    distillation.loss(outputs, units, fixed_gates(0.5)(units)).sum().backward()
    assert all(parameter.grad is None for parameter in distillation.teacher.parameters())
    assert all(parameter.grad is not None for parameter in student.network.parameters())


def test_the_loss_does_not_depend_on_how_often_an_arm_was_logged():
    """With the same units twice, of one arm four times, the weighted loss of a constant student stays the same."""
    data = responses()
    student, distillation, units = lesson(data)
    rows = torch.cat([torch.arange(len(data)), *([torch.nonzero(units.arm == 2)[:, 0]] * 3)])
    shares = torch.bincount(units.arm[rows]).float() / len(rows)
    more = units.take(rows)
    more = replace(more, propensity=shares.expand(len(rows), -1), weight=1 / shares[more.arm])
    factual = [distillation.loss(student.outputs(u), u, fixed_gates(0.0)(u)).mean() for u in (units, more)]
    torch.testing.assert_close(factual[0], factual[1], rtol=1e-4, atol=0)
