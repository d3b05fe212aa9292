"""States the experiment that follows up a rule, as a user would."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from causal_tasks.experiment import Cap, Dataset, Experiment, Follows, Metric, Predicted
from causal_tasks.rule import Rule
from causal_tasks.subpopulations.selection import Kind

_LONGEST_ID, _LONGEST_NAME = 64, 200


def follow_up_statement(
    experiment: Experiment,
    *,
    rule: Rule,
    rule_id: str,
    treatment: str,
    kind: Kind,
    predicted: Mapping[str, Any],
    caps: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """The statement of a randomised experiment on the users of one rule, control against one treatment in equal shares.

    Tables, window, metrics, features, unit, cluster and mining are those of ``experiment``. A dataset's follow-up
    expects another file in the same folder. Name, owner and delivery are left to ``addressed``.

    Args:
        experiment: In which the rule was found.
        rule: Who takes part, of those who were eligible there.
        rule_id: Such as ``s1``.
        treatment: To be compared with control.
        kind: ``positive`` or ``negative``.
        predicted: ``{"estimate", "interval"}``, what the follow-up is to confirm or retire.
        caps: By metric ``{"value"}`` as it was applied, which takes the place of a quantile.

    Returns:
        What ``Experiment.parse`` accepts, JSON values, without fields that have their default.
    """
    identity = follow_up_id(experiment, rule_id)
    arms = {experiment.control, treatment}
    follow_up = experiment.model_copy(
        update={
            "experiment_id": identity,
            "revision": 1,
            "name": "",
            "owner": "",
            "delivery": type(experiment.delivery)(),
            "status": "running",
            "started_at": None,
            "ended_at": None,
            "treatments": (treatment,),
            "shares": None,
            "randomized": True,
            "eligible": rule.among(experiment.eligible),
            "follows": Follows(
                experiment_id=experiment.experiment_id,
                revision=experiment.revision,
                rule=rule_id,
                treatment=treatment,
                kind=kind,
                predicted=Predicted.model_validate(predicted),
            ),
            # Rows of the follow-up join the same table, so that even a table of one experiment needs the column now.
            "tables": experiment.tables.model_copy(
                update={"experiment_column": experiment.tables.experiment_column or "experiment_id"}
            ),
            "dataset": _beside(experiment.dataset, identity) if experiment.dataset else None,
            "metrics": tuple(_frozen(metric, caps) for metric in experiment.metrics),
            "mining": experiment.mining.model_copy(
                update={"costs": {arm: cost for arm, cost in experiment.mining.costs.items() if arm in arms}}
            ),
        }
    )
    stated = follow_up.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    Experiment.parse(stated, source=f"follow-up of {experiment.run_id}, rule {rule_id}")
    return {"experiment_id": identity, "status": "running"} | stated


def addressed(follow_ups: Sequence[Mapping[str, Any]], experiment: Experiment) -> list[dict[str, Any]]:
    """Follow-ups with name, owner and delivery of the experiment that they follow.

    These may change without making a run another one, so the stage that plans follow-ups does not read them.

    Args:
        follow_ups: As ``follow_ups`` returns them.
        experiment: In which the rules were found.
    """
    delivery = experiment.delivery.model_dump(mode="json", exclude_defaults=True)
    told = {"owner": experiment.owner, "delivery": delivery}
    present = {field: value for field, value in told.items() if value}
    return [
        {**plan, "experiment": plan["experiment"] | {"name": _name(plan["experiment"], experiment)} | present}
        for plan in follow_ups
    ]


def follow_up_id(experiment: Experiment, rule_id: str) -> str:
    """The id of the experiment that follows up a rule: the run's id and the rule's, shortened where it is too long."""
    plain = f"{experiment.run_id}.{rule_id}"
    if len(plain) <= _LONGEST_ID and ".." not in plain:
        return plain
    tail = f"-{hashlib.sha256(plain.encode()).hexdigest()[:8]}.r{experiment.revision}.{rule_id}"
    return experiment.experiment_id[: _LONGEST_ID - len(tail)] + tail


def _frozen(metric: Metric, caps: Mapping[str, Mapping[str, float]]) -> Metric:
    """The metric with the cap that was applied: the same quantile among other users is another value."""
    if metric.cap is None or metric.name not in caps:
        return metric
    return metric.model_copy(update={"cap": Cap(value=caps[metric.name]["value"])})


def _beside(dataset: Dataset, identity: str) -> Dataset:
    """The dataset that the follow-up's owner is to write: named by its id, in the same folder and format."""
    folder, _, name = dataset.uri.rstrip("/").rpartition("/")
    suffix = next((end for end in (".csv.gz", ".csv", ".parquet") if name.endswith(end)), "")
    return dataset.model_copy(update={"uri": f"{folder}/{identity}{suffix}"})


def _name(statement: Mapping[str, Any], experiment: Experiment) -> str:
    language = experiment.delivery.languages[0]
    who = Rule.model_validate(statement["eligible"]).in_words(language, experiment.features.display_names())
    return f"{experiment.name or experiment.experiment_id}: {who}"[:_LONGEST_NAME]
