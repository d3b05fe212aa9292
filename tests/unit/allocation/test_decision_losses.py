from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.networks.decision_losses import finite_difference_loss, net, policy_loss
from causal_tasks.allocation.networks.decision_value import UnbiasedLevels
from causal_tasks.allocation.responses import Responses

SEEDS = st.integers(0, 10_000)
quick = settings(deadline=None, max_examples=40)


def draw(seed, *shape):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def column(*values):
    """Scores or rewards of one unit at one price."""
    return torch.tensor(values, dtype=torch.float64).reshape(1, -1, 1)


def gradient(loss, scores):
    scores = scores.clone().requires_grad_()
    loss(scores).sum().backward()
    return scores.grad


def test_net_is_outcome_less_price_times_cost_for_every_price_arm_and_unit():
    outcome, cost, prices = draw(0, 4, 3), draw(1, 4, 3), torch.tensor([0.0, 2.0], dtype=torch.float64)
    found = net(outcome, cost, prices)
    assert found.shape == (2, 3, 4)
    for price, unit, arm in ((0, 1, 2), (1, 3, 0), (1, 0, 1)):
        assert found[price, arm, unit] == pytest.approx(outcome[unit, arm] - prices[price] * cost[unit, arm])


@quick
@given(SEEDS, st.sampled_from([0.1, 1.0, 3.0]))
def test_the_gradient_of_the_policy_loss_has_its_closed_form(seed, temperature):
    scores, rewards = draw(seed, 2, 3, 5), draw(seed + 1, 2, 3, 5)
    share = torch.softmax(scores / temperature, dim=1)
    expected = -share * (rewards - (share * rewards).sum(dim=1, keepdim=True)) / temperature
    found = gradient(lambda values: policy_loss(values, rewards, temperature=temperature), scores)
    torch.testing.assert_close(found, expected)


@quick
@given(SEEDS)
def test_the_policy_loss_agrees_with_central_differences(seed):
    scores, rewards = draw(seed, 1, 4, 2).requires_grad_(), draw(seed + 1, 1, 4, 2)
    assert torch.autograd.gradcheck(lambda values: policy_loss(values, rewards, temperature=0.7), scores)


@quick
@given(SEEDS)
def test_at_a_low_temperature_the_policy_loss_is_what_the_best_arms_bring(seed):
    scores, rewards = draw(seed, 3, 4, 6), draw(seed + 1, 3, 4, 6)
    picked = rewards.gather(1, scores.argmax(dim=1, keepdim=True))[:, 0]
    torch.testing.assert_close(policy_loss(scores, rewards, temperature=1e-6), -picked)


@quick
@given(SEEDS, st.floats(-50, 50))
def test_what_is_added_to_all_arms_of_a_unit_changes_no_gradient(seed, constant):
    scores, rewards = draw(seed, 2, 3, 5), draw(seed + 1, 2, 3, 5)
    arm = torch.arange(5) % 3
    for loss in (
        lambda values, given: policy_loss(values, given, temperature=0.5),
        lambda values, given: finite_difference_loss(values, given, arm, floor=0.1),
    ):
        with_it = gradient(partial(loss, given=rewards + constant), scores)
        torch.testing.assert_close(with_it, gradient(partial(loss, given=rewards), scores), atol=1e-9, rtol=1e-9)


def test_weighted_outcomes_give_the_loss_of_all_arms_in_expectation_also_where_arms_are_85_to_15():
    """The sum over both assignments of every unit, by their probabilities, is the randomisation's expectation."""
    outcome, cost = np.array([[1.0, 3.0], [2.0, 1.5]]), np.array([[0.0, 1.0], [0.2, 0.6]])
    scores = net(draw(0, 2, 2), draw(1, 2, 2).abs(), prices := torch.tensor([0.3, 1.4], dtype=torch.float64))
    truth = policy_loss(scores, net(torch.tensor(outcome), torch.tensor(cost), prices), temperature=0.5)
    for means in (np.zeros((2, 2)), np.full((2, 2), 0.7), np.array([[0.5, 2.0], [9.0, -3.0]])):
        expected, unweighted = torch.zeros_like(truth), torch.zeros_like(truth)
        for first in (0, 1):
            for second in (0, 1):
                arm, shares = np.array([first, second]), np.array([0.15, 0.85])
                levels = UnbiasedLevels.of(seen(outcome, cost, arm, shares), Forecast(means, np.zeros((2, 2))))
                rewards = net(*(torch.tensor(values) for values in levels), prices)
                probability = shares[first] * shares[second]
                expected += probability * policy_loss(scores, rewards, temperature=0.5)
                raw = rewards * torch.tensor(shares)[None, :, None]
                unweighted += probability * policy_loss(scores, raw, temperature=0.5)
        torch.testing.assert_close(expected, truth)
        assert (unweighted - truth).abs().max() > 0.1


def seen(outcome, cost, arm, shares):
    unit = np.arange(len(arm))
    return Responses(
        X=None,
        outcome=outcome[unit, arm],
        cost=cost[unit, arm],
        arm=arm,
        labels=(0, 1),
        propensity=np.broadcast_to(shares, outcome.shape),
    )


@pytest.mark.parametrize(
    ("arm", "expected"),
    [
        (0, [-4 / 0.5, 4 / 0.5, 0.0]),  # the pick: the runner-up, arm 1, would take over
        (1, [4 / 0.5, -4 / 0.5, 0.0]),  # not the pick: it trades places with the pick, arm 0
        (2, [4 / 2.0, 0.0, -4 / 2.0]),
    ],
)
def test_the_finite_difference_moves_the_unit_s_own_arm_and_the_one_it_trades_places_with(arm, expected):
    scores, rewards = column(3.0, 2.5, 1.0), column(0.0, 0.0, 0.0)
    rewards[0, arm, 0] = 4.0
    found = gradient(lambda values: finite_difference_loss(values, rewards, torch.tensor([arm]), floor=0.1), scores)
    torch.testing.assert_close(found, column(*expected))


def test_at_a_tie_the_finite_difference_divides_by_the_floor():
    rewards = column(0.0, 1.0)
    found = gradient(
        lambda values: finite_difference_loss(values, rewards, torch.tensor([1]), floor=0.25), column(2.0, 2.0)
    )
    torch.testing.assert_close(found.abs(), column(4.0, 4.0))


def test_the_finite_difference_reaches_predicted_costs_minus_the_price_times_as_much():
    outcome, cost = (draw(seed, 6, 3).requires_grad_() for seed in (0, 1))
    prices = torch.tensor([1.7], dtype=torch.float64)
    finite_difference_loss(
        net(outcome, cost, prices), draw(2, 1, 3, 6), torch.arange(6) % 3, floor=0.1
    ).sum().backward()
    assert (outcome.grad != 0).sum(dim=1).tolist() == [2] * 6
    torch.testing.assert_close(cost.grad, -1.7 * outcome.grad)


@quick
@given(SEEDS)
def test_the_finite_difference_is_the_change_of_value_over_the_change_of_scores_that_flips_a_pick(seed):
    """Moving the score of the own arm just across the gap changes the value by gap times slope."""
    scores, rewards = draw(seed, 1, 3, 1), draw(seed + 1, 1, 3, 1)
    for arm in range(3):
        slope = -gradient(
            lambda values, t=arm: finite_difference_loss(values, rewards, torch.tensor([t]), floor=1e-9), scores
        )[0, arm, 0]
        best = scores[0, :, 0].argmax()
        rivals = torch.cat([scores[0, :arm, 0], scores[0, arm + 1 :, 0]])
        gap = rivals.max() - scores[0, arm, 0]
        moved = scores.clone()
        moved[0, arm, 0] += gap * (1 + 1e-9)
        change = rewards[0, moved[0, :, 0].argmax(), 0] - rewards[0, best, 0]
        torch.testing.assert_close(slope * gap, change)
