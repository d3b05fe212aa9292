"""Stage ``fit``: one method, fitted on four folds of the discovery part, and what it says of everybody else."""

import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.methods import budget_model
from causal_tasks.allocation.stages.logs import read_logs
from causal_tasks.allocation.stages.users import BudgetUsers, Mask
from causal_tasks.allocation.statement import stated_budgeting
from causal_tasks.base_models import DesignMatrix
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri


@dataclass(frozen=True, slots=True)
class Matrices:
    """Features of a run's users, made once for all methods.

    Attributes:
        fitted: Of those on whom methods are fitted.
        others: Of everybody else, with the levels of the former.
    """

    fitted: DesignMatrix
    others: DesignMatrix

    @classmethod
    def of(cls, users: BudgetUsers, features: list[str]) -> Self:
        """The matrices of these features."""
        frame = users.frame[features]
        fitted = DesignMatrix(frame.loc[users.fitted])
        return cls(fitted, DesignMatrix(frame.loc[~users.fitted], like=fitted))


def fit(context: StageContext) -> dict[str, Uri]:
    """Fit the method ``context.item``; write ``models``, ``forecast`` of all other users, and ``card``.

    Raises:
        InputError: The logs are wrong, or the method cannot learn from these users or predicts what is not finite.
    """
    name, experiment = str(context.item), context.experiment
    features: list[str] = context.read_json("validate", "features")["used"]
    users = context.shared("users", lambda: BudgetUsers.read(context, features))
    matrices = context.shared("matrices", lambda: Matrices.of(users, features))
    budgeting = stated_budgeting(experiment)
    model = budget_model(
        name,
        budgets=budgeting.budgets,
        weights=budgeting.weights,
        device=context.settings.device,
        n_jobs=context.settings.threads,
        random_state=budgeting.seed,
    )
    logs = context.shared("logs", lambda: read_logs(context, users, features)) if model.USES_LOGS else None
    began = time.monotonic()
    model.fit_responses(users.responses(users.fitted, matrices.fitted), logs=logs)
    forecast = model.predict(matrices.others)
    card = {
        "method": name,
        "kind": type(model).__name__,
        "parameters": model.parameters,
        "notes": list(model.notes_),
        "features": features,
        "seconds": round(time.monotonic() - began, 3),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "device": model.device,
    }
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        models = context.write_folder("models", Path(folder))
    units = users.frame["unit"][~users.fitted]
    return {
        "models": models,
        "forecast": context.write_table("forecast.parquet", forecast_frame(units, forecast, experiment.arms)),
        "card": context.write_json("card.json", card),
    }


def forecast_frame(units: pd.Series, forecast: Forecast, arms: tuple[str, ...]) -> pd.DataFrame:
    """``unit``, ``outcome__<arm>`` on the benefit scale, ``cost__<arm>``."""
    columns: dict[str, object] = {"unit": units.to_numpy()}
    columns |= {f"outcome__{arm}": forecast.outcome[:, position] for position, arm in enumerate(arms)}
    columns |= {f"cost__{arm}": forecast.cost[:, position] for position, arm in enumerate(arms)}
    return pd.DataFrame(columns)


def read_forecast(context: StageContext, method: str, users: BudgetUsers, rows: Mask) -> Forecast:
    """What a method says of ``rows``, shape (n,): users that no method was fitted on."""
    written = context.read_table("fit", "forecast", item=method)[rows[~users.fitted]]
    outcome, cost = (
        written[[f"{what}__{arm}" for arm in users.experiment.arms]].to_numpy() for what in Forecast._fields
    )
    return Forecast(outcome, cost)
