import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor

from causal_tasks.base_models.outcome import Outcome
from causal_tasks.uplift.networks.architecture import ArmNetwork, Prediction
from causal_tasks.uplift.networks.batches import Batch
from causal_tasks.uplift.networks.losses import (
    corrected,
    covariates,
    dragon_net_loss,
    factual,
    propensity_loss,
    smoothed,
    squared_error,
    targeted_error,
)
from causal_tasks.uplift.networks.objective import Objective, OutcomeScale

ARM = tensor([1, 0])
OUTCOME = tensor([1.0, 0.0])
MEANS = tensor([[0.2, 0.5], [0.1, 0.4]])
PROPENSITY = tensor([[0.4, 0.6], [0.7, 0.3]])
EPSILON = tensor([0.1])


def test_the_loss_is_that_of_the_authors_code():
    parts = (
        squared_error(OUTCOME, factual(MEANS, ARM)),
        propensity_loss(ARM, PROPENSITY),
        targeted_error(OUTCOME, ARM, MEANS, smoothed(PROPENSITY), EPSILON),
    )
    assert [float(part.sum()) for part in parts] == pytest.approx([0.26, 0.8684037, 0.1126535], abs=1e-6)
    assert float(dragon_net_loss(OUTCOME, ARM, MEANS, PROPENSITY, EPSILON).sum()) == pytest.approx(1.2410572, abs=1e-6)
    weighted = dragon_net_loss(OUTCOME, ARM, MEANS, PROPENSITY, EPSILON, alpha=2.0, beta=3.0).sum()
    assert float(weighted) == pytest.approx(0.26 + 2 * 0.8684037 + 3 * 0.1126535, abs=1e-5)


def test_an_arm_that_nobody_is_in_changes_the_loss_of_the_others_by_its_share_alone():
    third = torch.zeros(2, 1)
    means, propensity = torch.cat([MEANS, third], dim=1), torch.cat([PROPENSITY, third], dim=1)
    more = dragon_net_loss(OUTCOME, ARM, means, propensity, tensor([0.1, 7.0]), alpha=0.0)
    # The offsets alone give the empty arm a probability: 0.01 / 1.03.
    g = (PROPENSITY + 0.01) / 1.03
    shift = 0.1 * tensor([1 / g[0, 1], -1 / g[1, 0]])
    shift[1] -= 7.0 / g[1, 0]
    expected = squared_error(OUTCOME, factual(MEANS, ARM)) + (OUTCOME - factual(MEANS, ARM) - shift) ** 2
    torch.testing.assert_close(more, expected)


def test_covariates_compare_each_treatment_with_control_and_corrections_follow_them():
    propensity = tensor([[0.5, 0.3, 0.2]])
    h = covariates(tensor([0, 1, 2]), propensity)
    torch.testing.assert_close(h, tensor([[-2.0, -2.0], [1 / 0.3, 0.0], [0.0, 5.0]]))
    epsilon = tensor([0.1, -0.3])
    q = torch.zeros(3, 3)
    torch.testing.assert_close(factual(corrected(q, propensity, epsilon), tensor([0, 1, 2])), h @ epsilon)
    two = corrected(torch.zeros(1, 2), tensor([[0.4, 0.6]]), tensor([0.1]))
    assert float(two[0, 1] - two[0, 0]) == pytest.approx(0.1 * (1 / 0.6 + 1 / 0.4))


@settings(deadline=None, max_examples=30)
@given(arms=st.integers(2, 5), seed=st.integers(0, 999))
def test_at_the_optimum_of_epsilon_every_score_is_zero(arms, seed):
    random = torch.Generator().manual_seed(seed)
    arm = torch.cat([torch.arange(arms), torch.randint(arms, (40,), generator=random)])
    outcome, means = torch.randn(40 + arms, generator=random).double(), torch.randn(40 + arms, arms).double()
    propensity = torch.softmax(torch.randn(40 + arms, arms, generator=random).double(), dim=1)
    h = covariates(arm, propensity)
    epsilon = torch.linalg.lstsq(h, (outcome - factual(means, arm))[:, None]).solution[:, 0].requires_grad_()
    targeted_error(outcome, arm, means, propensity, epsilon).mean().backward()
    torch.testing.assert_close(epsilon.grad, torch.zeros(arms - 1).double(), atol=1e-8, rtol=0)
    residual = outcome - factual(corrected(means, propensity, epsilon), arm)
    torch.testing.assert_close((h * residual[:, None]).mean(dim=0), torch.zeros(arms - 1).double(), atol=1e-8, rtol=0)


def batch(outcome, arm):
    rows = len(arm)
    return Batch(torch.zeros(rows, 1), torch.zeros(rows, 0, dtype=torch.int32), outcome, arm, torch.ones(rows))


def test_what_is_trained_is_the_authors_loss_where_the_outcome_is_continuous():
    network = ArmNetwork(width=1, cardinalities=(), arms=2, hidden=4, head=4, models_propensity=True)
    with torch.no_grad():
        network.epsilon.fill_(0.1)
    objective = Objective(OutcomeScale(binary=False, mean=3.0, scale=2.0), None, alpha=0.7, beta=1.3)
    prediction = Prediction(MEANS, PROPENSITY.log() - PROPENSITY.log()[:, :1])
    losses = objective.losses(network, prediction, batch(OUTCOME, ARM))
    expected = dragon_net_loss(OUTCOME, ARM, MEANS, PROPENSITY, EPSILON, alpha=0.7, beta=1.3)
    torch.testing.assert_close(losses, expected)
    torch.testing.assert_close(objective.outcomes(network, prediction, targeted=False), 3 + 2 * MEANS)
    targeted = objective.outcomes(network, prediction, targeted=True)
    torch.testing.assert_close(targeted, 3 + 2 * corrected(MEANS, smoothed(PROPENSITY), EPSILON))


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_a_constant_prediction_has_a_loss_of_one_whatever_the_outcome(share):
    values = np.zeros(400)
    values[: int(400 * share)] = 1.0
    for outcome in (values, 7.0 + 1e-4 * values**2 + 3e-5 * np.arange(400)):
        scale = OutcomeScale.of(Outcome.read(outcome, None, rows=400))
        scores = torch.full((400, 2), float(np.log(share / (1 - share))) if scale.binary else 0.0)
        learned = torch.from_numpy(scale.standardise(outcome)).float()
        losses = Objective(scale).losses(
            ArmNetwork(width=1, cardinalities=(), arms=2, hidden=4, head=4, models_propensity=False),
            Prediction(scores, None),
            batch(learned, torch.zeros(400, dtype=torch.int64)),
        )
        assert float(losses.mean()) == pytest.approx(1.0, rel=1e-4)


def test_known_shares_take_the_place_of_the_modelled_propensity():
    network = ArmNetwork(width=1, cardinalities=(), arms=2, hidden=4, head=4, models_propensity=False)
    with torch.no_grad():
        network.epsilon.fill_(0.1)
    objective = Objective(OutcomeScale(binary=False, mean=0.0, scale=1.0), tensor([[0.25, 0.75]]), alpha=5.0, beta=1.0)
    losses = objective.losses(network, Prediction(MEANS, None), batch(OUTCOME, ARM))
    q = factual(MEANS, ARM)
    torch.testing.assert_close(losses, (OUTCOME - q) ** 2 + (OUTCOME - q - tensor([0.1 / 0.75, -0.1 / 0.25])) ** 2)
