"""Whether the data can be trusted: one traffic light for each check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.check_words import further_sentences, words_of

_KINDS: dict[str, Callable[[float | None], str]] = {
    "sample_ratio": numbers.probability,
    "sample_ratio_analysed": numbers.probability,
    "contamination": numbers.percent,
    "contamination_symmetry": numbers.probability,
    "maturity": numbers.percent,
    "overlapping_experiments": numbers.probability,
    "exposure_day_counts": numbers.percent,
    "duplicates": numbers.percent,
    "id_format": numbers.percent,
    "feature_coverage": numbers.percent,
    "metric_coverage": numbers.percent,
    "pre_period": numbers.probability,
    "missing_outcome_by_arm": numbers.probability,
    "unit_scale": partial(numbers.fixed, decimals=1),
    "heavy_tail": numbers.percent,
    "constant_feature": numbers.percent,
    "id_like_feature": numbers.percent,
    "high_cardinality": numbers.count,
    "sensitive_feature": numbers.count,
    "missing_feature_by_arm": numbers.probability,
    "outcome_copy": partial(numbers.fixed, decimals=3),
    "feature_differs_by_arm": numbers.probability,
    "schema_drift": numbers.count,
    "missing_feature_informative": partial(numbers.fixed, decimals=2),
    "arm_predictable": partial(numbers.fixed, decimals=3),
    "arm_size": numbers.count,
    "constant_metric": numbers.count,
    "no_feature_left": numbers.count,
    "cap": numbers.percent,
    "overlap": numbers.percent,
    "matched_sample": numbers.count,
    "balance_after_matching": partial(numbers.fixed, decimals=2),
    "placebo": numbers.probability,
}
"""How the value and the threshold of a check are written."""

CHECK_CODES = tuple(_KINDS)
_WORST_FIRST = {"fail": 0, "warn": 1, "pass": 2}


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check.

    Attributes:
        status: ``pass``, ``warn`` or ``fail``.
        status_word: The same as a word.
        name: Of the check.
        subject: Metric, feature or arm that it is about; None where it is about all.
        sentence: What was found.
        remedy: What to do; None where it passed.
        measured: The value found and its limit; empty where there is no number.
        details: Further figures, name and value.
    """

    status: str
    status_word: str
    name: str
    subject: str | None
    sentence: str
    remedy: str | None
    measured: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Checks:
    """All checks, worst first."""

    rows: tuple[CheckRow, ...]

    def count(self, status: str) -> int:
        """How many checks have that status."""
        return sum(row.status == status for row in self.rows)

    def names(self, status: str) -> tuple[str, ...]:
        """Names of the checks with that status, each once."""
        return tuple(dict.fromkeys(row.name for row in self.rows if row.status == status))

    @property
    def strip(self) -> tuple[tuple[str, str], ...]:
        """Name and worst status of each check, in the order of rows."""
        worst: dict[str, str] = {}
        for row in self.rows:
            worst.setdefault(row.name, row.status)
        return tuple(worst.items())


def tell_checks(briefing: Briefing) -> Checks:
    """The section on checks.

    Raises:
        KeyError: A check has a code that the catalogue does not know.
    """
    ordered = sorted(briefing.result["checks"], key=lambda check: _WORST_FIRST[check["status"]])
    return Checks(tuple(_row(briefing, check) for check in ordered))


def _row(briefing: Briefing, check: Mapping[str, Any]) -> CheckRow:
    code, status, text = check["code"], check["status"], briefing.text
    write = _KINDS[code]
    value, threshold = write(check["value"]), write(check["threshold"])
    subject = briefing.display_name(check["subject"])
    words = {"value": value, "threshold": threshold, "subject": subject or "", **words_of(briefing, check)}
    sentences = [text(f"checks.{code}.{status}", **words), *further_sentences(briefing, check)]
    return CheckRow(
        status=status,
        status_word=text(f"status.{status}"),
        name=text(f"checks.{code}.name"),
        subject=subject,
        sentence=text("findings.between").join(sentences),
        remedy=None if status == "pass" else text(f"checks.{code}.remedy"),
        measured=_measured(briefing, value, threshold, check),
        details=tuple((str(name), _plain(found)) for name, found in sorted(check["details"].items())),
    )


def _measured(briefing: Briefing, value: str, threshold: str, check: Mapping[str, Any]) -> str:
    if check["value"] is None:
        return ""
    return value if check["threshold"] is None else briefing.text("check.bound", value=value, threshold=threshold)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    return str(value)
