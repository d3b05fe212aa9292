"""Effects in words, and the section on average effects."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.text import Catalog
from causal_tasks.report.tone import tone_of

_UNUSUAL = frozenset({"did", "matching"})
"""Headlined estimators of which a reader must know before the number."""


@dataclass(frozen=True, slots=True)
class ShownEffect:
    """An effect as it is read.

    Attributes:
        estimate: Signed, with unit.
        interval: ``[low, high]`` without unit.
        relative: Signed per cent of the control mean; None where that means nothing.
        tone: ``good``, ``bad`` or ``unclear``: the colour.
        arrow: Whether the number rises or falls; flat where unclear.
        word: The tone as a word.
        value: The estimate as a number, None where there is none.
        bounds: The interval as numbers, None where there is none.
    """

    estimate: str
    interval: str
    relative: str | None
    tone: str
    arrow: str
    word: str
    value: float | None
    bounds: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class MetricRow:
    """The average effect of one treatment on one metric; ``name`` is the metric's own, ``metric`` the one to show."""

    name: str
    metric: str
    treatment: str
    role: str
    is_primary: bool
    headline: str
    method: str
    effect: ShownEffect
    control_mean: str
    n: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overall:
    """Average effects.

    Attributes:
        sentence: On the primary metric; with several treatments it says only what is compared.
        method: How the primary metric's effect was estimated where that is not the usual way; else empty.
        rows: Every metric by every treatment, the primary metric first.
        note: On whom and how it was measured.
        remarks: What a reader must know of single metrics.
    """

    sentence: str
    method: str
    rows: tuple[MetricRow, ...]
    note: str
    remarks: tuple[str, ...]

    @property
    def primary(self) -> tuple[MetricRow, ...]:
        """The rows of the primary metric, by treatment."""
        return tuple(row for row in self.rows if row.is_primary)

    @property
    def by_metric(self) -> tuple[tuple[MetricRow, ...], ...]:
        """The rows of each metric, by treatment."""
        return tuple(tuple(rows) for _, rows in groupby(self.rows, key=lambda row: row.name))


def show_effect(briefing: Briefing, metric: str, effect: Mapping[str, Any], *, relative: bool = True) -> ShownEffect:
    """An effect record in words.

    Args:
        briefing: The result and its language.
        metric: Name of the metric that it is on.
        effect: With ``estimate``, ``interval`` and, if any, ``relative``, in the metric's own unit.
        relative: Whether to tell the relative effect.
    """
    sign = briefing.metric(metric).sign
    return effect_in(briefing.text, briefing.format(metric), effect, sign=sign, relative=relative)


def effect_in(
    text: Catalog,
    shown: numbers.MetricFormat,
    effect: Mapping[str, Any],
    *,
    sign: int = 1,
    relative: bool = False,
) -> ShownEffect:
    """An effect record in words, where no experiment's statement says how its metric is written.

    Args:
        text: The catalogue of the reader's language.
        shown: How values of the metric are written.
        effect: As for ``show_effect``.
        sign: ``Metric.sign``.
        relative: Whether to tell the relative effect.
    """
    interval, estimate = effect["interval"], effect["estimate"]
    tone = tone_of(interval, sign)
    known = interval and interval[0] is not None and interval[1] is not None
    direction = "flat" if tone == "unclear" or not estimate else "up" if estimate > 0 else "down"
    share = effect.get("relative") if relative else None
    return ShownEffect(
        estimate=shown.difference(estimate, numbers.half_width(interval)),
        interval=shown.interval(interval),
        relative=numbers.percent(share, signed=True) if share is not None else None,
        tone=tone,
        arrow=text(f"words.{direction}"),
        word=text(f"words.{tone}"),
        value=estimate,
        bounds=(float(interval[0]), float(interval[1])) if known else None,
    )


def tell_overall(briefing: Briefing) -> Overall:
    """The section on average effects."""
    roles, metrics = ("primary", "guardrail", "diagnostic"), [metric.name for metric in briefing.experiment.metrics]
    measured = sorted(
        briefing.result["effects"], key=lambda record: (roles.index(record["role"]), metrics.index(record["metric"]))
    )
    rows = tuple(_row(briefing, record) for record in measured)
    primary = [row for row in rows if row.is_primary]
    several = briefing.text("overall.several", metric=primary[0].metric, control=briefing.experiment.control)
    sentence = several if briefing.several_treatments else _sentence(briefing, primary[0])
    unusual = _headline(measured[0]) if _headline(measured[0]) in _UNUSUAL else None
    method = briefing.text(f"overall.{unusual}") if unusual else ""
    remarks = dict.fromkeys(
        briefing.text("words.of_arm", arm=row.metric, value=briefing.text("words.semicolon").join(row.notes))
        for row in rows
        if row.notes
    )
    return Overall(sentence, method, rows, _note(briefing, rows), tuple(remarks))


def in_words(briefing: Briefing, notes: Iterable[str]) -> tuple[str, ...]:
    """Notes of an effect, ``code`` or ``code: value``, as phrases; one that no catalogue knows is shown as it is."""
    told = []
    for note in notes:
        code, _, value = note.partition(": ")
        value = re.sub(r"^-(?=[\d.]+$)", "\N{MINUS SIGN}", value)
        key = f"effect_note.{code}"
        told.append(briefing.text(key, value=value) if key in briefing.text.sentences else note)
    return tuple(told)


def method_name(briefing: Briefing, method: str) -> str:
    """The name of an estimator, as its field calls it."""
    key = f"method.{method}"
    return briefing.text(key) if key in briefing.text.sentences else method


def _headline(record: Mapping[str, Any]) -> str:
    """Which estimator is headlined; results before schema version 3 did not say."""
    return str(record.get("headline") or record["effect"]["method"])


def _note(briefing: Briefing, rows: Sequence[MetricRow]) -> str:
    """On whom effects are, and which metrics each estimator answers for where there are several of them."""
    methods: dict[str, dict[str, None]] = {}
    for row in rows:
        methods.setdefault(row.method, {})[row.metric] = None
    text = briefing.text
    if len(methods) == 1:
        said = next(iter(methods))
    else:
        said = text("words.semicolon").join(
            text("overall.by_metric", method=method, metrics=text("words.comma").join(metrics))
            for method, metrics in methods.items()
        )
    matched = all(row.headline == "matching" for row in rows)
    return text("overall.note_matched" if matched else "overall.note", methods=said)


def _row(briefing: Briefing, record: Mapping[str, Any]) -> MetricRow:
    effect, metric = record["effect"], record["metric"]
    shown = show_effect(briefing, metric, effect)
    return MetricRow(
        name=metric,
        metric=briefing.metric_name(metric),
        treatment=record["treatment"],
        role=briefing.text(f"role.{record['role']}"),
        is_primary=record["role"] == "primary",
        headline=_headline(record),
        method=method_name(briefing, effect["method"]),
        effect=shown,
        control_mean=briefing.format(metric).level(effect["control_mean"], numbers.half_width(effect["interval"])),
        n=f"{numbers.count(effect['n_control'])} / {numbers.count(effect['n_treatment'])}",
        notes=in_words(briefing, effect["notes"]),
    )


def _sentence(briefing: Briefing, row: MetricRow) -> str:
    return briefing.text(
        "overall.sentence_relative" if row.effect.relative else "overall.sentence",
        treatment=row.treatment,
        control=briefing.experiment.control,
        metric=row.metric,
        relative=row.effect.relative,
        conclusion=briefing.text(f"overall.{row.effect.tone}"),
    )
