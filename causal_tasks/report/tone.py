"""Whether an effect is good news."""

from collections.abc import Sequence


def tone_of(interval: Sequence[float | None] | None, sign: int) -> str:
    """Whether an effect is ``good``, ``bad`` or, where its interval holds zero or is missing, ``unclear``.

    Args:
        interval: In the metric's own unit.
        sign: ``Metric.sign``.
    """
    if not interval or interval[0] is None or interval[1] is None or interval[0] <= 0 <= interval[1]:
        return "unclear"
    return "good" if interval[0] * sign > 0 else "bad"
