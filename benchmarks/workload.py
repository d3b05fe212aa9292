"""The experiment that is measured: simulated users with 28 days of metrics around their exposure and 30 features."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from causal_tasks.data.simulate import simulate_experiment
from causal_tasks.data.tables import ParquetTable, open_table
from causal_tasks.experiment import Experiment, Mining
from causal_tasks.lake import TableName, experiment_uri, source_uris
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage

FEATURES = 30
WINDOW_DAYS = PRE_DAYS = 14
SEED = 7

_USELESS = ("country", "install_id")
"""Features of the simulation that the checks throw out: they would be read for nothing."""

_ROW_GROUP = 131_072


def write_workload(settings: Settings, *, users: int, mining: Mining | None = None) -> Experiment:
    """Write the experiment and its three tables into an empty lake; returns it.

    The simulation's own features are followed by columns of standard normal noise, float32, drawn anew for every row.

    Args:
        settings: Where the lake is.
        users: In the experiment.
        mining: Candidates, finalists and trials; None: the defaults.
    """
    simulated = simulate_experiment(
        settings, experiment_id=f"bench_{users}", users=users, seed=SEED, window_days=WINDOW_DAYS, pre_days=PRE_DAYS
    )
    known = [name for name in simulated.features.dictionary if name not in _USELESS]
    _add_noise(settings, simulated, columns=FEATURES - len(known))
    experiment = simulated.model_copy(
        update={
            "features": simulated.features.model_copy(update={"exclude": _USELESS}),
            "mining": mining or simulated.mining,
        }
    )
    statement = experiment.model_dump(mode="json", by_alias=True)
    Storage(settings).write_json(experiment_uri(experiment.experiment_id, settings), statement)
    return experiment


def tables_of(experiment: Experiment, settings: Settings) -> dict[TableName, ParquetTable]:
    """The three tables, with their footers read."""
    storage = Storage(settings)
    return {name: open_table(storage, uri, name) for name, uri in source_uris(experiment, settings).items()}


def _add_noise(settings: Settings, experiment: Experiment, *, columns: int) -> None:
    storage, folder = Storage(settings), source_uris(experiment, settings)["features"]
    for number, stored in enumerate(storage.list_files(folder, suffix=".parquet", hash_local=False)):
        uri = f"{folder}/{stored.path}"
        rows = pq.read_table(pa.BufferReader(storage.read_bytes(uri)))
        rng = np.random.default_rng((SEED, number))
        for column in range(1, columns + 1):
            noise = rng.standard_normal(rows.num_rows, dtype=np.float32)
            rows = rows.append_column(f"noise_{column:02d}", pa.array(noise))
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, row_group_size=_ROW_GROUP, compression="zstd")
        storage.write_bytes(uri, sink.getvalue().to_pybytes())
