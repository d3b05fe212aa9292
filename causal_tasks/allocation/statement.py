"""What an experiment says about its budget, and how a run may say otherwise."""

from collections.abc import Mapping
from typing import Any

from causal_tasks.errors import InputError
from causal_tasks.experiment import Budgeting, Experiment


def stated_budgeting(experiment: Experiment) -> Budgeting:
    """The part ``budgeting``.

    Raises:
        InputError: The experiment has none.
    """
    if experiment.budgeting is None:
        raise InputError(
            f"experiment {experiment.experiment_id!r} states no budgeting",
            remedy="state what arms cost (budgeting.cost or budgeting.prices) and budgeting.budgets, or give budgets "
            "and prices with the run",
        )
    return experiment.budgeting


def restated(experiment: Experiment, params: Mapping[str, Any]) -> Experiment:
    """The experiment with a budgeting that a run asks for.

    Args:
        experiment: As stated.
        params: ``budgets``, ``methods``, ``prices`` and ``logs`` (an address), each of which replaces what is stated
            where it is not None. Other budgets are all alike likely; prices replace a cost metric.

    Raises:
        InputError: What results is no valid statement.
    """
    asked = {name: params.get(name) for name in ("budgets", "methods", "prices", "logs")}
    if all(value is None for value in asked.values()):
        return experiment
    statement = experiment.model_dump(mode="json", by_alias=True)
    budgeting = dict(statement["budgeting"] or {})
    if asked["budgets"] is not None:
        budgeting |= {"budgets": list(asked["budgets"]), "weights": None}
    if asked["methods"] is not None:
        budgeting["methods"] = list(asked["methods"])
    if asked["prices"] is not None:
        budgeting |= {"prices": dict(asked["prices"]), "cost": None}
    if asked["logs"] is not None:
        budgeting["logs"] = {"uri": asked["logs"], **_columns(experiment)}
    return Experiment.parse(statement | {"budgeting": budgeting}, source="the run's budgeting")


def _columns(experiment: Experiment) -> dict[str, Any]:
    """Where logs of the experiment's own columns have arms and ids."""
    if experiment.dataset is None:
        return {"arm_column": experiment.tables.arm_column}
    return experiment.dataset.model_dump(include={"arm_column", "row_numbers"})
