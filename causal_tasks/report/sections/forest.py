"""The forest plot's content: one row for each group of users, on one scale."""

from dataclasses import dataclass

from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.effects import Overall, ShownEffect
from causal_tasks.report.sections.segments import Segment, Segments


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One group of users.

    Attributes:
        label: Who they are.
        numbers: Effect and interval as text.
        estimate: In the unit of the axis.
        low: Lower bound, same unit.
        high: Upper bound, same unit.
        tone: ``good``, ``bad`` or ``unclear``.
        is_solid: Whether the estimate is well supported.
    """

    label: str
    numbers: str
    estimate: float
    low: float
    high: float
    tone: str
    is_solid: bool


@dataclass(frozen=True, slots=True)
class Forest:
    """The forest plot; without rows where no effect could be estimated.

    Attributes:
        title: What it says, in one sentence.
        axis: Of the horizontal axis.
        rows: Groups from most helped to most harmed, all users last.
        reference: The overall effect; None where there are several treatments.
        legend: What points, lines and colours mean.
    """

    title: str
    axis: str
    rows: tuple[ForestRow, ...]
    reference: float | None
    legend: str


def tell_forest(briefing: Briefing, segments: Segments, overall: Overall) -> Forest:
    """The forest plot of every reported rule and of all users."""
    metric = briefing.format(briefing.experiment.primary.name)
    scale = 100 if metric.percent else 1
    sign = briefing.experiment.primary.sign
    unit = briefing.text("forest.percent_unit") if metric.percent else metric.unit
    groups = [
        row
        for segment in segments.shown
        if (row := _row(_label(briefing, segment), segment.effect, scale, solid=segment.grade == "confirmed"))
    ]
    everyone = [
        row
        for measured in overall.primary
        if (row := _row(_everyone(briefing, measured.treatment), measured.effect, scale, solid=True))
    ]
    name = briefing.metric_name(briefing.experiment.primary.name)
    return Forest(
        title=_title(briefing, segments),
        axis=briefing.text("forest.axis" if unit else "forest.axis_plain", metric=name, unit=unit),
        rows=(*sorted(groups, key=lambda row: -sign * row.estimate), *everyone),
        reference=everyone[0].estimate if everyone and not briefing.several_treatments else None,
        legend=briefing.text(
            "forest.legend",
            reference="" if briefing.several_treatments else briefing.text("forest.reference"),
            colours=briefing.text(f"forest.colours.{briefing.experiment.delivery.theme}"),
        ),
    )


def _row(label: str, effect: ShownEffect, scale: float, *, solid: bool) -> ForestRow | None:
    if effect.value is None or effect.bounds is None:
        return None
    low, high = effect.bounds
    return ForestRow(
        label=label,
        numbers=f"{effect.arrow} {effect.estimate} {effect.interval}",
        estimate=scale * effect.value,
        low=scale * low,
        high=scale * high,
        tone=effect.tone,
        is_solid=solid,
    )


def _label(briefing: Briefing, segment: Segment) -> str:
    words = briefing.text("forest.segment_row", words=segment.who, share=segment.share)
    return f"{segment.treatment}: {words}" if segment.treatment else words


def _everyone(briefing: Briefing, treatment: str) -> str:
    words = briefing.text("words.all_users")
    return f"{treatment}: {words}" if briefing.several_treatments else words


def _title(briefing: Briefing, segments: Segments) -> str:
    kinds = {segment.kind for segment in segments.confirmed}
    if not segments.mined:
        return briefing.text("forest.overall")
    if len(kinds) == 2:
        return briefing.text("forest.both")
    if kinds:
        return briefing.text(f"forest.{kinds.pop()}", who=segments.confirmed[0].who)
    return briefing.text("forest.leads_only" if segments.promising else "forest.nothing")
