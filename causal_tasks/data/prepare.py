"""From tables to one row per analysed unit, and an account of every unit that is not among them."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from causal_tasks import frames
from causal_tasks.data.account import JoinAccount
from causal_tasks.data.assignments import read_assignments
from causal_tasks.data.caps import applied_caps
from causal_tasks.data.cohort import (
    Exposures,
    count_by_arm,
    first_exposures,
    is_mature,
    maturity_cutoff,
    require_mature,
    transitions,
)
from causal_tasks.data.contracts import (
    id_type,
    require_days,
    require_no_null,
    require_same_ids,
)
from causal_tasks.data.dataset import prepare_dataset
from causal_tasks.data.joining import JoinJob
from causal_tasks.data.other_experiments import other_experiments
from causal_tasks.data.periods import periods
from causal_tasks.data.plan import features_input, join_plan, metrics_input
from causal_tasks.data.rows import Units
from causal_tasks.data.tables import EPOCH, ParquetTable, open_table
from causal_tasks.data.users import Draft, feature_levels, feature_profile, part_files, user_rows
from causal_tasks.data.waterfall import Counts, Waterfall
from causal_tasks.experiment import Experiment
from causal_tasks.lake import TableName, source_uris
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri

Tables = dict[TableName, ParquetTable]


def prepare(context: StageContext) -> dict[str, Uri]:
    """Join assignments, metrics and features to one row per unit, or take the rows of a dataset.

    Returns:
        ``users`` (Parquet folder), ``waterfall`` and ``profile`` (JSON), as ``docs/reference-stages.md`` describes.

    Raises:
        InputError: A table is missing or breaks its contract, or no unit is left to analyse.
        ConfigurationError: The engine that the settings ask for is not there.
    """
    experiment, settings = context.experiment, context.settings
    if experiment.dataset:
        return prepare_dataset(context, experiment.dataset)
    tables: Tables = {
        name: open_table(context.storage, uri, name) for name, uri in source_uris(experiment, settings).items()
    }
    require_same_ids({name: id_type(table, experiment.unit) for name, table in tables.items()}, experiment.unit)
    require_days(tables["metrics"], experiment.tables.date_column)
    require_no_null(tables["metrics"], (experiment.tables.date_column,))
    last_day = tables["metrics"].last_day(experiment.tables.date_column)
    exposures = first_exposures(
        read_assignments(tables["assignments"], experiment, threads=settings.threads), experiment
    )
    cutoff = maturity_cutoff(experiment, last_day)
    single_arm = exposures.cohort.where(exposures.cohort.second_arm < 0)
    require_mature(single_arm, experiment, cutoff)
    # Without a rule nobody needs the features of units that are dropped next.
    cohort = single_arm if experiment.eligible else single_arm.where(is_mature(single_arm, experiment, cutoff))
    units = Units(cohort.ids, cohort.start)
    account = JoinAccount(experiment.arms)
    with TemporaryDirectory() as folder, frames.connect(settings) as engine:
        metrics = metrics_input(tables["metrics"], experiment, units, engine.device)
        features, columns = features_input(tables["features"], experiment, units, engine.device)
        job = JoinJob(units, metrics, features, join_plan(experiment, features.source))
        draft = Draft(Path(folder))
        for positions, joined in job.run(engine, slices=settings.slices):
            part = cohort.slice(positions)
            analysed = account.add(joined, part, is_mature(part, experiment, cutoff))
            draft.add(user_rows(joined[analysed], part.where(analysed), experiment, columns, job.plan))
        account.require_something(example=cohort.ids[0].as_py(), max_age=experiment.features.max_age)
        rows = draft.table()
        caps = applied_caps(rows, experiment)
        for name, content in part_files(rows, caps, feature_levels(rows, columns)):
            context.write_bytes(f"users/{name}", content)
        seen_features = feature_profile(rows, columns)
    profile = {
        "cutoff": (EPOCH + timedelta(days=cutoff)).isoformat(),
        "last_metrics_day": last_day.isoformat(),
        "features": seen_features,
        "caps": {name: asdict(cap) for name, cap in caps.items()},
        "periods": [asdict(period) for period in periods(experiment)],
        "transitions": transitions(exposures.cohort, experiment.arms),
        "exposure_day_elapsed": exposures.day_elapsed,
        "other_experiments": other_experiments(tables["assignments"], experiment, single_arm, threads=settings.threads),
        **_row_profile(tables, exposures, account),
    }
    unseen = count_by_arm(single_arm.arm, experiment.arms) - count_by_arm(cohort.arm, experiment.arms)
    return {
        "users": f"{context.folder}/users",
        "waterfall": context.write_json("waterfall.json", waterfall(experiment, exposures, account, unseen)),
        "profile": context.write_json("profile.json", profile),
    }


def waterfall(experiment: Experiment, exposures: Exposures, account: JoinAccount, unseen: Counts) -> dict[str, Any]:
    """Rows in, units dropped by reason, units out, by arm.

    Args:
        experiment: Names the arms.
        exposures: What came in.
        account: What the join saw.
        unseen: Immature units by arm that were left out of the join.
    """
    cohort = exposures.cohort
    steps = Waterfall(experiment.arms, rows=exposures.rows, units=count_by_arm(cohort.arm, experiment.arms))
    steps.drop("two_arms", count_by_arm(cohort.arm[cohort.second_arm >= 0], experiment.arms))
    steps.drop("not_eligible", account.not_eligible)
    steps.drop("immature", unseen + account.immature)
    return steps.finish()


def _row_profile(tables: Tables, exposures: Exposures, account: JoinAccount) -> dict[str, Any]:
    return {
        "tables": {name: {"files": len(table.files), "rows": table.rows} for name, table in tables.items()},
        "units_without_features": account.without_features,
        "units_without_metrics": account.without_metrics,
        "filled_outcomes": {},
        "unknown_id_formats": {t: formats.unknown for t, formats in account.id_formats.items() if formats.seen},
        "duplicate_rows": {
            "assignments": exposures.duplicates,
            "metrics": account.repeated_metric_rows,
            "features": account.repeated_feature_rows,
        },
        "dropped_metrics_rows": {
            "outside_cohort_or_windows": tables["metrics"].rows - account.metric_rows,
            "repeated": account.repeated_metric_rows,
        },
    }
