"""What a forecaster knows of a unit, as numbers in which units that are alike lie close together."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from causal_tasks.allocation.networks.forecaster import Forecaster
from causal_tasks.base_models import DesignMatrix

Numbers = NDArray[np.float32]
Representation = Literal["hidden", "uplift"]


def represent(forecaster: Forecaster, chunk: DesignMatrix, on: Representation) -> Numbers:
    """A few rows as a forecaster sees them.

    Args:
        forecaster: Fitted.
        chunk: n rows.
        on: ``hidden``: the last hidden layer, or the encoded features where there is none; ``uplift``: what every
            treatment is predicted to bring, then to cost, beyond the control.

    Returns:
        Shape (n, units of the layer) or (n, 2 (M - 1)).
    """
    numbers, levels = (torch.from_numpy(values).to(forecaster.device) for values in forecaster.encoding.encode(chunk))
    with torch.no_grad():
        if on == "hidden":
            represented = forecaster.network.represent(numbers, levels)
        else:
            means = forecaster.scales.forecast(forecaster.network(numbers, levels))
            represented = torch.cat([each[:, 1:] - each[:, :1] for each in means], dim=1)
    found: Numbers = represented.float().cpu().numpy()
    return found


def closeness(represented: Numbers, on: Representation, *, price: float) -> Numbers:
    """What to multiply each number by before distances are taken, shape (d,).

    Units of a hidden layer have no scale of their own: each is divided by its standard deviation. Uplifts are compared
    in outcome units, costs at the price of money, so that what lies close together has much the same best arm.

    Args:
        represented: Shape (n, d), of the units that clusters are learned from.
        on: As for ``represent``.
        price: Outcome units for a unit of cost.
    """
    if on == "uplift":
        treatments = represented.shape[1] // 2
        return np.repeat(np.array([1.0, price], dtype=np.float32), treatments)
    deviation = represented.std(axis=0)
    weight: Numbers = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    return weight
