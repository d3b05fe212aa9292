"""Stage ``assign``: who gets which arm at every budget, by the chosen method."""

from causal_tasks.allocation.allocated_table import Purse, write_allocation
from causal_tasks.allocation.chosen_model import read_budget_model
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri
from causal_tasks.uplift.feature_table import FeatureTable


def assign(context: StageContext) -> dict[str, Uri]:
    """Write ``allocation``, a row for every user of the run, and ``spending``, what each budget comes to."""
    choice = context.read_json("choose", "choice")
    uri = context.uri("fit", "models", choice["chosen"])
    model = read_budget_model(context.storage, uri, threads=context.settings.threads)
    table = FeatureTable.checked(context.storage, context.uri("prepare", "users"), model.features_, (), unit="unit")
    budgets: list[float] = context.read_json("plan", "plan")["budgets"]
    purses = [Purse(f"arm__{budget!r}", budget) for budget in budgets]
    written = write_allocation(
        model,
        table,
        purses,
        storage=context.storage,
        uri=f"{context.folder}/allocation.parquet",
        unit="unit",
        about={"run": context.experiment.run_id, "method": choice["chosen"]},
        # A level that only users outside of the training folds have is one that the model has not learned.
        new_levels="missing",
    )
    spending = {
        "rows": written.rows,
        "columns": [purse.column for purse in purses],
        "by_column": written.spending,
        "new_levels": written.new_levels,
    }
    return {"allocation": written.uri, "spending": context.write_json("spending.json", spending)}
