"""Scores every user of a table by the models of a run, a batch at a time, so that memory does not grow with rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from causal_tasks.base_models import DesignMatrix
from causal_tasks.errors import InputError
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri
from causal_tasks.uplift.feature_table import FeatureTable
from causal_tasks.uplift.new_parquet import new_parquet
from causal_tasks.uplift.trained_models import MinedRule, TrainedModels
from causal_tasks.uplift.user_batches import NewLevels, Progress, UserBatch, user_batches, written_schema


@dataclass(frozen=True, slots=True)
class RuleColumn:
    """A column that says who belongs to a mined rule.

    Attributes:
        name: ``rule_1``, ``rule_2``, … in the order of the run's result.
        mined: The rule.
        members: Rows that belong.
    """

    name: str
    mined: MinedRule
    members: int


@dataclass(frozen=True, slots=True)
class Scored:
    """A table of scores that was written.

    Attributes:
        uri: Where it is.
        rows: Users scored.
        rules: Of the run; none for a saved learner.
        new_levels: Rows by categorical feature with a value that the models do not know, which they took for missing.
    """

    uri: Uri
    rows: int
    rules: tuple[RuleColumn, ...]
    new_levels: Mapping[str, int]


def score_table(
    model: str | Path,
    table: str | Path,
    output: str | Path,
    *,
    unit: str | None = None,
    new_levels: NewLevels = "error",
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Write predicted effects and rule membership of every row of a Parquet table, in its order.

    The file has the column of ids under its own name (the number of the row for a dataset that has none),
    ``uplift__<treatment>`` and ``mean__<arm>`` in float32, and for each mined rule a boolean column ``rule_1``,
    ``rule_2``, …. A run's effects are on the benefit scale, so that more is better, and the mean of what its models of
    all folds predict; those of a saved learner are in the outcome's unit. Rules judge values as they are in the table,
    like their SQL: what is new to the models is a value there, and missing only where it is missing. The metadata of
    the file say which models scored it (``causal_tasks.model``) and what the rules are (``causal_tasks.rules``), both
    as JSON. In memory are, beside the models, some 65,536 rows of the columns that are read, and of a table in S3
    those columns of one row group, compressed.

    Args:
        model: Run id ``<experiment_id>.r<revision>``, id of an experiment in the lake, or path or address of a run
            folder or of the folder of a saved learner.
        table: Path or address of a Parquet file or a folder of them.
        output: Path or address of the Parquet file to write; never replaced, and written whole or not at all.
        unit: Column of ids; None: that of the run's experiment. A saved learner needs it.
        new_levels: Whether a categorical value that the models do not know is an error or counts as missing.
        settings: Where the lake is and how many threads may be used; None: those of the environment.
        progress: Called after every batch with the rows scored so far and the rows of the table.

    Raises:
        InputError: There are no such models, they do not fit the installed libraries or have been changed since they
            were saved, the table lacks a column or a value does not fit, or a file is at ``output``.
        ConfigurationError: ``output`` cannot be written.
    """
    settings = settings or Settings()
    storage, uri = Storage(settings), _address(output)
    if storage.exists(uri):
        raise InputError(f"{uri} exists", remedy="choose another address, or remove the file")
    models = TrainedModels.read(model, settings)
    models.use_threads(settings.threads)
    rules = {f"rule_{number}": mined for number, mined in enumerate(models.rules, start=1)}
    read = FeatureTable.checked(
        storage,
        _address(table),
        models.features,
        [mined.rule for mined in models.rules],
        unit=unit or _unit_of(models),
    )
    schema = _schema(models, read, rules, unit or _unit_name(models))
    members, lost = Counter[str](), Counter[str]()
    with new_parquet(storage, uri, schema) as writer:
        for batch in user_batches(read, new_levels=new_levels, lost=lost, progress=progress):
            inside = {name: np.asarray(mined.rule.mask(batch.raw), dtype=bool) for name, mined in rules.items()}
            members.update({name: int(mask.sum()) for name, mask in inside.items()})
            writer.write_table(_scores(models, batch, inside, schema))
    columns = tuple(RuleColumn(name, mined, members[name]) for name, mined in rules.items())
    return Scored(uri, read.table.rows, columns, dict(lost))


def _address(place: str | Path) -> Uri:
    return str(place) if "://" in str(place) else f"file://{Path(place).resolve()}"


def _unit_name(models: TrainedModels) -> str:
    """Name of the column of ids where none is named."""
    if models.experiment is None:
        raise InputError(
            f"{models.uri} is a saved learner, which does not know the column of ids", remedy="name it: unit (--unit)"
        )
    return models.experiment.unit


def _unit_of(models: TrainedModels) -> str | None:
    """The column of ids that the run's tables have; None where the number of a row is its id."""
    dataset = models.experiment.dataset if models.experiment else None
    return None if dataset and dataset.row_numbers else _unit_name(models)


def _schema(models: TrainedModels, read: FeatureTable, rules: Mapping[str, MinedRule], unit: str) -> pa.Schema:
    columns = [(f"uplift__{arm}", pa.float32()) for arm in models.arms[1:]]
    columns += [(f"mean__{arm}", pa.float32()) for arm in models.arms]
    columns += [(name, pa.bool_()) for name in rules]
    about = {
        "causal_tasks.model": {"uri": models.uri, "learner": type(models.learners[0]).__name__},
        "causal_tasks.rules": {name: mined.to_json() for name, mined in rules.items()},
    }
    return written_schema(read, unit, columns, about)


def _scores(
    models: TrainedModels,
    batch: UserBatch,
    inside: Mapping[str, np.ndarray],
    schema: pa.Schema,
) -> pa.Table:
    means = models.predict_outcomes(DesignMatrix(batch.known))
    uplift = models.uplift(means)
    predicted = [column.to_numpy() for frame in (uplift, means) for _, column in frame.items()]
    columns: Sequence[object] = [batch.ids.cast(schema.field(0).type), *predicted, *inside.values()]
    return pa.table(columns, schema=schema)
