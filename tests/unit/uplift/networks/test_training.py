import logging

import numpy as np
import pandas as pd
import pytest
import torch

from causal_tasks.base_models import DesignMatrix, StoredDesign
from causal_tasks.errors import InputError
from causal_tasks.uplift.networks.architecture import ArmNetwork
from causal_tasks.uplift.networks.batches import Rows
from causal_tasks.uplift.networks.encoding import Encoding
from causal_tasks.uplift.networks.held_out import held_out_rows
from causal_tasks.uplift.networks.objective import Objective, OutcomeScale
from causal_tasks.uplift.networks.trainer import EPOCH_STEPS, Schedule, held_out_loss, threads, train
from causal_tasks.uplift.training_data import TrainingData


def rows_of(design, n, **options):
    encoding = Encoding.learn(design)
    number = np.arange(n, dtype=float)
    return Rows(design, encoding, outcome=number, arm=np.arange(n) % 2, weight=number, device="cpu", **options)


@pytest.mark.parametrize("held", [10**9, 300])
@pytest.mark.parametrize("stored", [False, True])
def test_a_pass_shows_every_row_once_with_its_own_outcome_and_passes_differ(held, stored, tmp_path):
    n = 1_000
    X = pd.DataFrame({"x": np.arange(n, dtype="float32")})
    if stored:
        X.to_parquet(tmp_path / "x.parquet", row_group_size=128)
    rows = rows_of(StoredDesign(tmp_path / "x.parquet") if stored else DesignMatrix.of(X), n, held=held)
    stream = rows.minibatches(20, torch.Generator().manual_seed(3))
    passes = [[next(stream) for _ in range(n // 20)] for _ in range(2)]
    for batches in passes:
        outcome = torch.cat([batch.outcome for batch in batches])
        assert sorted(outcome.tolist()) == list(range(n))
        shown = torch.cat([batch.numbers for batch in batches])[:, 0]
        torch.testing.assert_close(shown, (outcome - (n - 1) / 2) / float(X["x"].std(ddof=0)))
        torch.testing.assert_close(torch.cat([batch.arm for batch in batches]), outcome.long() % 2)
        torch.testing.assert_close(torch.cat([batch.weight for batch in batches]), outcome)
        first = outcome[: n // 4]
        assert first.min() < n / 10 < 9 * n / 10 < first.max(), "a pass that is broken off is a sample of all rows"
    assert not torch.equal(passes[0][0].outcome, passes[1][0].outcome)
    parts = list(rows.parts())
    assert max(map(len, (part.outcome for part in parts))) <= held
    assert torch.cat([part.outcome for part in parts]).tolist() == list(range(n))


def test_what_does_not_fill_a_batch_is_left_to_another_pass():
    rows = rows_of(DesignMatrix.of(pd.DataFrame({"x": np.arange(50.0)})), 50)
    stream = rows.minibatches(20, torch.Generator().manual_seed(0))
    sizes = {len(next(stream).outcome) for _ in range(9)}
    assert sizes == {20}


def data(arm, clusters=None, weight=None):
    n = len(arm)
    X = pd.DataFrame({"x": np.arange(n, dtype=float)})
    return TrainingData.checked(
        X, np.zeros(n), arm, control=None, propensity=None, sample_weight=weight, clusters=clusters
    )


def test_every_arm_is_held_out_in_proportion_even_a_tiny_one():
    arm = np.repeat([0, 1, 2], [1_000, 200, 2])
    held_out = held_out_rows(data(arm), 0.2, seed=0)
    assert np.bincount(arm[held_out]).tolist() == [200, 40, 1]
    assert not np.array_equal(held_out, held_out_rows(data(arm), 0.2, seed=1))


def test_a_large_table_holds_out_no_more_than_fifty_thousand_rows():
    held_out = held_out_rows(data(np.arange(400_000) % 2), 0.2, seed=0)
    assert held_out.sum() == 50_000


def test_clusters_stay_whole():
    random = np.random.default_rng(0)
    clusters = random.integers(0, 100, 5_000)
    held_out = held_out_rows(data(random.integers(0, 2, 5_000), clusters), 0.2, seed=0)
    assert 0.1 < held_out.mean() < 0.3
    assert {held_out[clusters == cluster].mean() for cluster in range(100)} == {0.0, 1.0}


def test_an_arm_that_cannot_be_on_both_sides_is_named():
    arm = np.repeat([0, 1], [100, 50])
    with pytest.raises(InputError, match=r"trained on.*\[1\]"):
        held_out_rows(data(arm, clusters=np.where(arm == 1, 0, np.arange(150) + 1)), 0.2, seed=0)
    with pytest.raises(InputError, match=r"\[1\]"):
        held_out_rows(data(arm, weight=(np.arange(150) <= 100).astype(float)), 0.2, seed=0)


def problem(n=600, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, 3)).astype("float32")
    design = DesignMatrix.of(X)
    encoding, arm = Encoding.learn(design), random.integers(0, 2, n)
    outcome = X[:, 0] + random.normal(size=n)
    rows = Rows(design, encoding, outcome=outcome, arm=arm, weight=np.ones(n), device="cpu")
    torch.manual_seed(0)
    network = ArmNetwork(width=3, cardinalities=(), arms=2, hidden=16, head=8, models_propensity=False)
    return network, Objective(OutcomeScale(binary=False, mean=0.0, scale=1.0)), rows


def schedule(**changes):
    return Schedule(
        **{"learning_rate": 1e-2, "weight_decay": 0.0, "batch_size": 64, "max_steps": 2_000, "patience": 3, "seed": 0}
        | changes
    )


def test_training_stops_when_held_out_rows_gain_nothing_and_keeps_the_best_weights(caplog):
    network, objective, rows = problem()
    held_out = problem(seed=1)[2].all()
    with caplog.at_level(logging.INFO, logger="causal_tasks"):
        training = train(network, objective, rows, held_out, schedule())
    assert training.steps == len(training.losses) * EPOCH_STEPS < 2_000
    assert training.best == int(np.argmin(training.losses)) == len(training.losses) - 4
    assert held_out_loss(network, objective, held_out) == pytest.approx(training.losses[training.best], abs=1e-7)
    assert len(caplog.records) == len(training.losses)
    assert f"{training.losses[0]:.5f}" in caplog.records[0].getMessage()


def test_the_step_cap_holds():
    network, objective, rows = problem()
    training = train(network, objective, rows, problem(seed=1)[2].all(), schedule(max_steps=250, patience=99))
    assert (training.steps, len(training.losses)) == (250, 3)


def test_a_loss_that_is_no_number_is_told_with_the_remedy():
    network, objective, rows = problem()
    with torch.no_grad():
        network.heads[0][0].weight.fill_(float("nan"))
    with pytest.raises(InputError, match="lower learning_rate"):
        train(network, objective, rows, problem(seed=1)[2].all(), schedule())


def test_the_penalty_shrinks_the_heads_alone():
    sizes = {}
    for penalty in (0.0, 0.1):
        network, objective, rows = problem()
        train(network, objective, rows, problem(seed=1)[2].all(), schedule(weight_decay=penalty, max_steps=200))
        sizes[penalty] = [
            float(torch.cat([value.detach().flatten() for value in part.parameters()]).norm())
            for part in (network.heads, network.representation)
        ]
    assert sizes[0.1][0] < 0.5 * sizes[0.0][0]
    assert sizes[0.1][1] > 0.7 * sizes[0.0][1]


def test_threads_are_given_back_even_after_an_error():
    before = torch.get_num_threads()

    def fail_with_more_threads():
        with threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise InputError("x")

    with pytest.raises(InputError):
        fail_with_more_threads()
    assert torch.get_num_threads() == before
