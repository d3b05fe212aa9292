"""Assembles ``allocation.json``, the one source of every view of an allocation.

As in ``result.json`` everything but ``run`` is decided by the experiment and its data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from causal_tasks.allocation.stages.users import Money
from causal_tasks.allocation.statement import stated_budgeting
from causal_tasks.experiment import Experiment, Metric
from causal_tasks.report.result import failed_instances, failure_row, stages_run, stated, turned
from causal_tasks.run_folder import Failure, Manifest

SCHEMA_VERSION = 1

_HOST_DEPENDENT = ("device", "peak_memory_mb", "seconds")
"""Fields of a card that say where and how a method was fitted."""


@dataclass(frozen=True, slots=True)
class AllocationFindings:
    """What the stages before the report wrote, see ``docs/reference-stages.md``.

    Attributes:
        checks: Validity checks.
        validity: The verdict of ``validate``.
        plan: What was planned.
        cards: Cards of methods; empty where none was fitted.
        choice: None where no method was chosen.
        spending: What each budget comes to on all users; None where nobody was allocated anything.
        evaluation: On the benefit scale; None where nothing was measured.
        failures: Failed stage instances by ``stage/item``; None where no record was left.
    """

    checks: list[dict[str, Any]]
    validity: Mapping[str, Any]
    plan: Mapping[str, Any]
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    choice: Mapping[str, Any] | None = None
    spending: Mapping[str, Any] | None = None
    evaluation: Mapping[str, Any] | None = None
    failures: Mapping[str, Failure | None] = field(default_factory=dict)


def assemble_allocation(experiment: Experiment, findings: AllocationFindings, run: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``allocation.json``; outcomes in the metric's own unit and sign.

    Args:
        experiment: As stated.
        findings: What the stages wrote.
        run: How they ran, from ``describe_allocation_run``.
    """
    plan, money = findings.plan, Money.of(experiment)
    evaluation = _own_sign(findings.evaluation, money.outcome)
    result: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "experiment": stated(experiment) | {"budgeting": stated_budgeting(experiment).model_dump(mode="json")},
        "validity": dict(findings.validity),
        "checks": findings.checks,
        "arms": list(experiment.arms),
        "outcome": money.outcome.name,
        "cost": money.cost.name if money.cost else None,
        "prices": money.prices,
        "users": {
            **{name: plan["users"][name] for name in ("fitted", "compared", "measured", "without_values")},
            "allocated": findings.spending["rows"] if findings.spending else None,
        },
        "spend_range": plan["spend_range"],
        "methods": _methods(findings, money.outcome),
        "overall": evaluation["overall"] if evaluation else None,
        "budgets": _budgets(findings, evaluation),
        "curve": evaluation["curve"] if evaluation else {},
        "notes": list(plan["notes"]),
        "failures": [failure_row(key, failure) for key, failure in sorted(findings.failures.items())],
    }
    result["verdict"] = _verdict(findings)
    result["run"] = dict(run)
    return result


def describe_allocation_run(
    manifests: list[Manifest], findings: AllocationFindings, *, allocation: str | None, notes: list[str]
) -> dict[str, Any]:
    """How the stages ran: the part of the result in which two equal runs may differ.

    Args:
        manifests: Of every stage that was read.
        findings: For the seconds and devices of methods.
        allocation: Path in the run folder of the file that says who gets what.
        notes: Codes of what the host could not do.
    """
    return {
        "stages": stages_run(manifests),
        "methods": {name: {key: card[key] for key in _HOST_DEPENDENT} for name, card in sorted(findings.cards.items())},
        "allocation": allocation,
        "notes": notes,
    }


def _verdict(findings: AllocationFindings) -> dict[str, Any]:
    reason = findings.validity["reason"]
    if findings.validity["status"] == "invalid":
        return {"code": "invalid", "reason": reason}
    if findings.evaluation is None:
        return {"code": "not_possible", "reason": reason}
    low, high = findings.evaluation["overall"]["vs_constant"]["interval"]
    code = "targeting_pays" if low > 0 else "targeting_harms" if high < 0 else "targeting_not_shown"
    return {"code": code, "reason": None}


def _methods(findings: AllocationFindings, outcome: Metric) -> dict[str, Any]:
    choice = findings.choice or {"chosen": None, "baseline": None, "reason": None, "level": None, "board": []}
    return {
        "chosen": choice["chosen"],
        "baseline": choice["baseline"],
        "reason": choice["reason"],
        "level": choice["level"],
        "board": _own_sign(choice["board"], outcome),
        "failed": failed_instances(findings.failures, "fit"),
    }


def _budgets(findings: AllocationFindings, evaluation: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    plan, rows = findings.plan, []
    for position, (budget, weight) in enumerate(zip(plan["budgets"], plan["weights"], strict=True)):
        row: dict[str, Any] = {"budget": budget, "weight": weight, "total": budget * plan["users"]["all"]}
        if findings.spending and evaluation:
            measured, column = evaluation["budgets"][position], findings.spending["columns"][position]
            spent = findings.spending["by_column"][column]
            told = ("shadow_price", "marginal_return", "ten_percent_more", "shares")
            row |= {"column": column, **{key: spent[key] for key in told}}
            row |= {key: measured[key] for key in ("policies", "differences", "constant_shares", "allocated_cost")}
            row["notes"] = list(dict.fromkeys([*measured["notes"], *(n for n in spent["notes"] if ":" not in n)]))
        rows.append(row)
    return rows


def _own_sign(value: Any, outcome: Metric) -> Any:
    """Estimates and points of curves in the metric's own sign; costs as they are."""
    if outcome.sign == 1 or value is None:
        return value
    if isinstance(value, list):
        return [_own_sign(one, outcome) for one in value]
    if not isinstance(value, Mapping):
        return value
    if "estimate" in value:
        return turned(value)
    if "spend" in value:
        return {**value, "gain": -value["gain"], "low": -value["high"], "high": -value["low"]}
    return {key: one if key == "cost" else _own_sign(one, outcome) for key, one in value.items()}
