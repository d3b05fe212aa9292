"""The page on a feed's day, of the same make as the one on subpopulations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.experiment import Delivery
from causal_tasks.report.charts import WIDE
from causal_tasks.report.charts.gains import gains_chart
from causal_tasks.report.dynamic.charts import threshold_chart
from causal_tasks.report.dynamic.content import DayContent, tell_day
from causal_tasks.report.html import languages_of, page_of
from causal_tasks.report.illustrations import Drawing, Picture


@dataclass(frozen=True, slots=True)
class DayEdition:
    """The report in one language, with its pictures.

    Attributes:
        content: The report.
        gains: Over other ways to decide.
        curves: Value by threshold.
    """

    content: DayContent
    gains: Picture
    curves: tuple[Picture, ...]


def render_day_html(result: Mapping[str, Any]) -> str:
    """The report on a feed's day in the languages that the feed asks for.

    Args:
        result: The content of the day's ``result.json``.
    """
    delivery = Delivery.model_validate(result["feed"]["delivery"])
    editions = [_edition(tell_day(result, language)) for language in languages_of(delivery)]
    return page_of(editions, delivery, template="realtime")


def _edition(content: DayContent) -> DayEdition:
    draw = Drawing(content.theme, content.text)
    gains = content.value.gains
    wide = WIDE.fitting(bar.numbers for bar in gains.bars)
    return DayEdition(
        content,
        gains=draw.both(gains_chart, gains, "realtime.gains", wide=wide),
        curves=tuple(draw.one(threshold_chart, curve, "realtime.curve") for curve in content.switching.curves),
    )
