"""Assembles ``segments.json``, the one source of every view of creative segments.

As in ``result.json`` everything but ``run`` is decided by the experiment and its data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from causal_tasks.experiment import Experiment, Metric
from causal_tasks.report.result import failure_row, stages_run, stated, turned
from causal_tasks.run_folder import Failure, Manifest
from causal_tasks.segments.statement import response_metric, stated_segmenting

SCHEMA_VERSION = 1

_USERS = ("learned", "measured", "reference", "without_response")


@dataclass(frozen=True, slots=True)
class SegmentsFindings:
    """What the stages before the report wrote, see ``docs/reference-stages.md``.

    Attributes:
        checks: Validity checks.
        validity: The verdict of ``validate``.
        plan: What was planned.
        learned: Summary and cross-validation by model (``segments``, ``separate``); empty where nothing was learned.
        assigned: How many users each segment was assigned; None where nobody was assigned one.
        values: On the benefit scale; None where nothing was measured.
        failures: Failed stage instances by ``stage/item``; None where no record was left.
    """

    checks: list[dict[str, Any]]
    validity: Mapping[str, Any]
    plan: Mapping[str, Any]
    learned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    assigned: Mapping[str, Any] | None = None
    values: Mapping[str, Any] | None = None
    failures: Mapping[str, Failure | None] = field(default_factory=dict)


def assemble_segments(experiment: Experiment, findings: SegmentsFindings, run: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``segments.json``; responses in the metric's own unit and sign.

    Args:
        experiment: As stated.
        findings: What the stages wrote.
        run: How they ran, from ``describe_segments_run``.
    """
    plan, learned, assigned = findings.plan, findings.learned.get("segments"), findings.assigned
    metric = response_metric(experiment)
    values = findings.values or {"creatives": [], "policies": None, "differences": None, "matrix": [], "notes": []}
    result: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "experiment": stated(experiment) | {"segmenting": stated_segmenting(experiment).model_dump(mode="json")},
        "validity": dict(findings.validity),
        "checks": findings.checks,
        "arms": list(experiment.arms),
        "reference": list(plan["reference"]),
        "response": metric.name,
        "family": plan["family"],
        "users": {
            **{name: plan["users"][name] for name in _USERS},
            "assigned": assigned["rows"] if assigned else None,
        },
        "model": _model(findings) if learned else None,
        "segments": _segments(experiment, findings),
        "best": {name: assigned["best"][name] for name in ("creative", "segment")} if assigned else None,
        **{name: _own_sign(values[name], metric) for name in ("creatives", "policies", "differences", "matrix")},
        "selection": {"curve": list(learned["cv"]) if learned else []},
        "balance": learned["summary"]["balance"] if learned else None,
        "notes": _notes(findings, values),
        "failures": [failure_row(key, failure) for key, failure in sorted(findings.failures.items())],
    }
    result["verdict"] = _verdict(findings, metric, result)
    result["run"] = dict(run)
    return result


def describe_segments_run(
    manifests: list[Manifest], *, assignments: str | None, models: Mapping[str, str], notes: list[str]
) -> dict[str, Any]:
    """How the stages ran: the part of the result in which two equal runs may differ.

    Args:
        manifests: Of every stage that was read.
        assignments: Path in the run folder of the file that says who is assigned what.
        models: Paths in the run folder of the fitted models, by name.
        notes: Codes of what the host could not do.
    """
    return {"stages": stages_run(manifests), "assignments": assignments, "models": dict(models), "notes": notes}


def _model(findings: SegmentsFindings) -> dict[str, Any]:
    return {
        **findings.learned["segments"]["summary"]["model"],
        "separate_lams": findings.learned["separate"]["summary"]["model"]["lams"],
    }


def _segments(experiment: Experiment, findings: SegmentsFindings) -> list[dict[str, Any]]:
    """What was learned of each segment and how many users were assigned it, in the order in which they were stated."""
    named = stated_segmenting(experiment).segments
    learned, assigned = findings.learned.get("segments"), findings.assigned
    if learned is None or assigned is None:
        return [{"segment": name, "creatives": list(creatives)} for name, creatives in named.items()]
    told = {segment["segment"]: segment for segment in learned["summary"]["segments"]}
    users, rows = assigned["users"], assigned["rows"]
    return [
        {
            **told[name],
            "best_creative": assigned["best"]["in_segment"][name],
            "assigned": users[name],
            "share": users[name] / rows if rows else 0.0,
        }
        for name in named
    ]


def _notes(findings: SegmentsFindings, values: Mapping[str, Any]) -> list[str]:
    """Codes of all stages, each once."""
    learned = (note for model in findings.learned.values() for note in model["summary"]["notes"])
    new = findings.assigned["new_levels"] if findings.assigned else {}
    levels = (f"new_levels:{feature}" for feature in new)
    return list(dict.fromkeys([*findings.plan["notes"], *learned, *values["notes"], *levels]))


def _verdict(findings: SegmentsFindings, metric: Metric, result: Mapping[str, Any]) -> dict[str, Any]:
    """By the difference to the best single creative, or what kept it from being measured."""
    validity = findings.validity
    if validity["status"] == "invalid":
        return {"code": "invalid", "reason": validity["reason"]}
    if result["differences"] is None:
        return {"code": "not_possible", "reason": validity["reason"]}
    if not any(segment["shared"] for segment in result["segments"]):
        return {"code": "nothing_found", "reason": None}
    if len(result["segments"]) == 1:
        return {"code": "one_segment", "reason": None}
    low, high = sorted(metric.benefit(bound) for bound in result["differences"]["vs_best_creative"]["interval"])
    code = "segments_pay" if low > 0 else "segments_harm" if high < 0 else "segments_not_shown"
    return {"code": code, "reason": None}


def _own_sign(value: Any, metric: Metric) -> Any:
    """Estimates within ``value`` in the metric's own sign."""
    if metric.sign == 1 or value is None:
        return value
    if isinstance(value, list):
        return [_own_sign(one, metric) for one in value]
    if not isinstance(value, Mapping):
        return value
    return turned(value) if "estimate" in value else {key: _own_sign(one, metric) for key, one in value.items()}
