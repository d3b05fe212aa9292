"""Readable cut points: the roundest number that sends almost the same users left and right."""

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray


def round_cut(values: NDArray[Any], cut: float, *, tolerance: float) -> float:
    """The number with the coarsest decimal step that splits ``values`` like ``cut`` does, up to ``tolerance``.

    A number splits values into those at most as large and those larger. Zero is the roundest number of all, then come
    multiples of a power of ten; of several equally round ones the nearest to ``cut`` is taken. Even without tolerance
    there is a choice: any number between two neighbouring values splits alike.

    Args:
        values: Shape (n,), numbers without missing values, compared in their own precision.
        cut: Where the tree cut them; a cut with all values on one side is returned as it is.
        tolerance: Largest share of ``values`` that may change sides; one value at least stays on either side.
    """
    values = values.astype(np.int8) if values.dtype == bool else values
    below = int((values <= np.float64(cut)).sum())
    if not 0 < below < len(values):
        return cut
    slack = int(tolerance * len(values))
    first, last = max(below - 1 - slack, 0), min(below + slack, len(values) - 1)
    ordered = np.partition(values, (first, last))
    low, high = _as_written(ordered[first]), _as_written(ordered[last])
    rounded = float(_roundest(low, high, near=Decimal(float(cut))))
    # Between neighbours in single precision a decimal may be equal to the upper one when it is compared.
    return rounded if ordered[first] <= rounded < ordered[last] else float(low)


def _as_written(value: Any) -> Decimal:
    """The shortest decimal that stands for ``value`` in its own precision."""
    return Decimal(str(value))


def _roundest(low: Decimal, high: Decimal, *, near: Decimal) -> Decimal:
    """The multiple of the largest power of ten in [low, high) that is nearest to ``near``."""
    if low <= 0 < high:
        return Decimal(0)
    step = Decimal(1).scaleb(max(low.copy_abs(), high.copy_abs()).adjusted())
    while True:
        smallest = (low / step).to_integral_value(ROUND_CEILING)
        largest = (high / step).to_integral_value(ROUND_CEILING) - 1
        if smallest <= largest:
            nearest = (near / step).to_integral_value(ROUND_HALF_EVEN)
            return min(max(nearest, smallest), largest) * step
        step = step.scaleb(-1)
