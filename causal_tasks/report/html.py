"""The page: one file that needs nothing from outside, runs no script, prints, and reads on a phone."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from causal_tasks.experiment import Experiment
from causal_tasks.report.charts import HALF, NARROW, WIDE, Layout, curve_chart, forest_chart, to_svg, tuning_chart
from causal_tasks.report.content import Content, tell
from causal_tasks.report.palette import INK, LINE, MUTED, PALETTES, STATUS_COLOURS
from causal_tasks.report.sections.curves import Curve
from causal_tasks.report.sections.segments import by_treatment


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
    tuning: Picture | None


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
    return Edition(
        content=content,
        forest=_forest(content),
        curves=tuple((curve, _curve(content, curve)) for curve in content.curves),
        tuning=_tuning(content),
    )


def _forest(content: Content) -> Picture | None:
    forest = content.forest
    if not forest.rows:
        return None
    alt = content.text("forest.alt", title=forest.title)
    return _picture(lambda layout: forest_chart(forest, layout, content.theme), alt)


def _curve(content: Content, curve: Curve) -> Picture:
    """A curve of its own, or half as wide where curves of several treatments stand side by side."""
    alt = content.text("curve.alt", title=curve.title)
    wide = HALF if content.several_treatments else WIDE
    return _picture(lambda layout: curve_chart(curve, layout, content.theme), alt, wide=wide)


def _tuning(content: Content) -> Picture | None:
    tuning = content.tuning
    if tuning is None:
        return None
    alt = content.text("tuning.alt", title=tuning.title)
    return _picture(lambda layout: tuning_chart(tuning, layout, content.theme), alt)


def _picture(draw: Callable[[Layout], Any], alt: str, *, wide: Layout = WIDE) -> Picture:
    return Picture(_address(draw(wide), wide), _address(draw(NARROW), NARROW), alt)


def _address(chart: Any, layout: Layout) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(to_svg(chart, layout).encode()).decode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("causal_tasks.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["by_treatment"] = by_treatment
    return environment
