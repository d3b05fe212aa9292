"""The pictures of the page: every chart drawn for a desk and, where it would get too small, for a phone."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from causal_tasks.report.charts import (
    HALF,
    NARROW,
    TILE,
    WIDE,
    Layout,
    calibration_chart,
    curve_chart,
    drivers_chart,
    event_study_chart,
    forest_chart,
    groups_chart,
    love_chart,
    overlap_chart,
    policy_chart,
    to_svg,
    toc_chart,
    tuning_chart,
)
from causal_tasks.report.content import Content
from causal_tasks.report.text import Catalog


@dataclass(frozen=True, slots=True)
class Picture:
    """One chart as data addresses, for a wide screen and, where it differs, for a narrow one.

    As images the browser draws them in a document of their own, in which nothing can run.
    """

    wide: str
    narrow: str | None
    alt: str


@dataclass(frozen=True, slots=True)
class Tests:
    """The pictures on heterogeneity of one treatment."""

    toc: Picture | None
    groups: Picture | None
    calibration: Picture | None


@dataclass(frozen=True, slots=True)
class Illustrations:
    """Every picture of one edition, in the order of the sections that they belong to."""

    forest: Picture | None
    policies: tuple[Picture, ...]
    balance: tuple[tuple[Picture, Picture], ...]
    studies: tuple[Picture, ...]
    heterogeneity: tuple[Tests, ...]
    curves: tuple[Picture, ...]
    drivers: tuple[Picture | None, ...]
    tuning: Picture | None


def illustrate(content: Content) -> Illustrations:
    """Draw every chart that ``content`` has numbers for."""
    draw = Drawing(content.theme, content.text)
    forest, tuning = content.forest, content.tuning
    studies = content.differences.studies if content.differences else ()
    curve_width = HALF if content.several_treatments else WIDE
    return Illustrations(
        forest=draw.both(forest_chart, forest, "forest", wide=_beside(forest.rows)) if forest.rows else None,
        policies=tuple(draw.both(policy_chart, told, "policy", wide=_beside(told.bars)) for told in content.policies),
        balance=tuple(
            (draw.both(love_chart, told, "balance"), draw.one(overlap_chart, told, "overlap", HALF))
            for told in content.balance
        ),
        studies=tuple(draw.both(event_study_chart, told, "event_study") for told in studies),
        heterogeneity=tuple(
            Tests(
                toc=draw.one(toc_chart, found.toc, "toc") if found.toc else None,
                groups=draw.one(groups_chart, found.groups, "groups") if found.groups else None,
                calibration=draw.one(calibration_chart, found.calibration, "calibration")
                if found.calibration
                else None,
            )
            for found in content.heterogeneity
        ),
        curves=tuple(draw.both(curve_chart, told, "curve", wide=curve_width) for told in content.curves),
        drivers=tuple(
            draw.both(drivers_chart, told, "drivers", wide=_beside(told.bars)) if told.bars else None
            for told in content.drivers
        ),
        tuning=draw.both(tuning_chart, tuning, "tuning") if tuning else None,
    )


class _Numbered(Protocol):
    @property
    def numbers(self) -> str: ...


def _beside(rows: Sequence[_Numbered]) -> Layout:
    """A wide layout with room for the numbers of these rows."""
    return WIDE.fitting(row.numbers for row in rows)


class _Titled(Protocol):
    @property
    def title(self) -> str: ...


Told = TypeVar("Told", bound=_Titled)
Chart = Callable[[Told, Layout, str], Any]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Draws in the theme and language of one edition; the alternative text of a chart is its title."""

    theme: str
    text: Catalog

    def both(self, chart: Chart[Told], told: Told, kind: str, *, wide: Layout = WIDE) -> Picture:
        """For a desk and for a phone."""
        return Picture(self._address(chart, told, wide), self._address(chart, told, NARROW), self._alt(kind, told))

    def one(self, chart: Chart[Told], told: Told, kind: str, layout: Layout = TILE) -> Picture:
        """One for both."""
        return Picture(self._address(chart, told, layout), None, self._alt(kind, told))

    def _address(self, chart: Chart[Told], told: Told, layout: Layout) -> str:
        from altair.utils.schemapi import debug_mode

        # Checking marks against the schema is for whoever writes a chart; here it would take a quarter of the time.
        with debug_mode(False):
            svg = to_svg(chart(told, layout, self.theme), layout)
        return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()

    def _alt(self, kind: str, told: _Titled) -> str:
        return self.text(f"{kind}.alt", title=told.title)
