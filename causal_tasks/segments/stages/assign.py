"""Stage ``assign_segments``: which segment every user of the run belongs to."""

from causal_tasks.run_folder import StageContext
from causal_tasks.segments.assigned_table import write_assignments
from causal_tasks.segments.learned_segments import LearnedSegments
from causal_tasks.storage import Uri
from causal_tasks.uplift.feature_table import FeatureTable


def assign_segments(context: StageContext) -> dict[str, Uri]:
    """Write ``assignments``, a row for every user of the run, and ``assigned``, how many belong to each segment."""

    def output(instance: str, name: str) -> Uri:
        stage, _, item = instance.partition("/")
        return context.uri(stage, name, item or None)

    learned = LearnedSegments.of(context.storage, context.experiment, output)
    table = FeatureTable.checked(context.storage, context.uri("prepare", "users"), learned.features, (), unit="unit")
    written = write_assignments(
        learned,
        table,
        storage=context.storage,
        uri=f"{context.folder}/assignments.parquet",
        unit="unit",
        about={"run": context.experiment.run_id},
        # A level that only users have whom nothing was learned from is one that the models do not know.
        new_levels="missing",
    )
    assigned = {
        "rows": written.rows,
        "users": dict(written.users),
        "best": dict(learned.best),
        "new_levels": dict(written.new_levels),
    }
    return {"assignments": written.uri, "assigned": context.write_json("assigned.json", assigned)}
