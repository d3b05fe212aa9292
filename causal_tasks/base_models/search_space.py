"""Ranges from which tuning draws the parameters of a model."""

from dataclasses import dataclass

from causal_tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class Range:
    """Values a parameter may take while a model is tuned.

    Attributes:
        low: Smallest value.
        high: Largest value; whole numbers are drawn where both bounds are whole. Equal to ``low`` it fixes the value.
        log: Whether equal ratios are equally likely, not equal differences.

    Raises:
        InputError: ``low`` is above ``high``, or not above 0 where ``log`` is true.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise InputError(f"low {self.low:g} is above high {self.high:g}", remedy="swap them")
        if self.log and self.low <= 0:
            raise InputError(
                f"low is {self.low:g}, where equal ratios are equally likely", remedy="begin above 0, or say log: false"
            )

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def nearest(self, value: float) -> float:
        """The value itself where it lies in the range, else the bound next to it."""
        return min(max(value, self.low), self.high)

    def edited(self, low: float, high: float, *, log: bool | None = None) -> "Range":
        """A range with other bounds, of whole numbers where this one is.

        Args:
            low: Smallest value.
            high: Largest value.
            log: As the attribute; None: as it is here.

        Raises:
            InputError: It is no range, or a bound is a fraction where only whole numbers are drawn.
        """
        by_ratio = self.log if log is None else log
        if not self.whole:
            return Range(float(low), float(high), by_ratio)
        if fractions := [bound for bound in (low, high) if bound != int(bound)]:
            raise InputError(f"bound {fractions[0]:g} is a fraction", remedy="this parameter takes whole numbers")
        return Range(int(low), int(high), by_ratio)
