from dataclasses import dataclass

import pytest
import torch

from causal_tasks.dynamic.networks.training import Schedule, held_out_loss, train
from causal_tasks.errors import InputError


@dataclass
class Points:
    """Rows of a regression."""

    x: torch.Tensor
    y: torch.Tensor

    def __len__(self):
        return len(self.y)

    def take(self, rows):
        return Points(self.x[rows], self.y[rows])


def squared(network, batch):
    return (network(batch.x)[:, 0] - batch.y) ** 2


def points(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 2, generator=generator)
    return Points(x, 3 * x[:, 0] - 1)


def line(weight=0.0):
    network = torch.nn.Linear(2, 1)
    for value in network.parameters():
        torch.nn.init.constant_(value, weight)
    return network


def rates(monkeypatch, losses, **schedule):
    """Learning rates that were in force in each epoch, given the held-out losses."""
    told, seen = iter(losses), []
    monkeypatch.setattr("causal_tasks.dynamic.networks.training.held_out_loss", lambda *_: next(told))
    step = torch.optim.Adam.step

    def spied(optimizer, *args, **kwargs):
        seen.append(optimizer.param_groups[0]["lr"])
        return step(optimizer, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", spied)
    training = train(line(), points(32), squared, points(8), Schedule(epochs=len(losses) - 1, **schedule))
    return [pytest.approx(rate) for rate in seen], training


def test_a_line_is_found_and_the_weights_kept_are_those_of_the_smallest_held_out_loss():
    network, held_out = line(), points(200, seed=1)
    training = train(network, points(2_000), squared, held_out, Schedule(learning_rate=0.05, epochs=30))
    assert network.weight.flatten().tolist() == pytest.approx([3.0, 0.0], abs=0.02)
    assert network.bias.item() == pytest.approx(-1.0, abs=0.02)
    assert training.losses[training.best] == min(training.losses)
    assert held_out_loss(network, held_out, squared, 4096) == pytest.approx(min(training.losses))


def test_the_weights_it_starts_with_stay_where_no_epoch_is_better():
    network, rows = line(), points(200)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[3.0, 0.0]]))
        network.bias.fill_(-1.0)
    spoiled = Points(rows.x, rows.y + 5)
    training = train(network, spoiled, squared, points(50, seed=1), Schedule(learning_rate=0.05, epochs=9, patience=2))
    assert training.best == 0
    assert len(training.losses) == 3, "two epochs of patience"
    assert network.bias.item() == -1.0


def test_the_rate_falls_after_two_epochs_without_a_smaller_loss_as_keras_lets_it(monkeypatch):
    losses = [9.0, 8.0, 7.0, 7.0, 7.0, 7.0, 6.0, 6.0]
    seen, _ = rates(monkeypatch, losses, learning_rate=1.0, patience=9)
    assert seen == [1.0, 1.0, 1.0, 1.0, 0.6, 0.6, 0.6]


def test_the_rate_does_not_fall_below_the_smallest(monkeypatch):
    seen, training = rates(monkeypatch, [1.0] * 8, learning_rate=1e-3, min_learning_rate=5e-4, plateau=1, patience=9)
    assert min(rate.expected for rate in seen) == 5e-4
    assert training.best == 0


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    def fitted(seed):
        network = line()
        train(network, points(500), squared, points(50, seed=1), Schedule(epochs=2, seed=seed))
        return network.weight

    assert torch.equal(fitted(0), fitted(0))
    assert not torch.equal(fitted(0), fitted(1))


def test_a_pass_shows_every_row_at_most_once_in_batches_of_a_sixteenth():
    shown = []

    def spied(network, batch):
        shown.append(batch.y)
        return squared(network, batch)

    rows = Points(torch.ones(800, 2), torch.arange(800.0))
    train(line(), rows, spied, points(8), Schedule(epochs=1))
    batches = [batch for batch in shown if len(batch) == 50]
    assert len(batches) == 16
    assert sorted(torch.cat(batches).tolist()) == list(range(800))


def test_the_held_out_loss_is_the_mean_however_many_rows_are_computed_at_a_time():
    rows = points(101)
    expected = squared(line(1.0), rows).mean().item()
    assert held_out_loss(line(1.0), rows, squared, 10) == pytest.approx(expected)
    assert held_out_loss(line(1.0), rows, squared, 1000) == pytest.approx(expected)


def test_a_loss_that_is_not_finite_is_an_error():
    rows = Points(torch.ones(50, 2), torch.full((50,), float("inf")))
    with pytest.raises(InputError, match="held-out loss became inf; lower learning_rate"):
        train(line(), rows, squared, rows, Schedule())
    with pytest.raises(InputError, match="50 rows to learn from and 0 held out"):
        train(line(), points(50), squared, points(0), Schedule())


@pytest.mark.parametrize("wrong", [{"learning_rate": 0.0}, {"epochs": 0}, {"factor": 1.0}, {"plateau": 0}])
def test_a_schedule_that_cannot_be_is_named(wrong):
    with pytest.raises(InputError, match=f"training has {next(iter(wrong))}="):
        Schedule(**wrong)


def test_averaged_weights_are_the_ones_that_are_looked_at_and_kept():
    rows, noise = points(400), torch.randn(400, generator=torch.Generator().manual_seed(2))
    noisy, held_out = Points(rows.x, rows.y + 3 * noise), points(200, seed=1)
    errors = []
    for averaging in (0.0, 0.99):
        network = line()
        schedule = Schedule(learning_rate=0.1, batch_size=32, epochs=12, patience=12, averaging=averaging)
        training = train(network, noisy, squared, held_out, schedule)
        assert held_out_loss(network, held_out, squared, 4096) == pytest.approx(training.losses[training.best])
        errors.append(sum(training.losses[6:]) / 7)
    assert errors[1] < 0.7 * errors[0], "steps around the optimum cancel"
