"""The page on creative segments, of the same make as the one on subpopulations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.experiment import Experiment
from causal_tasks.report.charts import WIDE
from causal_tasks.report.charts.gains import gains_chart
from causal_tasks.report.html import languages_of, page_of
from causal_tasks.report.illustrations import Drawing, Picture
from causal_tasks.report.segments.charts import coefficients_chart, path_chart
from causal_tasks.report.segments.content import SegmentsContent, tell_segments


@dataclass(frozen=True, slots=True)
class SegmentsEdition:
    """The report in one language, with its pictures; None where nothing was learned.

    Attributes:
        content: The report.
        gains: Over other policies.
        coefficients: By segment; None where all are zero.
        path: Cross-validation.
    """

    content: SegmentsContent
    gains: Picture | None
    coefficients: tuple[Picture | None, ...]
    path: Picture | None


def render_segments_html(result: Mapping[str, Any]) -> str:
    """The report on creative segments in the languages that the experiment asks for.

    Args:
        result: The content of ``segments.json``.
    """
    delivery = Experiment.parse(result["experiment"], source="segments.json").delivery
    editions = [_edition(tell_segments(result, language)) for language in languages_of(delivery)]
    return page_of(editions, delivery, template="creatives")


def _edition(content: SegmentsContent) -> SegmentsEdition:
    draw = Drawing(content.theme, content.text)
    gains = content.value.gains if content.value else None
    path = content.selection.path if content.selection else None
    return SegmentsEdition(
        content,
        gains=draw.both(gains_chart, gains, "creatives.gains", wide=WIDE.fitting(bar.numbers for bar in gains.bars))
        if gains
        else None,
        coefficients=tuple(
            draw.one(coefficients_chart, profile.coefficients, "creatives.coefficients")
            if profile.coefficients
            else None
            for profile in content.profiles
        ),
        path=draw.both(path_chart, path, "creatives.path") if path else None,
    )
