"""The network of the request-time model: how it starts, what a label moves, and that numpy computes the same."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from causal_tasks.dynamic.interest_model import InterestModel
from causal_tasks.dynamic.networks.interest import Architecture, InterestNetwork, masked_loss
from causal_tasks.dynamic.ragged import Ragged
from causal_tasks.dynamic.request_encoding import RequestEncoding
from causal_tasks.dynamic.requests import Requests
from causal_tasks.errors import InputError

WIDTHS = (9, 3, 2)
MMOE = Architecture(embedding=4, hidden=8, tower=5, experts=3)
SHARED_BOTTOM = Architecture(embedding=4, hidden=8, tower=5, experts=None)


def network(architecture=MMOE, treatments=2, *, trained=True):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = InterestNetwork(WIDTHS, treatments, architecture).double()
        if trained:
            torch.nn.init.normal_(made.heads)
    return made


def rows(n=40):
    random = np.random.default_rng(0)
    return np.hstack([random.dirichlet(np.ones(9), n), random.dirichlet(np.ones(3), n), random.normal(size=(n, 2))])


@pytest.mark.parametrize("architecture", [MMOE, SHARED_BOTTOM])
def test_it_starts_from_an_interest_of_one(architecture):
    assert_allclose(network(architecture, trained=False)(torch.from_numpy(rows())).detach(), 1, rtol=1e-7)


@pytest.mark.parametrize("architecture", [MMOE, SHARED_BOTTOM])
def test_numpy_computes_what_the_network_does(architecture):
    made = network(architecture)
    encoding = RequestEncoding(3, ("a", "b"), np.zeros(2), np.ones(2), np.zeros(2, dtype=bool))
    weights = {name: value.numpy() for name, value in made.state_dict().items()}
    said = InterestModel(encoding, weights, np.array([1.0, 2.0])).of_rows(rows())
    assert_allclose(said, made(torch.from_numpy(rows())).detach().numpy() * [1, 2], rtol=1e-12)
    assert np.ptp(said, axis=0).min() > 0.01


def test_gates_depend_on_the_request_only_in_a_mixture():
    x = torch.from_numpy(rows())
    request = torch.zeros(len(x), 2 * 4 + 2, dtype=torch.float64)
    request[:, -2:] = x[:, -2:]
    gates = network()._gates_of(request)
    assert_allclose(gates.sum(dim=2).detach(), 1)
    assert gates.var(dim=0).min() > 0
    assert network(SHARED_BOTTOM)._gates_of(request).shape == (40, 2, 1)


def test_a_label_moves_only_the_tower_and_gate_of_its_treatment():
    made = network()
    labels = torch.full((40, 2), torch.nan, dtype=torch.float64)
    labels[:, 1] = 2.0
    masked_loss(made(torch.from_numpy(rows())), labels, "huber").sum().backward()
    for parameter in (made.towers, made.tower_bias, made.heads, made.head_bias):
        assert not parameter.grad[0].any()
        assert parameter.grad[1].any()
    own = made.gates.weight.grad.reshape(2, 3, -1)
    assert not own[0].any()
    assert own[1].any()
    assert made.experts.weight.grad.any()


def test_loss_sums_what_is_labelled():
    interest = torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    labels = torch.tensor([[1.5, 4.0], [torch.nan, 0.5], [torch.nan, torch.nan]])
    assert masked_loss(interest, labels, "huber").tolist() == [0.125 + 2.5, 0.125, 0.0]
    assert masked_loss(interest, labels, "squared").tolist() == [0.125 + 4.5, 0.125, 0.0]


def requests(context):
    n = len(context)
    lists = Ragged.of([[0]] * n)
    return Requests(np.array(context, dtype=np.float32), ("hour", "battery"), lists, lists, 3)


def test_context_is_standardised_and_missing_numbers_are_marked_where_training_missed_some():
    encoding = RequestEncoding.learn(requests([[1, 5], [3, 5], [np.nan, 5]]))
    assert encoding.widths == (9, 3, 3)
    found = encoding.encode(requests([[3, 5], [np.nan, np.nan], [1e30, 6]]))
    assert_allclose(found[:, 12:], [[1, 0, 0], [0, 0, 1], [10, 1, 0]])


def test_empty_lists_are_zeros_and_others_shares():
    encoding = RequestEncoding.learn(requests([[1, 5]]))
    context = np.zeros((2, 2), dtype=np.float32)
    made = Requests(context, ("hour", "battery"), Ragged.of([[8, 8, 0, 8], []]), Ragged.of([[], [1, 2]]), 3)
    assert_allclose(encoding.encode(made)[:, :12], [[0.25, *[0] * 7, 0.75, 0, 0, 0], [*[0] * 10, 0.5, 0.5]])


def test_an_encoding_survives_json_and_refuses_other_requests():
    encoding = RequestEncoding.learn(requests([[1, 5], [3, np.nan]]))
    again = RequestEncoding.from_state(encoding.to_state())
    some = requests([[2, np.nan], [7, 1]])
    assert (again.encode(some) == encoding.encode(some)).all()
    other = Requests(some.context, ("hour", "mood"), some.recent, some.candidates, 3)
    with pytest.raises(InputError, match=r"context \['hour', 'mood'\] and 3 categories"):
        encoding.encode(other)
    with pytest.raises(InputError, match="column 'battery' has no number in 2 requests"):
        RequestEncoding.learn(requests([[1, np.nan], [3, np.nan]]))
