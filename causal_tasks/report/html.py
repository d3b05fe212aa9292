"""The page: one file that needs nothing from outside, runs no script, prints, and reads on a phone."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from causal_tasks.experiment import Experiment
from causal_tasks.report.charts import NARROW, WIDE, Layout, curve_chart, forest_chart, to_svg
from causal_tasks.report.content import Content, tell
from causal_tasks.report.palette import INK, LINE, MUTED, PALETTES, STATUS_COLOURS
from causal_tasks.report.sections.ranking import Curve


@dataclass(frozen=True, slots=True)
class Picture:
    """One chart in two widths, as data addresses.

    As images the browser draws them in a document of their own, in which nothing can run.
    """

    wide: str
    narrow: str
    alt: str


@dataclass(frozen=True, slots=True)
class Edition:
    """The report in one language, with its pictures."""

    content: Content
    forest: Picture | None
    curves: tuple[tuple[Curve, Picture], ...]


def render_html(result: Mapping[str, Any]) -> str:
    """The report on ``result`` in the languages that the experiment asks for.

    Args:
        result: The content of ``result.json``.
    """
    experiment = Experiment.parse(result["experiment"], source="result.json")
    languages = tuple(dict.fromkeys(experiment.delivery.languages))
    editions = [_edition(tell(result, language)) for language in languages]
    style = (
        _environment()
        .get_template("report.css.jinja")
        .render(
            palette=PALETTES[experiment.delivery.theme],
            status=STATUS_COLOURS,
            ink=INK,
            muted=MUTED,
            line=LINE,
            languages=languages,
        )
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _environment().get_template("report.html.jinja").render(editions=editions, style=style, style_digest=digest)


def _edition(content: Content) -> Edition:
    forest = None
    if content.forest.rows:
        charts = [forest_chart(content.forest, layout, content.theme) for layout in (WIDE, NARROW)]
        forest = _picture(charts, content.text("forest.alt", title=content.forest.title))
    curves = tuple(
        (
            curve,
            _picture(
                [curve_chart(curve, content, layout) for layout in (WIDE, NARROW)],
                content.text("curve.alt", title=curve.title),
            ),
        )
        for curve in content.curves
    )
    return Edition(content, forest, curves)


def _picture(charts: list[Any], alt: str) -> Picture:
    wide, narrow = (_address(chart, layout) for chart, layout in zip(charts, (WIDE, NARROW), strict=True))
    return Picture(wide, narrow, alt)


def _address(chart: Any, layout: Layout) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(to_svg(chart, layout).encode()).decode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("causal_tasks.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
