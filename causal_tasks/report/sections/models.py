"""Which model ranked users best, whether that matters, and how each candidate did on the discovery users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.curves import scored


@dataclass(frozen=True, slots=True)
class EntrantRow:
    """One entrant of the final comparison: a finalist with default or tuned parameters."""

    candidate: str
    parameters: str
    auuc: str
    to_winner: str
    state: str
    state_word: str


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """One trained candidate; scores by treatment are there where there are several."""

    candidate: str
    auuc: str
    by_treatment: tuple[str, ...]
    spread: tuple[str, ...]
    seconds: str
    memory: str
    device: str
    is_finalist: bool
    state_word: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FailedRow:
    """One candidate that failed to train, or to be tuned, and why."""

    candidate: str
    reason: str


@dataclass(frozen=True, slots=True)
class Models:
    """The section on models.

    Attributes:
        title: Which entrant won.
        standing: Whether it is distinguishable from the other candidates.
        board: Entrants of the final comparison, best first.
        candidates: All trained candidates, best first.
        failed: Candidates that were not trained.
        tuning_failed: Finalists that were not tuned.
        failures: One sentence on both; empty where nothing failed.
        brief_failures: The same in a few words.
        features: How many were used.
        excluded: Features left out and why.
    """

    title: str
    standing: str
    board: tuple[EntrantRow, ...]
    candidates: tuple[CandidateRow, ...]
    failed: tuple[FailedRow, ...]
    tuning_failed: tuple[FailedRow, ...]
    failures: str
    brief_failures: str
    features: str
    excluded: tuple[tuple[str, str], ...]


def tell_models(briefing: Briefing) -> Models:
    """The section on models."""
    models, profile, text = briefing.result["models"], briefing.result["profile"], briefing.text
    return Models(
        title=_title(briefing),
        standing=_standing(briefing),
        board=tuple(_entrant(briefing, row) for row in models["board"]),
        candidates=tuple(_candidate(briefing, row["candidate"], row["auuc"]) for row in models["ranking"]),
        failed=tuple(failed_row(briefing, *item) for item in models["failed"].items()),
        tuning_failed=tuple(failed_row(briefing, *item) for item in models["tuning_failed"].items()),
        failures=_failures(briefing),
        brief_failures=_brief_failures(briefing),
        features=text("models.features", used=len(profile["features_used"]), dropped=len(profile["dropped"])),
        excluded=tuple(
            (briefing.display_name(name) or name, text(f"dropped_reason.{reason}"))
            for name, reason in profile["dropped"].items()
        ),
    )


def _title(briefing: Briefing) -> str:
    winner = briefing.winner
    if winner is None:
        return briefing.text("models.none")
    return briefing.text("models.title", winner=winner["candidate"], parameters=_parameters(briefing, winner))


def _parameters(briefing: Briefing, row: Mapping[str, Any]) -> str:
    return briefing.text("models.tuned" if row["tuned"] else "models.default")


def _standing(briefing: Briefing) -> str:
    """Whether the winning candidate is better than the others, and else which of them are as good."""
    models, text = briefing.result["models"], briefing.text
    winner = briefing.winner
    if winner is None:
        return ""
    own, others = _partitioned(models["board"], winner["candidate"])
    if not others:
        sentence = text("models.alone")
    elif models["distinguishable"]:
        sentence = text("models.distinguishable")
    else:
        close = dict.fromkeys(row["candidate"] for row in others if not _is_worse(row))
        sentence = text("models.not_distinguishable", others=text("words.comma").join(close))
    default_is_close = winner["tuned"] and not any(_is_worse(row) for row in own)
    return text("words.space").join([sentence, text("models.default_close")]) if default_is_close else sentence


def _partitioned(board: Sequence[Mapping[str, Any]], candidate: str) -> tuple[list[Any], list[Any]]:
    """The entrants of a candidate, and all others."""
    own = [row for row in board if row["candidate"] == candidate]
    return own, [row for row in board if row["candidate"] != candidate]


def _is_worse(row: Mapping[str, Any]) -> bool:
    """Whether the entrant is reliably below the winner: the interval of the difference lies below zero."""
    gap = row["difference_to_winner"]
    return gap is not None and gap["interval"][1] is not None and gap["interval"][1] < 0


def _entrant(briefing: Briefing, row: Mapping[str, Any]) -> EntrantRow:
    metric, gap = briefing.format(briefing.experiment.primary.name), row["difference_to_winner"]
    state = "worse" if _is_worse(row) else "close"
    if row is briefing.winner:
        state = "winner"
    return EntrantRow(
        candidate=row["candidate"],
        parameters=_parameters(briefing, row),
        auuc=scored(metric, row["auuc"], row["interval"]),
        to_winner=scored(metric, gap["estimate"], gap["interval"]) if gap else numbers.MISSING,
        state=state,
        state_word=briefing.text(f"models.{state}"),
    )


def _candidate(briefing: Briefing, name: str, mean: float) -> CandidateRow:
    models, metric = briefing.result["models"], briefing.format(briefing.experiment.primary.name)
    card, how = models["cards"][name], briefing.result["run"]["candidates"][name]
    is_finalist = any(row["candidate"] == name for row in models["board"])
    scores = {arm: scored(metric, score["estimate"], score["interval"]) for arm, score in card["auuc"].items()}
    width = max(numbers.half_width(score["interval"]) for score in card["auuc"].values())
    return CandidateRow(
        candidate=name,
        auuc=metric.difference(mean, width) if briefing.several_treatments else next(iter(scores.values())),
        by_treatment=_by_treatment(briefing, scores) if briefing.several_treatments else (),
        spread=_by_treatment(briefing, {arm: metric.size(guard["spread"]) for arm, guard in card["guards"].items()}),
        seconds=f"{numbers.fixed(how['seconds'], 1)} s",
        memory=f"{numbers.count(how['peak_memory_mb'])} MB",
        device=how["device"],
        is_finalist=is_finalist,
        state_word=briefing.text("models.finalist") if is_finalist else "",
        remarks=tuple(_remarks(briefing, card)),
    )


def _by_treatment(briefing: Briefing, values: Mapping[str, str]) -> tuple[str, ...]:
    """The values, each with its treatment where there are several."""
    if not briefing.several_treatments:
        return tuple(values.values())
    return tuple(briefing.text("words.of_arm", arm=arm, value=value) for arm, value in values.items())


def _remarks(briefing: Briefing, card: Mapping[str, Any]) -> list[str]:
    """Notes and guards of a model card that a reader should know of."""
    text, metric = briefing.text, briefing.format(briefing.experiment.primary.name)
    remarks = [text(f"models.remark.{note}") for note in card["notes"] if note != "mean_disagrees"]
    for treatment, guard in card["guards"].items():
        if guard["agrees"]:
            continue
        measured = guard["measured"]
        width = numbers.half_width(measured["interval"])
        said = text(
            "models.remark.mean_disagrees",
            predicted=metric.difference(guard["mean"], width),
            measured=scored(metric, measured["estimate"], measured["interval"]),
        )
        remarks += _by_treatment(briefing, {treatment: said})
    return remarks


def failed_row(briefing: Briefing, name: str, record: Mapping[str, Any] | None) -> FailedRow:
    """Why something failed, and what to do; ``record`` is None where it left none."""
    if record is None:
        return FailedRow(name, briefing.text("models.killed"))
    return FailedRow(name, briefing.text("words.semicolon").join(filter(None, (record["message"], record["remedy"]))))


def _failures(briefing: Briefing) -> str:
    models, text = briefing.result["models"], briefing.text
    failed, untuned = list(models["failed"]), list(models["tuning_failed"])
    total = len({*models["cards"], *failed})
    sentences = []
    if failed:
        said = "models.failed_all" if len(failed) == total else "models.failed_some"
        sentences.append(text(said, failed=len(failed), total=total, names=text("words.comma").join(failed)))
    if untuned:
        sentences.append(text("models.tuning_failed", names=text("words.comma").join(untuned)))
    return text("words.space").join(sentences)


def _brief_failures(briefing: Briefing) -> str:
    models, text = briefing.result["models"], briefing.text
    failed, untuned = len(models["failed"]), len(models["tuning_failed"])
    parts = []
    if failed:
        parts.append(text("models.failed_brief", failed=failed, total=len({*models["cards"], *models["failed"]})))
    if untuned:
        parts.append(text("models.tuning_failed_brief", failed=untuned))
    return text("words.comma").join(parts)
