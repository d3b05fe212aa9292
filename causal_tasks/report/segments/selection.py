"""How the penalty was chosen, how exact the fit is, and whether exposure was balanced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.segments.briefing import SegmentsBriefing

PER_USERS = 1_000
"""Users for whom held-out log-likelihood is told."""

_MOST_BALANCE = 8
"""Rows of the table of differences in exposure."""


@dataclass(frozen=True, slots=True)
class PathPoint:
    """One penalty of the path.

    Attributes:
        share: Of the smallest penalty at which every coefficient is zero.
        score: Held-out log-likelihood against the best point, for ``PER_USERS`` users.
        error: Standard error of that difference.
    """

    share: float
    score: float
    error: float


@dataclass(frozen=True, slots=True)
class PathLine:
    """The path of one alpha, from the largest penalty down."""

    label: str
    points: tuple[PathPoint, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """Cross-validation along the path.

    Attributes:
        title: What was chosen.
        caption: How to read it.
        x_title: Of the horizontal axis.
        y_title: Of the vertical axis.
        lines: By alpha.
        chosen: Which line holds the chosen point, and the point itself.
    """

    title: str
    caption: str
    x_title: str
    y_title: str
    lines: tuple[PathLine, ...]
    chosen: tuple[int, PathPoint]


@dataclass(frozen=True, slots=True)
class Selection:
    """The section on the fit.

    Attributes:
        sentence: Size of the problem.
        certificate: How far from the best possible the fit can be at most.
        path: None where no other penalty was tried.
        balance: Whether exposure was balanced, in a sentence.
        imbalances: Feature, creative, standardised difference, p-value; finished texts.
    """

    sentence: str
    certificate: str
    path: Path | None
    balance: str
    imbalances: tuple[tuple[str, str, str, str], ...]


def tell_selection(briefing: SegmentsBriefing) -> Selection | None:
    """The section on the fit; None where nothing was learned."""
    if not briefing.is_learned:
        return None
    model, text, balance = briefing.result["model"], briefing.text, briefing.result["balance"]
    differing = balance["largest"][:_MOST_BALANCE] if balance else ()
    return Selection(
        sentence=text(
            "creatives.model.sentence",
            users=numbers.count(model["people"]),
            covariates=numbers.count(model["covariates"]),
            columns=numbers.count(model["columns"]),
            family=text(f"creatives.family.{briefing.result['family']}"),
        ),
        certificate=_certificate(briefing),
        path=_path(briefing),
        balance=_balance(briefing),
        imbalances=tuple(_imbalance(briefing, found) for found in differing),
    )


def _certificate(briefing: SegmentsBriefing) -> str:
    model = briefing.result["model"]
    return briefing.text(
        "creatives.model.certificate",
        gap=_small(model["duality_gap"]),
        objective=numbers.fixed(model["objective"], 1),
        relative=_small(model["relative_gap"]),
    )


def _small(value: float) -> str:
    """A number near zero with two digits, such as ``3.1 × 10⁻⁵``."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} × 10{raised}"


def _path(briefing: SegmentsBriefing) -> Path | None:
    curve, text = briefing.result["selection"]["curve"], briefing.text
    chosen = next((row for row in curve if row["chosen"]), None)
    if chosen is None or len(curve) < 2:
        return None
    alphas = sorted({row["alpha"] for row in curve})
    lines = tuple(_line(briefing, alpha, [row for row in curve if row["alpha"] == alpha]) for alpha in alphas)
    rule = briefing.result["model"]["rule"]
    return Path(
        title=text(f"creatives.path.{rule}", share=numbers.percent(chosen["lam_share"]), alpha=_alpha(chosen["alpha"])),
        caption=text("creatives.path.caption"),
        x_title=text("creatives.path.x"),
        y_title=text("creatives.path.y", users=numbers.count(PER_USERS)),
        lines=lines,
        chosen=(alphas.index(chosen["alpha"]), _point(chosen)),
    )


def _line(briefing: SegmentsBriefing, alpha: float, rows: Sequence[Mapping[str, Any]]) -> PathLine:
    points = sorted((_point(row) for row in rows), key=lambda point: -point.share)
    return PathLine(briefing.text("creatives.path.alpha", alpha=_alpha(alpha)), tuple(points))


def _point(row: Mapping[str, Any]) -> PathPoint:
    return PathPoint(row["lam_share"], PER_USERS * row["difference"], PER_USERS * row["difference_se"])


def _alpha(alpha: float) -> str:
    return f"{alpha:g}"


def _balance(briefing: SegmentsBriefing) -> str:
    """Whether features tell what users were shown; of clusters that is not tested."""
    balance = briefing.result["balance"]
    if balance is None:
        return briefing.text("creatives.balance.untested")
    said = "flagged" if balance["flagged"] else "balanced"
    return briefing.text(f"creatives.balance.{said}", p=numbers.p_equals(balance["p_value"]))


def _imbalance(briefing: SegmentsBriefing, found: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return (
        briefing.term_name(found["term"]),
        found["creative"],
        numbers.fixed(found["difference"], 3, signed=True),
        numbers.probability(found["p_value"]),
    )
