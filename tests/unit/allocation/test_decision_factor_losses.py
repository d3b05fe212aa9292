import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from causal_tasks.allocation.networks.decision_factor_losses import (
    log_mean_exp,
    log_returns,
    price_averaged_value,
    rank_loss,
    return_loss,
)

CELLS = 5
SCORES = arrays(np.float64, (4, 3), elements=st.floats(-6, 6))
GAINS = arrays(np.float64, (4, 3), elements=st.floats(-2, 2))
EXTRA_COSTS = arrays(np.float64, (4, 3), elements=st.floats(0, 2))


def experiment(n=200_000, share=0.3, seed=0):
    """Five cells whose return on cost is 0.2, 0.3, …; yes-or-no outcomes and costs; shares differ from 1/2."""
    random = np.random.default_rng(seed)
    cell = random.integers(0, CELLS, n)
    treated = random.random(n) < share
    extra_cost = 0.1 + 0.05 * cell
    cost = random.random(n) < 0.3 + extra_cost * treated
    outcome = random.random(n) < 0.4 + extra_cost * (0.2 + 0.1 * cell) * treated
    return cell, treated, outcome.astype(float), cost.astype(float)


def inverse_propensity(values, treated):
    """Guesses whose total over a group is its sum over the treated / n_1 less that over control / n_0, times n."""
    return np.where(treated, values / treated.mean(), -values / (~treated).mean())


def optimum(loss, shape=(CELLS, 1)):
    """Scores of the cells at which the loss of the whole sample is smallest."""
    scores = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [scores], max_iter=500, tolerance_grad=1e-13, tolerance_change=1e-18, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        value = loss(scores)
        value.backward()
        return value

    optimizer.step(closure)
    return scores.detach()


def tensors(*values):
    return tuple(torch.from_numpy(np.asarray(v, dtype=np.float64)) for v in values)


@pytest.mark.parametrize("centred", [False, True])
def test_on_cells_the_optimum_is_the_ratio_of_effects_with_the_sizes_of_whole_arms(centred):
    cell, treated, outcome, cost = experiment()
    if centred:
        outcome, cost = outcome - outcome.mean(), cost - cost.mean()
    gain, extra_cost = (inverse_propensity(values, treated)[:, None] for values in (outcome, cost))
    rows = torch.from_numpy(cell)
    scores = optimum(lambda s: return_loss(s[rows], *tensors(gain, extra_cost), diminishing=False).mean())
    n1, n0 = treated.sum(), (~treated).sum()

    def effect(values):
        return np.array(
            [values[(cell == k) & treated].sum() / n1 - values[(cell == k) & ~treated].sum() / n0 for k in range(CELLS)]
        )

    np.testing.assert_allclose(torch.sigmoid(scores[:, 0]).numpy(), effect(outcome) / effect(cost), atol=1e-6)


def test_diminishing_returns_are_the_ratios_where_these_do_diminish():
    gain, extra_cost = tensors([[0.6, 0.3, 0.1]] * 4, [[1.0, 0.8, 1.2]] * 4)
    scores = optimum(lambda s: return_loss(s.expand(4, 3), gain, extra_cost, diminishing=True).mean(), shape=(1, 3))
    log_q, _ = log_returns(scores, diminishing=True)
    np.testing.assert_allclose(log_q.exp().numpy(), [[0.6, 0.375, 0.1 / 1.2]], atol=1e-6)


def test_where_returns_rise_diminishing_ones_pool_the_steps():
    gain, extra_cost = tensors([[0.2, 0.6]], [[1.0, 1.0]])
    scores = optimum(lambda s: return_loss(s, gain, extra_cost, diminishing=True).mean(), shape=(1, 2))
    log_q, _ = log_returns(scores, diminishing=True)
    np.testing.assert_allclose(log_q.exp().numpy(), [[0.4, 0.4]], atol=1e-3)


@given(SCORES, GAINS, EXTRA_COSTS)
def test_the_slope_in_a_score_is_the_extra_cost_at_this_return_less_the_gain(scores, gain, extra_cost):
    s = torch.tensor(scores, requires_grad=True)
    return_loss(s, *tensors(gain, extra_cost), diminishing=False).sum().backward()
    np.testing.assert_allclose(s.grad.numpy(), extra_cost / (1 + np.exp(-scores)) - gain, atol=1e-12)


@given(SCORES, GAINS, EXTRA_COSTS)
def test_the_slope_of_diminishing_returns_agrees_with_finite_differences(scores, gain, extra_cost):
    s = torch.tensor(scores, requires_grad=True)
    effects = tensors(gain, extra_cost)
    return_loss(s, *effects, diminishing=True).sum().backward()
    step = 1e-5
    for pair in range(3):
        shift = torch.zeros_like(s)
        shift[:, pair] = step
        up, down = (return_loss(s.detach() + sign * shift, *effects, diminishing=True) for sign in (1, -1))
        np.testing.assert_allclose(s.grad[:, pair].numpy(), ((up - down) / (2 * step)).numpy(), rtol=1e-4, atol=1e-5)


@given(SCORES, SCORES, GAINS, EXTRA_COSTS, st.floats(0, 1))
def test_the_loss_is_convex_where_no_unit_costs_less(first, second, gain, extra_cost, share):
    def loss(scores):
        return return_loss(*tensors(scores, gain, extra_cost), diminishing=False)

    between = loss(share * first + (1 - share) * second)
    assert (between <= share * loss(first) + (1 - share) * loss(second) + 1e-9).all()


@given(SCORES)
def test_diminishing_returns_fall_and_begin_as_the_others(scores):
    log_q, log_rest = log_returns(torch.from_numpy(scores), diminishing=True)
    plain = log_returns(torch.from_numpy(scores), diminishing=False)
    assert (log_q.diff(dim=1) <= 0).all()
    torch.testing.assert_close(log_q[:, 0], plain[0][:, 0])
    torch.testing.assert_close(log_rest[:, 0], plain[1][:, 0])
    torch.testing.assert_close(log_q.exp() + log_rest.exp(), torch.ones_like(log_q))


@pytest.mark.parametrize("diminishing", [False, True])
@pytest.mark.parametrize("score", [-80.0, 0.0, 80.0])
def test_loss_and_slope_stay_finite_at_extreme_scores_in_single_precision(score, diminishing):
    scores = torch.full((2, 3), score, requires_grad=True)
    loss = return_loss(scores, torch.ones(2, 3), torch.full((2, 3), 2.0), diminishing=diminishing).sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(scores.grad).all()


@given(st.floats(0, 1), st.floats(-2, 2), st.floats(-1, 2))
def test_the_value_is_that_of_the_decisions_averaged_over_prices(share, gain, extra_cost):
    prices = (np.arange(20_000) + 0.5) / 20_000
    decided = np.mean((prices < share) * (gain - prices * extra_cost))
    found = price_averaged_value(*tensors(share, gain, extra_cost))
    assert float(found) == pytest.approx(decided, abs=1e-3)


def test_the_loss_is_the_regret_of_decisions_over_prices_weighed_by_their_log_odds():
    gain, extra_cost = 0.3, 0.8
    low, high = 0.2, 0.7
    prices = np.linspace(low, high, 100_001)
    weighed = (gain - prices * extra_cost) / (prices * (1 - prices))
    logits = np.log(np.array([[low], [high]]) / (1 - np.array([[low], [high]])))
    loss = return_loss(*tensors(logits, [[gain]] * 2, [[extra_cost]] * 2), diminishing=False)
    assert float(loss[0] - loss[1]) == pytest.approx(np.trapezoid(weighed, prices), abs=1e-8)


def test_on_cells_the_optimal_ranking_is_proportional_to_the_gain():
    cell, treated, outcome, _ = experiment()
    gain = inverse_propensity(outcome - outcome.mean(), treated)[:, None]
    rows = torch.from_numpy(cell)
    scores = optimum(lambda s: rank_loss(s[rows], *tensors(gain), mean_gain=float(gain.mean())))
    means = np.array([gain[cell == k].mean() for k in range(CELLS)])
    share = (scores[:, 0] - log_mean_exp(scores[rows])).exp().numpy()
    np.testing.assert_allclose(share, means / gain.mean(), rtol=1e-5)


def test_over_all_units_the_ranking_loss_is_the_softmax_of_the_paper():
    random = np.random.default_rng(0)
    scores, outcome, treated = random.normal(size=(50, 1)), random.normal(size=50), random.random(50) < 0.3
    gain = inverse_propensity(outcome, treated)
    log_p = np.log(np.exp(scores[:, 0]) / np.exp(scores[:, 0]).sum())
    published = -(np.mean((outcome * log_p)[treated]) - np.mean((outcome * log_p)[~treated]))
    found = rank_loss(*tensors(scores, gain[:, None]), mean_gain=gain.mean())
    assert float(found) == pytest.approx(published - gain.mean() * np.log(50))
