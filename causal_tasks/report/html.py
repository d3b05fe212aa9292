"""The page: one file that needs nothing from outside, runs no script, prints, and reads on a phone."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from causal_tasks.experiment import Delivery, Experiment
from causal_tasks.report.content import Content, tell
from causal_tasks.report.illustrations import Illustrations, illustrate
from causal_tasks.report.palette import INK, LINE, MUTED, PALETTES, STATUS_COLOURS
from causal_tasks.report.sections.rules import by_treatment
from causal_tasks.rule import Language


@dataclass(frozen=True, slots=True)
class Edition:
    """The report in one language, with its pictures."""

    content: Content
    pictures: Illustrations


def render_html(result: Mapping[str, Any]) -> str:
    """The report on ``result`` in the languages that the experiment asks for.

    Args:
        result: The content of ``result.json``.
    """
    experiment = Experiment.parse(result["experiment"], source="result.json")
    contents = [tell(result, language) for language in languages_of(experiment.delivery)]
    return page_of([Edition(content, illustrate(content)) for content in contents], experiment.delivery)


def languages_of(delivery: Delivery) -> tuple[Language, ...]:
    """The languages of a report, each once."""
    return tuple(dict.fromkeys(delivery.languages))


def page_of(editions: Sequence[Any], delivery: Delivery, *, template: str = "report") -> str:
    """The page that holds these editions, of which a reader sees one at a time.

    Args:
        editions: With ``content`` and ``pictures`` as the template reads them, one for each of ``languages_of``.
        delivery: For languages and colours.
        template: Name of the page's template.
    """
    style = (
        _environment()
        .get_template("report.css.jinja")
        .render(
            palette=PALETTES[delivery.theme],
            status=STATUS_COLOURS,
            ink=INK,
            muted=MUTED,
            line=LINE,
            languages=languages_of(delivery),
        )
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = _environment().get_template(f"{template}.html.jinja")
    return page.render(editions=editions, style=style, style_digest=digest)


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
