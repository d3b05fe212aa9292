"""Whether a day can be trusted and its decision served: one light for each thing that was looked at."""

from causal_tasks.report import numbers
from causal_tasks.report.dynamic.briefing import DayBriefing
from causal_tasks.report.dynamic.watching import drift_sentence, guard_state
from causal_tasks.report.sections.checks import CheckRow, Checks
from causal_tasks.thresholds import Thresholds

_WORST_FIRST = {"fail": 0, "warn": 1, "pass": 2}
_GUARDS = {"kept": "pass", "open": "warn", "broken": "fail"}
FEW = ("few_matched:", "few_differ:")
"""Notes that begin like this name a way to decide; its light tells them."""


def tell_lights(briefing: DayBriefing) -> Checks:
    """All lights, worst first."""
    rows = [
        _arm_shares(briefing),
        _with_features(briefing),
        *_guards(briefing),
        *_drift(briefing),
        _matched(briefing),
    ]
    return Checks(tuple(sorted(rows, key=lambda row: _WORST_FIRST[row.status])))


def _light(
    briefing: DayBriefing,
    code: str,
    status: str,
    *,
    subject: str | None = None,
    measured: str = "",
    details: tuple[tuple[str, str], ...] = (),
    **words: str,
) -> CheckRow:
    text = briefing.text
    return CheckRow(
        status=status,
        status_word=text(f"status.{status}"),
        name=text(f"realtime.lights.{code}.name"),
        subject=subject,
        sentence=text(f"realtime.lights.{code}.{status}", **words),
        remedy=None if status == "pass" else text(f"realtime.lights.{code}.remedy"),
        measured=measured,
        details=details,
    )


def _arm_shares(briefing: DayBriefing) -> CheckRow:
    """Whether arms were drawn in the shares that are stated, by the bounds of experiments."""
    coverage, bounds = briefing.result["coverage"], Thresholds()
    p_value = coverage["shares_p_value"]
    status = "fail" if p_value < bounds.p_value else "warn" if p_value < bounds.sample_ratio_warn else "pass"
    details = tuple(
        (arm, f"{numbers.count(told['periods'])}, {told['share']:.4f} / {told['expected']:.4f}")
        for arm, told in coverage["arms"].items()
    )
    shown = numbers.p_equals(p_value)
    return _light(briefing, "arm_shares", status, measured=shown, details=details, p=shown)


def _with_features(briefing: DayBriefing) -> CheckRow:
    """Whether the users of periods have features."""
    periods = briefing.result["coverage"]["periods"]
    without, used = periods["without_features"], periods["learned"] + periods["held_out"]
    share = without / (without + used) if without + used else 0.0
    status = "warn" if share > Thresholds().without_features else "pass"
    shown = numbers.percent(share)
    return _light(briefing, "with_features", status, measured=shown, share=shown)


def _guards(briefing: DayBriefing) -> list[CheckRow]:
    """Whether each guarded response is kept."""
    rows = []
    for record in briefing.result["guards"]:
        response = briefing.response(record["response"])
        shown = briefing.effect(record["difference"], response)
        rows.append(
            _light(
                briefing,
                "guard",
                _GUARDS[guard_state(record)],
                subject=briefing.response_name(record["response"]),
                measured=f"{shown.estimate} {shown.interval}",
                fall=response.size(record["largest_fall"]),
            )
        )
    return rows


def _drift(briefing: DayBriefing) -> list[CheckRow]:
    """Whether the thresholds still fit; nothing where that was not compared."""
    drift = briefing.result["drift"]
    if not drift or not drift["rows"]:
        return []
    status = "warn" if drift["alarms"] else "pass"
    measured = f"{drift['alarms']} / {drift['cells']}"
    return [_light(briefing, "drift", status, measured=measured, told=drift_sentence(briefing, drift))]


def _matched(briefing: DayBriefing) -> CheckRow:
    """Whether enough requests happened to carry the arms that each way to decide gives."""
    few = dict.fromkeys(note.partition(":")[2] for note in briefing.result["notes"] if note.startswith(FEW))
    least = min(told["matched"] for told in briefing.result["policies"].values())
    return _light(
        briefing,
        "matched",
        "warn" if few else "pass",
        measured=numbers.count(least),
        names=briefing.listed(briefing.policy(name) for name in few),
        least=numbers.count(least),
    )
