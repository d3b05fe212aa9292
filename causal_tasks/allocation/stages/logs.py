"""Observational rows as methods read them that learn from logs besides the experiment."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.allocation.responses import Responses
from causal_tasks.allocation.stages.users import BudgetUsers
from causal_tasks.allocation.statement import stated_budgeting
from causal_tasks.base_models import DesignMatrix
from causal_tasks.data.columns import outcome_columns
from causal_tasks.data.dataset import open_dataset, read_dataset, user_rows
from causal_tasks.errors import InputError
from causal_tasks.experiment import Dataset, Experiment, Metric, Tables
from causal_tasks.run_folder import StageContext


def read_logs(context: StageContext, users: BudgetUsers, features: list[str]) -> Responses:
    """The rows that ``budgeting.logs`` names, with outcomes bounded as those of the experiment are.

    The shares of their arms stand for propensities: how arms came about is what nobody knows.

    Args:
        context: Of the stage.
        users: Of the experiment.
        features: That methods read.

    Raises:
        InputError: No logs are stated, a column is missing or of the wrong type, an arm is unknown or has too few rows,
            or the outcome is a ratio.
    """
    logs = stated_budgeting(context.experiment).logs
    if logs is None:
        raise InputError("budgeting.logs states no rows", remedy="state them, or leave out methods that need them")
    if users.money.outcome.is_ratio:
        raise InputError(
            f"the outcome {users.money.outcome.name!r} is a ratio, which logs cannot be compared with user by user",
            remedy="name a metric that adds up over users as budgeting.outcome, or leave out methods that need logs",
        )
    try:
        return _responses(context, users, features, logs)
    except InputError as error:
        # Logs are read as a dataset is: the message must not send its reader to that of the experiment.
        raise InputError(f"budgeting.logs: {error.message}", remedy=error.remedy) from error


def _responses(context: StageContext, users: BudgetUsers, features: list[str], logs: Dataset) -> Responses:
    stated = _as_experiment(context.experiment, users, features, logs)
    with TemporaryDirectory() as folder:
        table = open_dataset(context.storage, logs.uri, Path(folder))
        if absent := [name for name in features if name not in {*table.columns, *table.folder_keys}]:
            raise InputError(f"{logs.uri} lacks the features {absent}", remedy="write them, or exclude them everywhere")
        rows = read_dataset(table, stated, logs, threads=context.settings.threads)
    frame = user_rows(rows, stated).to_pandas()
    money, caps = users.money, context.read_json("prepare", "profile")["caps"]

    def values(metric: Metric) -> NDArray[np.float64]:
        found: NDArray[np.float64] = frame[outcome_columns(metric)[0]].to_numpy(dtype=np.float64)
        return np.minimum(found, caps[metric.name]["value"]) if metric.name in caps else found

    outcome = money.outcome.benefit(values(money.outcome))
    cost = values(money.cost) if money.cost else np.zeros(len(frame))
    known = ~np.isnan(outcome) & ~np.isnan(cost)
    return Responses.checked(
        DesignMatrix(_categories(frame.loc[known, features])),
        outcome[known],
        frame["arm"].astype(object).to_numpy()[known],
        cost=cost[known] if money.prices is None else money.prices,
        arms=stated.arms,
    )


def _as_experiment(experiment: Experiment, users: BudgetUsers, features: list[str], logs: Dataset) -> Experiment:
    """The experiment as if the logs were its dataset, with only what is read of them."""
    used = {metric.name for metric in (users.money.outcome, users.money.cost) if metric}
    metrics = [metric.model_copy(update={"role": "diagnostic"}) for metric in experiment.metrics if metric.name in used]
    metrics[0] = metrics[0].model_copy(update={"role": "primary"})
    return experiment.model_copy(
        update={
            "dataset": logs,
            "tables": Tables(),
            "metrics": tuple(metrics),
            "features": experiment.features.model_copy(update={"include": tuple(features), "exclude": ()}),
            "eligible": None,
            "cluster": None,
        }
    )


def _categories(frame: pd.DataFrame) -> pd.DataFrame:
    text = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    return frame.astype(dict.fromkeys(text, "category"))
