"""The next experiment, written out: for each rule worth it who, how many, for how long, and what refutes the rule."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pandas as pd

from causal_tasks.data.columns import outcome_columns, pre_window_columns
from causal_tasks.effects.arguments import Mask
from causal_tasks.effects.ratio import linearised
from causal_tasks.evaluation.estimate import LEVEL, POWER
from causal_tasks.experiment import Experiment
from causal_tasks.rule import Rule
from causal_tasks.subpopulations.follow_up_statement import follow_up_statement
from causal_tasks.subpopulations.sizing import Noise, days_to_enrol, detectable_effect, users_per_arm

PER_KIND = 3
"""Follow-ups at most for positive rules, and as many for negative ones."""

Basis = Literal["shrunken", "fcr_bound", "interval_bound"]


def follow_up_columns(experiment: Experiment) -> list[str]:
    """Columns of ``users``, beside those of the rules, that :func:`follow_ups` reads."""
    metric, dated = experiment.primary, experiment.dataset is None
    before = pre_window_columns(metric) if experiment.window.pre_days and not metric.is_ratio else ()
    clustered = ("cluster",) if experiment.cluster else ()
    return ["arm", "part", *(("start",) if dated else ()), *clustered, *outcome_columns(metric), *before]


def follow_ups(
    experiment: Experiment,
    subpopulations: Sequence[Mapping[str, Any]],
    users: pd.DataFrame,
    *,
    caps: Mapping[str, Mapping[str, float]] | None = None,
) -> list[dict[str, Any]]:
    """A sized experiment for each confirmed or promising rule, at most three of each kind.

    Confirmed rules come first, else the order is that of ``subpopulations``. On a rule that harms, the follow-up asks
    whether withholding the treatment is right: it has the same two arms.

    A rule is sized for its shrunken effect: the raw effect of a rule that was chosen is flattered, and a follow-up
    sized for it too small. Where there is none in the claimed direction, the bound nearest to zero takes its place, of
    the FCR interval or else of the plain one; ``basis`` says which. Where even that claims nothing, or a ratio has no
    denominator in control, the rule gets no follow-up. How much users vary, and what the pre-window explains of it, is
    measured inside the rule. No arm is smaller than the follow-up's own check ``arm_size`` asks.

    Args:
        experiment: In which the rules were found.
        subpopulations: Its rules, best first, as ``Subpopulation.to_json`` gives them.
        users: All analysed users, columns of ``follow_up_columns`` and of the rules.
        caps: ``profile["caps"]`` of ``prepare``: the follow-up keeps a quantile's value, so that its effects and the
            predicted ones mean the same.

    Returns:
        ``{"rule", "treatment", "kind", "effect", "basis", "refuted_below", "n_per_arm", "detectable", "power",
        "level", "variance_explained", "daily_users", "enrolment_days", "days", "experiment"}`` each. Effects are in
        the metric's own unit, treatment minus control. A result whose whole interval falls short of ``refuted_below``
        in the claimed direction retires the rule, see ``confirmation``. ``days`` is from the first user to the end of
        the last one's window, ``enrolment_days`` until the last one comes, ``daily_users`` how many of the rule's users
        came per day; null for a dataset, which has no days. ``experiment`` is what ``Experiment.parse`` accepts,
        without name, owner and delivery, see ``addressed``.
    """
    worth_it = sorted(
        (record for record in subpopulations if record["grade"] in {"confirmed", "promising"}),
        key=lambda record: record["grade"] != "confirmed",
    )
    planned: list[dict[str, Any]] = []
    for record in worth_it:
        full = sum(plan["kind"] == record["kind"] for plan in planned) == PER_KIND
        if not full and (plan := _planned(experiment, record, users, caps or {})):
            planned.append(plan)
    return planned


class Claim(NamedTuple):
    """What a rule is said to do.

    Attributes:
        effect: That the follow-up is sized for, in the metric's own unit.
        interval: Of the effect.
        basis: Where ``effect`` is from.
    """

    effect: float
    interval: tuple[float, float]
    basis: Basis

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self | None:
        """The claim of a rule; None where no estimate of its effect lies on the claimed side of zero."""
        estimate, plain = record["effect"]["estimate"], record["effect"]["interval"]
        controlled = record.get("fcr_interval")
        nearest = 0 if estimate > 0 else 1
        options: tuple[tuple[Basis, float | None], ...] = (
            ("shrunken", record.get("shrunken")),
            ("fcr_bound", controlled[nearest] if controlled else None),
            ("interval_bound", plain[nearest]),
        )
        low, high = controlled or plain
        return next(
            (cls(value, (low, high), basis) for basis, value in options if value is not None and value * estimate > 0),
            None,
        )


def _noise(experiment: Experiment, users: pd.DataFrame, inside: Mask, treatment: str) -> Noise | None:
    """How much the primary metric varies among estimation users inside a rule, in control or the rule's treatment.

    A ratio is linearised around their own in control; None where that has no denominator.
    """
    metric = experiment.primary
    columns = list(outcome_columns(metric))
    known = users[columns].notna().all(axis=1).to_numpy()
    compared = users["arm"].isin([experiment.control, treatment]).to_numpy()
    estimation = (users["part"] == "estimation").to_numpy()
    rows = users[inside & known & compared & estimation]
    treated = (rows["arm"] == treatment).to_numpy()
    clusters = rows["cluster"].to_numpy() if "cluster" in rows else None
    values = [rows[column].to_numpy(dtype=np.float64) for column in columns]
    if metric.is_ratio:
        numerator, denominator = values
        mean = float(denominator[~treated].mean())
        if mean <= 0:
            return None
        return Noise.of(linearised(numerator, denominator, ~treated) / mean, treated, clusters=clusters)
    (before,) = pre_window_columns(metric)
    history = rows[before].to_numpy(dtype=np.float64) if before in rows else None
    return Noise.of(values[0], treated, before=history, clusters=clusters)


def _planned(
    experiment: Experiment,
    record: Mapping[str, Any],
    users: pd.DataFrame,
    caps: Mapping[str, Mapping[str, float]],
) -> dict[str, Any] | None:
    """The follow-up of one rule; None where nothing claims an effect, or none could be measured."""
    rule = Rule.model_validate(record["rule"])
    inside = np.asarray(rule.mask(users[list(rule.features)]), dtype=bool)
    noise = _noise(experiment, users, inside, record["treatment"])
    claim = Claim.of(record)
    if noise is None or claim is None:
        return None
    n_per_arm = max(users_per_arm(claim.effect, noise), experiment.thresholds.units_per_arm)
    return {
        **{field: record[source] for field, source in (("rule", "id"), ("treatment", "treatment"), ("kind", "kind"))},
        "effect": claim.effect,
        "basis": claim.basis,
        "refuted_below": claim.effect,
        "n_per_arm": n_per_arm,
        "detectable": detectable_effect(n_per_arm, noise),
        "power": POWER,
        "level": round(1 - LEVEL, 6),
        "variance_explained": noise.explained,
        **_time_needed(experiment, users, inside, 2 * n_per_arm),
        "experiment": follow_up_statement(
            experiment,
            rule=rule,
            rule_id=record["id"],
            treatment=record["treatment"],
            kind=record["kind"],
            predicted={"estimate": claim.effect, "interval": list(claim.interval)},
            caps=caps,
        ),
    }


def _time_needed(experiment: Experiment, users: pd.DataFrame, inside: Mask, needed: int) -> dict[str, Any]:
    """How long it takes until ``needed`` users of the rule have come and their windows have passed."""
    if "start" not in users:
        return {"daily_users": None, "enrolment_days": None, "days": None}
    start = pd.to_datetime(users["start"]).to_numpy().astype("datetime64[D]").astype(np.int64)
    users_by_day = np.bincount(start[inside] - start.min(), minlength=int(start.max() - start.min()) + 1)
    enrolment = days_to_enrol(users_by_day, needed)
    window = experiment.window
    return {
        "daily_users": float(users_by_day.mean()),
        "enrolment_days": enrolment,
        "days": None if enrolment is None else enrolment + window.offset + window.days - 1,
    }
