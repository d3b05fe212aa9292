"""How XGBoost gets features: binned, with bounds that are found once for all rows of a matrix."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from causal_tasks.base_models.design import BIN_BYTES, BINNED_FROM, DesignMatrix
from causal_tasks.base_models.features import Features
from causal_tasks.base_models.stored_design import StoredDesign


def binned(
    design: DesignMatrix | StoredDesign,
    outcome: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    *,
    max_bin: int,
    n_jobs: int,
    device: str,
) -> Any:
    """The rows of the design with what is to be learned of them, as ``xgboost.train`` takes them.

    Args:
        design: Features; those in a file are binned into a temporary file, and never all in memory.
        outcome: Shape (n,).
        weight: Shape (n,); None weighs every row alike.
        max_bin: Bins per feature.
        n_jobs: Threads.
        device: ``cpu`` or ``cuda``.
    """
    import xgboost

    if isinstance(design, StoredDesign):
        return _out_of_core(design, outcome, weight, max_bin=max_bin, n_jobs=n_jobs, device=device)
    kinds = _described(design.features)
    added = tuple((name, np.unique(values).tobytes()) for name, values in design.extra.items())
    bounds = design.shared(
        ("xgboost", max_bin, added),
        lambda: xgboost.QuantileDMatrix(_sample(design), max_bin=max_bin, nthread=n_jobs, **kinds),
    )

    def of_these_rows() -> Any:
        return xgboost.QuantileDMatrix(design.codes, ref=bounds, max_bin=max_bin, nthread=n_jobs, **kinds)

    if design.extra:
        data = of_these_rows()
    else:
        # What has once been weighted stays so.
        key = ("xgboost", max_bin, weight is None, design.digest())
        data = design.recent(key, of_these_rows, size=len(design) * len(design.columns) * BIN_BYTES)
    data.set_label(outcome)
    if weight is not None:
        data.set_weight(weight)
    return data


def _described(features: Features) -> dict[str, Any]:
    return {
        "feature_names": [quote(name) for name in features.names],
        "feature_types": ["q" if levels is None else "c" for levels in features.levels.values()],
        "enable_categorical": True,
    }


def _sample(design: DesignMatrix) -> NDArray[np.float32]:
    """Rows from which bounds are taken, and two of the smallest and the largest values of all features.

    XGBoost makes a bin for every level up to the largest. A number beyond all bounds it would learn from as if it lay
    in the outermost bin, but predict as if it were missing.
    """
    rows = design.without_columns().whole()
    if len(rows) <= BINNED_FROM:
        codes = rows.codes
    else:
        drawn = np.sort(np.random.default_rng(0).choice(len(rows), BINNED_FROM, replace=False))
        outermost = np.vstack([[np.fmin.reduce(chunk.codes), np.fmax.reduce(chunk.codes)] for chunk in rows.chunks()])
        codes = np.vstack([rows.take(drawn).codes, np.fmin.reduce(outermost), np.fmax.reduce(outermost)])
    return np.column_stack([*(_spread(values, len(codes)) for values in design.extra.values()), codes])


def _spread(values: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """The different values, each as often, shape (rows,)."""
    different = np.unique(values)
    return different[np.linspace(0, len(different) - 1, rows).astype(np.intp)]


def _out_of_core(
    design: StoredDesign,
    outcome: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    *,
    max_bin: int,
    n_jobs: int,
    device: str,
) -> Any:
    """Source: XGBoost's external memory: every batch is binned once and read from disk whenever a tree grows."""
    import xgboost

    features = design.features
    kinds = {name: value for name, value in _described(features).items() if name != "enable_categorical"}

    class Batches(xgboost.DataIter):
        def __init__(self, folder: str) -> None:
            self._batches = design.batches()
            super().__init__(cache_prefix=str(Path(folder) / "bins"), on_host=device == "cuda")

        def next(self, input_data: Callable[..., None]) -> bool:
            for positions, frame in self._batches:
                of_batch = None if weight is None else weight[positions]
                input_data(data=features.read_codes(frame), label=outcome[positions], weight=of_batch, **kinds)
                return True
            return False

        def reset(self) -> None:
            self._batches = design.batches()

    folder = TemporaryDirectory(prefix="causal-bins-")
    data = xgboost.ExtMemQuantileDMatrix(Batches(folder.name), max_bin=max_bin, nthread=n_jobs, enable_categorical=True)
    # The files live as long as the matrix that reads them.
    finalize(data, folder.cleanup)
    return data
