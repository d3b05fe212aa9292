"""Direct ranking of Du, Lee and Ghaffarizadeh (2019), "Improve user retention with causal learning", by hand."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_tasks.allocation.networks.perceptron import seeded
from causal_tasks.allocation.networks.training import Schedule, train
from causal_tasks.allocation.networks.units import Units
from causal_tasks.allocation.responses import Responses
from causal_tasks.base_models import DesignMatrix
from causal_tasks.uplift.networks.encoding import Encoding

SMALLEST_GAIN = 1e-3
"""Below which the divisor is cut."""


def direct_rank(data: Responses, X: NDArray[np.float64], *, hidden: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """Scores of the rows of ``X`` by which to treat, shape (n,), learned from an experiment of one treatment.

    The whole sample makes one batch, since the loss is no mean over units.
    """
    held_out = data.held_out(0.2, seed=seed)
    encoding = Encoding.learn(data.X)
    network = seeded(seed, width=encoding.width, cardinalities=encoding.cardinalities, hidden=hidden, outputs=1)
    units, unseen = (Units.of(data.take(rows), encoding) for rows in (~held_out, held_out))

    def value() -> float:
        with torch.no_grad():
            return -float(direct_rank_loss(network(unseen.numbers, unseen.levels), unseen))

    schedule = Schedule(
        learning_rate=1e-2, weight_decay=1e-3, batch_size=len(units), epochs=500, patience=50, seed=seed
    )
    train(network, units, direct_rank_loss, schedule, value=value)
    numbers, levels = (torch.from_numpy(values) for values in encoding.encode(DesignMatrix.of(X)))
    with torch.no_grad():
        scores: NDArray[np.float32] = network(numbers, levels)[:, 0].numpy()
    return scores


def direct_rank_loss(outputs: Tensor, units: Units) -> Tensor:
    """Extra cost over gain of treating with the weights exp(tanh(s)), which sum to 1 in either arm."""
    weight = outputs[:, 0].tanh().exp()
    treated = units.arm == 1
    share = torch.where(treated, weight / weight[treated].sum(), -weight / weight[~treated].sum())
    extra_cost, gain = ((share * values).sum() for values in (units.cost, units.outcome))
    return extra_cost / gain.clamp(min=SMALLEST_GAIN)
