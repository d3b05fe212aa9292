"""The page on an allocation, of the same make as the one on subpopulations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.experiment import Experiment
from causal_tasks.report.allocation.charts import shares_chart, spending_chart
from causal_tasks.report.allocation.content import AllocationContent, tell_allocation
from causal_tasks.report.html import languages_of, page_of
from causal_tasks.report.illustrations import Drawing, Picture


@dataclass(frozen=True, slots=True)
class AllocationEdition:
    """The report in one language, with its pictures; None where nothing was allocated."""

    content: AllocationContent
    spending: Picture | None
    shares: Picture | None


def render_allocation_html(result: Mapping[str, Any]) -> str:
    """The report on an allocation in the languages that the experiment asks for.

    Args:
        result: The content of ``allocation.json``.
    """
    delivery = Experiment.parse(result["experiment"], source="allocation.json").delivery
    editions = [_edition(tell_allocation(result, language)) for language in languages_of(delivery)]
    return page_of(editions, delivery, template="allocation")


def _edition(content: AllocationContent) -> AllocationEdition:
    draw = Drawing(content.theme, content.text)
    return AllocationEdition(
        content,
        spending=draw.both(spending_chart, content.spending, "allocation.curve") if content.spending else None,
        shares=draw.both(shares_chart, content.shares, "allocation.arms") if content.shares else None,
    )
