"""Colours that mean better or worse, by theme; all of them readable as text on white (contrast 4.5 or more)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one theme."""

    good: str
    bad: str
    unclear: str = "#5f6670"

    def of(self, tone: str) -> str:
        """The colour of ``good``, ``bad`` or ``unclear``."""
        return str(getattr(self, tone))


PALETTES = {
    "safe": Palette(good="#0b5cad", bad="#b45309"),
    "cn_market": Palette(good="#c0182b", bad="#0f766e"),
    "intl": Palette(good="#16703c", bad="#b3261e"),
}
STATUS_COLOURS = {"pass": "#16703c", "warn": "#a15c00", "fail": "#b3261e"}
INK, MUTED, LINE = "#1d232b", "#5f6670", "#d5dae1"
