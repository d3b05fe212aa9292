"""Ranges from which tuning draws the parameters of a model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """Values a parameter may take while a model is tuned.

    Attributes:
        low: Smallest value.
        high: Largest value; whole numbers are drawn where both bounds are whole.
        log: Whether equal ratios are equally likely, not equal differences.
    """

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)
