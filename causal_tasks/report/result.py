"""Assembles ``result.json``, the one source of every view.

Everything in it but ``run`` is decided by the experiment and its data, so that two runs on equal input differ in
``run`` alone: seconds, devices, hosts and attempts are moved there from wherever a stage wrote them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from causal_tasks.experiment import Experiment
from causal_tasks.report.caveats import caveats
from causal_tasks.report.verdict import verdict
from causal_tasks.run_folder import Failure, Manifest
from causal_tasks.storage import digest_of

SCHEMA_VERSION = 3
_NOT_SHOWN = frozenset({"status", "settle_hours", "tables", "budgeting", "segmenting"})
"""Fields of the experiment that say when it is mined and where from, or what else is asked of it."""

_HOST_DEPENDENT = ("device", "peak_memory_mb", "seconds")
"""Fields of a card that say where and how a candidate was trained."""

_NOTHING_SELECTED: Mapping[str, Any] = {"winner": None, "distinguishable": False, "board": ()}


@dataclass(frozen=True, slots=True)
class Findings:
    """What the stages before the report wrote, see ``docs/reference-stages.md``.

    Attributes:
        waterfall: From rows to analysed units, by arm.
        profile: What was seen while joining.
        checks: Validity checks.
        features: Used and dropped features.
        validity: The verdict of ``validate``.
        effects: Average effects by metric and treatment.
        did: Differences in differences by metric and treatment; empty without a pre-window.
        balance: By treatment, how alike the arms are before and after matching; None in a randomised experiment.
        cards: Training cards by candidate; empty where nothing was trained.
        ranking: Trained candidates, best first; empty where nothing was trained.
        tuning: Tuning histories by finalist; empty where nothing was tuned.
        selection: Model board; None where no model was selected.
        drivers: By treatment, features by how much they drive the predicted effect; empty where none was selected.
        subpopulations: None where nothing was mined.
        tree: By treatment; None where nothing was mined.
        evidence: None where nothing was mined.
        follow_up: A sized follow-up experiment for each rule that deserves one.
        placebo: Rules expected by chance beside rules found; None where that was not measured.
        failures: Failed stage instances by ``stage/item``; None where no record was left.
    """

    waterfall: Mapping[str, Any]
    profile: Mapping[str, Any]
    checks: Sequence[Mapping[str, Any]]
    features: Mapping[str, Any]
    validity: Mapping[str, Any]
    effects: Sequence[Mapping[str, Any]]
    did: Sequence[Mapping[str, Any]] = ()
    balance: Mapping[str, Any] | None = None
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ranking: Sequence[Mapping[str, Any]] = ()
    tuning: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    selection: Mapping[str, Any] | None = None
    drivers: Mapping[str, Any] = field(default_factory=dict)
    subpopulations: Sequence[Mapping[str, Any]] | None = None
    tree: Mapping[str, Any] | None = None
    evidence: Mapping[str, Any] | None = None
    follow_up: Sequence[Mapping[str, Any]] = ()
    placebo: Mapping[str, Any] | None = None
    failures: Mapping[str, Failure | None] = field(default_factory=dict)


def assemble(experiment: Experiment, findings: Findings, run: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``result.json``.

    Args:
        experiment: As stated.
        findings: What the stages wrote.
        run: How they ran, from :func:`describe_run`.
    """
    # DAG files read the message of a result, and through it this module, while they are parsed.
    from causal_tasks.subpopulations.confirmation import confirmation_of

    result: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "experiment": stated(experiment),
        "checks": [dict(check) for check in findings.checks],
        "waterfall": dict(findings.waterfall),
        "profile": {
            **findings.profile,
            "features_used": findings.features["used"],
            "dropped": findings.features["dropped"],
        },
        "effects": [dict(effect) for effect in findings.effects],
        "did": [dict(effect) for effect in findings.did],
        "balance": dict(findings.balance) if findings.balance else None,
        "models": _models(findings),
        "drivers": dict(findings.drivers),
        "subpopulations": list(findings.subpopulations or ()),
        "tree": dict(findings.tree or {}),
        "evidence": dict(findings.evidence) if findings.evidence else None,
        "follow_up": [dict(planned) for planned in findings.follow_up],
        "placebo": dict(findings.placebo) if findings.placebo else None,
        "confirmation": confirmation_of(experiment, findings.effects, validity=findings.validity["status"]),
        "failures": [failure_row(key, failure) for key, failure in sorted(findings.failures.items())],
    }
    result["notes"] = caveats(experiment, result)
    result["verdict"] = verdict(experiment, findings.validity, result)
    result["run"] = dict(run)
    return result


def describe_run(manifests: Sequence[Manifest], findings: Findings, notes: Sequence[str]) -> dict[str, Any]:
    """How the stages ran: the part of the result in which two equal runs may differ.

    Args:
        manifests: Of every stage that was read.
        findings: For the seconds and devices of candidates.
        notes: Codes of what the host could not do.
    """
    return {
        "stages": stages_run(manifests),
        "candidates": {
            name: {key: card[key] for key in _HOST_DEPENDENT} for name, card in sorted(findings.cards.items())
        },
        "notes": list(notes),
    }


def stated(experiment: Experiment) -> dict[str, Any]:
    """What a result repeats of the experiment's statement."""
    return experiment.model_dump(mode="json", by_alias=True, exclude=set(_NOT_SHOWN))


def stages_run(manifests: Sequence[Manifest]) -> dict[str, Any]:
    """How each stage instance ran, in the order in which they began."""
    return {
        manifest.key: {
            "attempt": manifest.run.attempt,
            "started_at": manifest.run.started_at.isoformat(),
            "seconds": manifest.run.seconds,
            "peak_memory_mb": manifest.run.peak_memory_mb,
            "host": manifest.run.host,
            "device": manifest.run.device,
        }
        for manifest in sorted(manifests, key=lambda manifest: manifest.run.started_at)
    }


def result_digest(result: Mapping[str, Any]) -> str:
    """The sha256 of everything in the result but ``run``: equal for equal findings."""
    return digest_of({key: value for key, value in result.items() if key != "run"})


def _models(findings: Findings) -> dict[str, Any]:
    selection = findings.selection or _NOTHING_SELECTED
    return {
        "winner": selection["winner"],
        "distinguishable": selection["distinguishable"],
        "board": list(selection["board"]),
        "ranking": [dict(row) for row in findings.ranking],
        "cards": {
            name: {key: value for key, value in card.items() if key not in _HOST_DEPENDENT}
            for name, card in sorted(findings.cards.items())
        },
        "tuning": dict(sorted(findings.tuning.items())),
        "failed": failed_instances(findings.failures, "train"),
        "tuning_failed": failed_instances(findings.failures, "tune"),
    }


def turned(estimate: Mapping[str, Any]) -> dict[str, Any]:
    """An estimate with the sign of the opposite direction."""
    low, high = estimate["interval"]
    return {**estimate, "estimate": -estimate["estimate"], "interval": [-high, -low]}


def failed_instances(failures: Mapping[str, Failure | None], stage: str) -> dict[str, Any]:
    """Why each failed instance of a stage failed, by item; None where it left no record."""
    prefix = f"{stage}/"
    return {
        key.removeprefix(prefix): failure.reason if failure else None
        for key, failure in sorted(failures.items())
        if key.startswith(prefix)
    }


def failure_row(key: str, failure: Failure | None) -> dict[str, Any]:
    """How a failed stage instance ``stage[/item]`` is told."""
    stage, _, item = key.partition("/")
    record = failure.reason if failure else None
    return {"stage": stage, "item": item or None, "record": record}
