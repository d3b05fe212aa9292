"""Numbers as a reader expects them: units, per cent and percentage points apart, digits that the interval supports."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from causal_tasks.experiment import Metric
from causal_tasks.rule import Language

MISSING = "—"
_MINUS = "\N{MINUS SIGN}"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_POINTS: dict[Language, str] = {"zh": "个百分点", "en": "pp"}


def fixed(value: float | None, decimals: int, *, signed: bool = False) -> str:
    """``value`` with thousands separators and a typographic minus; a zero has no sign."""
    if value is None:
        return MISSING
    text = f"{value:+,.{decimals}f}" if signed else f"{value:,.{decimals}f}"
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")
    return text.replace("-", _MINUS)


def decimals_for(spread: float | None) -> int:
    """Decimals that keep two significant digits of ``spread``, at least 0 and at most 6."""
    if not spread or not math.isfinite(spread):
        return 2
    return min(6, max(0, 1 - math.floor(math.log10(abs(spread)))))


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return fixed(value, 0)


def percent(share: float | None, decimals: int = 1, *, signed: bool = False) -> str:
    """A share as per cent; a positive share too small to show reads ``<0.1%``."""
    if share is None:
        return MISSING
    smallest = 10.0**-decimals
    if not signed and 0 < 100 * share < smallest / 2:
        return f"<{smallest:.{decimals}f}%"
    return f"{fixed(100 * share, decimals, signed=signed)}%"


def probability(value: float | None) -> str:
    """A p-value or q-value with three decimals, never a bare zero."""
    if value is None:
        return MISSING
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def p_equals(value: float | None) -> str:
    """A p-value as an equation: ``p = 0.520``, ``p < 0.001``, ``p = —``."""
    shown = probability(value)
    return f"p {shown[0]} {shown[1:]}" if shown.startswith("<") else f"p = {shown}"


def calendar_day(day: date, language: Language) -> str:
    """A day as it is written in ``language``."""
    if language == "zh":
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


@dataclass(frozen=True, slots=True)
class MetricFormat:
    """How values of one metric are written in one language.

    Attributes:
        language: Of the reader.
        unit: After a number; empty where the metric has none.
        percent: Whether the metric is a share, so that levels are per cent and differences percentage points.
    """

    language: Language
    unit: str
    percent: bool

    @classmethod
    def of(cls, metric: Metric, language: Language) -> "MetricFormat":
        """The format of ``metric``: shares for ``any``, the metric's unit for everything else."""
        return cls(language, metric.unit.get(language, ""), percent=metric.aggregate == "any" and not metric.is_ratio)

    @property
    def scale(self) -> int:
        """By what a difference is multiplied to be written in its unit."""
        return 100 if self.percent else 1

    def level(self, value: float | None, spread: float | None = None) -> str:
        """A mean, with digits fit for ``spread``."""
        if value is None:
            return MISSING
        if self.percent:
            return percent(value, max(1, decimals_for(100 * spread if spread else None)))
        return self._with_unit(fixed(value, decimals_for(spread or value or None)))

    def difference(self, value: float | None, spread: float | None = None) -> str:
        """A difference, signed, with digits fit for ``spread``."""
        return MISSING if value is None else self._with_unit(self.signed(value, spread))

    def signed(self, value: float, spread: float | None = None) -> str:
        """The same without unit, for where an axis or a heading names it."""
        return fixed(self.scale * value, decimals_for(self.scale * (spread or value)), signed=True)

    def size(self, value: float | None) -> str:
        """A difference without its sign, for "an effect of at least …"."""
        if value is None:
            return MISSING
        scaled = self.scale * abs(value)
        return self._with_unit(fixed(scaled, decimals_for(scaled)))

    def range(self, bounds: Sequence[float], spread: float | None = None) -> str:
        """``[low, high]`` of a mean without unit, with the digits that :meth:`level` uses for the same spread."""
        digits = decimals_for(self.scale * (spread or half_width(bounds)))
        digits = max(1, digits) if self.percent else digits
        return "[" + ", ".join(fixed(self.scale * bound, digits) for bound in bounds) + "]"

    def estimated(self, estimate: Mapping[str, Any]) -> str:
        """A mean with its interval, such as ``3.21 orders [3.15, 3.27]``."""
        bounds = estimate["interval"]
        return f"{self.level(estimate['estimate'], half_width(bounds))} {self.range(bounds)}"

    def interval(self, bounds: Sequence[float | None] | None) -> str:
        """``[low, high]`` without unit, with the digits that :meth:`difference` uses for the same spread.

        A bound that is not zero never reads zero: that would hide on which side of it the interval lies.
        """
        if not bounds or bounds[0] is None or bounds[1] is None:
            return MISSING
        digits = _telling_zero_apart(bounds, self.scale, decimals_for(self.scale * half_width(bounds)))
        return "[" + ", ".join(fixed(self.scale * bound, digits, signed=True) for bound in (bounds[0], bounds[1])) + "]"

    def _with_unit(self, number: str) -> str:
        unit = _POINTS[self.language] if self.percent else self.unit
        return f"{number} {unit}" if unit else number


def half_width(bounds: Sequence[float | None] | None) -> float:
    """Half the width of an interval, 0 where a bound is missing."""
    if not bounds or bounds[0] is None or bounds[1] is None:
        return 0.0
    return (bounds[1] - bounds[0]) / 2


def _telling_zero_apart(bounds: Sequence[float | None], factor: float, digits: int) -> int:
    nearest = min((abs(factor * bound) for bound in bounds if bound), default=1.0)
    while digits < 6 and round(nearest, digits) == 0:
        digits += 1
    return digits
