"""The architecture of the preference model, against the paper's formulas."""

import numpy as np
import pytest
import torch
from torch.nn.functional import huber_loss

from causal_tasks.dynamic.networks.preference import PreferenceLoss, PreferenceRows
from causal_tasks.dynamic.networks.preference_network import PreferenceNetwork

FEATURES = 12
KINDS = ("paper", "features", "none", "mmoe")


def network(guidance="paper", *, arms=2, features=FEATURES, seed=0, **changes):
    torch.manual_seed(seed)
    stated = {"embedding": 32, "experts": 3, "indicator": True} | changes
    return PreferenceNetwork(cardinalities=(101,) * features, arms=arms, guidance=guidance, **stated)


def users(n, features=FEATURES, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 101, (n, features), generator=generator) + 101 * torch.arange(features)


def rows(n, arms, only=None):
    random = np.random.default_rng(0)
    arm = torch.from_numpy(random.integers(0, arms, n) if only is None else np.full(n, only))
    return PreferenceRows(users(n), torch.from_numpy(random.random(n).astype("f4")), arm, torch.ones(n))


def count(model):
    return sum(value.numel() for value in model.parameters())


def test_twelve_features_and_two_arms_make_236738_parameters():
    assert count(network()) == 236_738


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # a gate, a tower with its last unit and an embedding more
        ({"arms": 3}, 236_738 + 96 + 2_080 + 33 + 128),
        # guidance reads 384 numbers more
        ({"guidance": "features"}, 236_738 + 384 * 64),
        # neither guidance nor gates
        ({"guidance": "none"}, 236_738 - 10_336 - 192),
        # gates of 384 by 3 in place of both
        ({"guidance": "mmoe"}, 236_738 - 10_336 - 192 + 2 * 384 * 3),
        ({"indicator": False}, 236_738 - 10_336),
        # and no embedding of treatments, which nothing reads
        ({"indicator": False, "guidance": "mmoe"}, 236_738 - 2 * 10_336 - 192 + 2 * 384 * 3 - 256),
        # one expert of three, nothing to mix
        ({"experts": 1}, 236_738 - 2 * 57_536 - 10_336 - 192),
    ],
)
def test_ablations_leave_out_their_part_and_nothing_else(changes, expected):
    assert count(network(**changes)) == expected


def test_scores_are_those_of_the_papers_formulas_written_out():
    model, buckets = network(arms=4), users(50)
    flat = model.embedding(buckets).flatten(start_dim=1)
    assert flat.shape == (50, 384)
    experts = torch.stack([torch.relu(expert.last(torch.relu(expert.first(flat)))) for expert in model.experts])
    expected = []
    for arm in range(4):
        treatment = model.treatment(torch.tensor(arm))
        guidance, indicator = (
            torch.sigmoid(mlp.last(torch.relu(mlp.first(treatment)))) for mlp in (model.guidance, model.indicator)
        )
        gate = torch.softmax(model.gates[arm].weight @ guidance, dim=0)
        mixture = (gate[:, None, None] * experts).sum(dim=0)
        tower = torch.relu(model.towers[arm](mixture)) * indicator
        expected.append(model.outputs[arm](tower)[:, 0])
    torch.testing.assert_close(model(buckets), torch.stack(expected, dim=1), atol=1e-6, rtol=1e-5)


def test_guidance_by_features_reads_treatment_and_user_together():
    model, buckets = network("features", arms=3), users(50)
    flat = model.embedding(buckets).flatten(start_dim=1)
    for arm in range(3):
        read = torch.cat([model.treatment(torch.full((50,), arm)), flat], dim=1)
        gate = torch.softmax(model.gates[arm](model.guidance(read)), dim=1)
        torch.testing.assert_close(model.gate_weights(buckets)[:, arm], gate)


def test_gates_of_mmoe_read_the_user_alone():
    model, buckets = network("mmoe", arms=3), users(50)
    flat = model.embedding(buckets).flatten(start_dim=1)
    expected = torch.stack([torch.softmax(gate(flat), dim=1) for gate in model.gates], dim=1)
    torch.testing.assert_close(model.gate_weights(buckets), expected)


@pytest.mark.parametrize("guidance", KINDS)
def test_a_gate_differs_between_users_where_it_reads_them_and_only_there(guidance):
    gates = network(guidance, arms=3).gate_weights(users(200))
    assert gates.shape == (200, 3, 3)
    torch.testing.assert_close(gates.sum(dim=2), torch.ones(200, 3))
    spread = gates.var(dim=0).max().item()
    if guidance in {"paper", "none"}:
        assert spread < 1e-14
    else:
        assert spread > 1e-8
    if guidance != "none":
        assert (gates[:, 0] - gates[:, 1]).abs().max() > 1e-6, "arms mix the experts differently"


@pytest.mark.parametrize("guidance", KINDS)
def test_rows_of_one_arm_teach_neither_tower_nor_gate_of_another(guidance):
    model = network(guidance, arms=3)
    PreferenceLoss("huber", 1.0)(model, rows(64, 3, only=1)).mean().backward()
    for arm in range(3):
        own = [model.towers[arm].weight, model.towers[arm].bias, model.outputs[arm].weight, model.outputs[arm].bias]
        if model.gates is not None:
            own.append(model.gates[arm].weight)
        taught = [value.grad is not None and bool(value.grad.abs().sum() > 0) for value in own]
        assert taught == [arm == 1] * len(own)
    assert (model.treatment.weight.grad.abs().sum(dim=1) > 0).tolist() == [False, True, False]
    assert all(expert.first.weight.grad.abs().sum() > 0 for expert in model.experts)


def test_the_loss_of_a_row_is_hubers_of_its_own_arm_times_its_weight():
    model, batch = network(arms=3), rows(40, 3)
    batch = PreferenceRows(batch.buckets, 5 * batch.outcome, batch.arm, torch.arange(40.0))
    means = torch.nn.functional.softplus(model(batch.buckets))
    error = (means[torch.arange(40), batch.arm] - batch.outcome).abs()
    expected = batch.weight * torch.where(error <= 1, error**2 / 2, error - 0.5)
    assert (error > 1).any()
    assert (error < 1).any()
    torch.testing.assert_close(PreferenceLoss("huber", 1.0)(model, batch), expected)
    torch.testing.assert_close(PreferenceLoss("squared", 1.0)(model, batch), batch.weight * error**2)
    other = [bias + 1 for bias in (output.bias.detach() for output in model.outputs)]
    with torch.no_grad():
        for arm, output in enumerate(model.outputs):
            output.bias.copy_(other[arm] if arm == 2 else output.bias)
    changed = PreferenceLoss("huber", 1.0)(model, batch) - expected
    assert (changed.abs() > 1e-6)[batch.weight > 0].tolist() == (batch.arm == 2)[batch.weight > 0].tolist()
    assert huber_loss(torch.tensor(2.0), torch.tensor(0.0)).item() == 1.5


@pytest.mark.parametrize(("loss", "mean"), [("huber", 0.7), ("squared", 30.0), ("cross_entropy", 0.04)])
def test_the_network_starts_near_the_mean_outcome(loss, mean):
    model = network(arms=3)
    objective = PreferenceLoss(loss, 1.0)
    model.start_at(objective.start(mean))
    assert objective.means(model(users(500))).mean().item() == pytest.approx(mean, rel=0.1)


@pytest.mark.parametrize("guidance", KINDS)
def test_an_ordered_start_has_no_effect_and_neighbouring_buckets_alike(guidance):
    model = network(guidance, arms=3, features=2)
    model.start_ordered((101, 49))
    scores = model(users(100, features=2))
    torch.testing.assert_close(scores, scores[:, :1].expand(-1, 3))
    first = model.embedding.weight[:101]
    steps = first.diff(dim=0)
    torch.testing.assert_close(steps, steps[:1].expand(100, -1))
    assert first.mean(dim=0).abs().max() < 1e-5
    assert first.var(dim=0).min() > 0
    assert model.embedding.weight[150:].std().item() == pytest.approx(0.5, rel=0.1), "buckets without an order"
    assert (network(guidance, arms=3)(users(100)).diff(dim=1).abs() > 1e-6).any(), "unlike that of Keras"
