"""Experiment and logs as one table, and two stages on it as if the logs were an experiment too."""

import numpy as np
import pandas as pd

from causal_tasks.allocation.responses import Responses
from causal_tasks.allocation.two_stage import TwoStage
from causal_tasks.base_models import DesignMatrix
from causal_tasks.base_models.features import as_category
from causal_tasks.errors import InputError


class PooledTwoStage(TwoStage):
    """Two stages on the units of the experiment and of the logs together.

    Precise where the logs are many and wrong where they are: what hid behind the choice of an arm, a trait that nobody
    recorded or the place where it was shown, is taken for what the arm does. It is what a method that uses both kinds
    of units more carefully has to beat. Parameters are those of ``TwoStage``.
    """

    USES_LOGS = True

    def _fit(self, data: Responses, logs: Responses | None) -> None:
        super()._fit(joined(data, required(logs, of=type(self).__name__)), None)


def required(logs: Responses | None, *, of: str) -> Responses:
    """The logs.

    Raises:
        InputError: There are none.
    """
    if logs is None:
        raise InputError(
            f"{of} learns from logs besides the experiment and got none",
            remedy="pass logs, or use a method that needs an experiment alone",
        )
    return logs


def joined(experiment: Responses, logs: Responses) -> Responses:
    """The units of both, those of the experiment first; a category has the levels of both.

    Raises:
        InputError: The logs lack a feature, a feature is a number in one and a category in the other, or the price of
            an arm differs.
    """
    if not _same_price(experiment, logs):
        raise InputError(
            f"arms cost {_told(experiment)} in the experiment and {_told(logs)} in the logs",
            remedy="state the same price for both, or the cost of every unit in both",
        )
    first, second = (
        np.concatenate(pair) for pair in ((experiment.outcome, logs.outcome), (experiment.cost, logs.cost))
    )
    return Responses(
        DesignMatrix(_joined_features(experiment.X.frame, logs.X.frame)),
        first,
        second,
        np.concatenate([experiment.arm, logs.arm]),
        experiment.labels,
        np.concatenate([experiment.propensity, logs.propensity]),
        experiment.price,
        experiment.notes,
    )


def _same_price(experiment: Responses, logs: Responses) -> bool:
    if experiment.price is None or logs.price is None:
        return experiment.price is logs.price
    return np.array_equal(experiment.price, logs.price)


def _told(data: Responses) -> str:
    return "what each unit cost" if data.price is None else str(data.price.tolist())


def _joined_features(experiment: pd.DataFrame, logs: pd.DataFrame) -> pd.DataFrame:
    if absent := [name for name in experiment.columns if name not in logs.columns]:
        raise InputError(f"logs lack the features {absent}", remedy="pass the features of the experiment")
    return pd.DataFrame({name: _joined_column(str(name), experiment[name], logs[name]) for name in experiment.columns})


def _joined_column(name: str, experiment: pd.Series, logs: pd.Series) -> pd.Series:
    first, second = as_category(experiment), as_category(logs)
    categorical = [isinstance(values.dtype, pd.CategoricalDtype) for values in (first, second)]
    if categorical[0] != categorical[1]:
        raise InputError(
            f"feature {name!r} is of type {first.dtype} in the experiment and {second.dtype} in the logs",
            remedy="pass columns of the same kind in both",
        )
    if categorical[0]:
        levels = first.cat.categories.union(second.cat.categories, sort=False)
        first, second = (values.cat.set_categories(levels) for values in (first, second))
    elif first.dtype != second.dtype:  # of two kinds of numbers pandas would make objects
        first, second = (values.astype(np.float64) for values in (first, second))
    return pd.concat([first, second], ignore_index=True)
