"""The forest plot's content: one row for each group of users, on one scale."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.effects import Overall, ShownEffect
from causal_tasks.report.sections.rules import Segment
from causal_tasks.report.sections.segments import Segments


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One group of users.

    Attributes:
        treatment: Named where there are several.
        label: Who they are.
        numbers: Effect and interval as text.
        estimate: In the unit of the axis.
        low: Lower bound, same unit.
        high: Upper bound, same unit.
        adjusted: The interval adjusted for the choice among rules, same unit; None where there is none.
        shrunken: The effect to expect when it is repeated, same unit; None where it is not known.
        tone: ``good``, ``bad`` or ``unclear``.
        is_solid: Whether the estimate is well supported.
        is_supported: Whether it is at least promising.
    """

    treatment: str | None
    label: str
    numbers: str
    estimate: float
    low: float
    high: float
    adjusted: tuple[float, float] | None
    shrunken: float | None
    tone: str
    is_solid: bool
    is_supported: bool


@dataclass(frozen=True, slots=True)
class Forest:
    """The forest plot; without rows where no effect could be estimated.

    Attributes:
        title: What it says, in one sentence.
        axis: Of the horizontal axis.
        rows: By treatment, groups from most helped to most harmed, all users last.
        reference: The overall effect; None where there are several treatments.
        legend: What points, lines and colours mean.
    """

    title: str
    axis: str
    rows: tuple[ForestRow, ...]
    reference: float | None
    legend: str

    def brief(self) -> "Forest":
        """The same without rules that are not supported where several treatments make it long."""
        kept = tuple(row for row in self.rows if row.is_supported or row.treatment is None)
        return replace(self, rows=kept)


def tell_forest(briefing: Briefing, segments: Segments, overall: Overall) -> Forest:
    """The forest plot of every reported rule and of all users."""
    primary = briefing.experiment.primary.name
    unit = briefing.axis_unit(primary)
    return Forest(
        title=_title(briefing, segments),
        axis=briefing.text(
            "forest.axis" if unit else "forest.axis_plain", metric=briefing.metric_name(primary), unit=unit
        ),
        rows=tuple(_rows(briefing, segments, overall)),
        reference=_reference(briefing, overall),
        legend=briefing.text(
            "forest.legend",
            reference="" if briefing.several_treatments else briefing.text("forest.reference"),
            adjusted=briefing.text("forest.adjusted") if any(s.fcr_bounds for s in segments.shown) else "",
            shrunken=briefing.text("forest.shrunken") if any(s.shrunken for s in segments.shown) else "",
            colours=briefing.text(f"forest.colours.{briefing.experiment.delivery.theme}"),
        ),
    )


def _rows(briefing: Briefing, segments: Segments, overall: Overall) -> Iterator[ForestRow]:
    """Of each treatment the groups, most helped first, then all users; without those that have no estimate."""
    primary = briefing.experiment.primary
    scale = briefing.format(primary.name).scale
    for measured in overall.primary:
        treatment = measured.treatment if briefing.several_treatments else None
        groups = [segment for segment in segments.shown if segment.treatment == treatment]
        rows = [_segment_row(briefing, segment, scale) for segment in groups]
        yield from sorted((row for row in rows if row), key=lambda row: -primary.sign * row.estimate)
        everyone = _row(treatment, briefing.text("words.all_users"), measured.effect, scale, "confirmed")
        if everyone:
            yield everyone


def _reference(briefing: Briefing, overall: Overall) -> float | None:
    """The overall effect in the unit of the axis, where there is one and only one."""
    estimates = [row.effect.value for row in overall.primary if row.effect.value is not None and row.effect.bounds]
    if briefing.several_treatments or not estimates:
        return None
    return briefing.format(briefing.experiment.primary.name).scale * estimates[0]


def _segment_row(briefing: Briefing, segment: Segment, scale: float) -> ForestRow | None:
    label = briefing.text("forest.segment_row", words=segment.who, share=segment.share)
    row = _row(segment.treatment, label, segment.effect, scale, segment.grade)
    adjusted = segment.fcr_bounds and (scale * segment.fcr_bounds[0], scale * segment.fcr_bounds[1])
    shrunken = None if segment.shrunken_value is None else scale * segment.shrunken_value
    return row and replace(row, adjusted=adjusted, shrunken=shrunken)


def _row(treatment: str | None, label: str, effect: ShownEffect, scale: float, grade: str) -> ForestRow | None:
    if effect.value is None or effect.bounds is None:
        return None
    low, high = effect.bounds
    return ForestRow(
        treatment=treatment,
        label=label,
        numbers=f"{effect.arrow} {effect.estimate} {effect.interval}",
        estimate=scale * effect.value,
        low=scale * low,
        high=scale * high,
        adjusted=None,
        shrunken=None,
        tone=effect.tone,
        is_solid=grade == "confirmed",
        is_supported=grade != "not_supported",
    )


def _title(briefing: Briefing, segments: Segments) -> str:
    kinds = {segment.kind for segment in segments.confirmed}
    if not segments.mined:
        return briefing.text("forest.overall")
    if len(kinds) == 2:
        return briefing.text("forest.both")
    if kinds:
        return briefing.text(f"forest.{kinds.pop()}", who=_who(briefing, segments.confirmed[0]))
    return briefing.text("forest.leads_only" if segments.promising else "forest.nothing")


def _who(briefing: Briefing, segment: Segment) -> str:
    if segment.treatment is None:
        return segment.who
    return briefing.text("verdict.who_in_arm", who=segment.who, arm=segment.treatment)
