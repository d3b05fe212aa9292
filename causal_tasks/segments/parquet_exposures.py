"""Exposures from a table in Parquet files that need not fit into memory."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from causal_tasks.base_models.features import Features
from causal_tasks.data.contracts import column_of, id_type, require_no_null, require_numbers
from causal_tasks.data.feature_contracts import feature_column
from causal_tasks.data.tables import ParquetTable, open_table
from causal_tasks.errors import InputError
from causal_tasks.segments.covariates import CovariateTerms
from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.mapped_exposures import mapped_exposures
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage
from causal_tasks.uplift.feature_table import FeatureTable

_NAME = "exposures"


def exposures_from_parquet(
    source: str | Path,
    *,
    response: str,
    creative: str,
    segment: str | Mapping[str, str],
    covariates: Sequence[str],
    folder: Path,
    fold: str | None = None,
    family: str = "binomial",
    standardize: bool = True,
    dtype: DTypeLike = np.float32,
    terms: CovariateTerms | None = None,
    settings: Settings | None = None,
) -> Exposures:
    """What an estimator is fitted on, from a Parquet table in any order, one row per person.

    Only the columns named are read, some 65,536 rows at a time; see ``mapped_exposures`` for what is kept where.

    Args:
        source: Path or address of a Parquet file or a folder of them.
        response: Column of numbers.
        creative: Column, text or integer: the creative that each person was shown.
        segment: Column, text or integer: the segment that this creative was made for; or segment by creative.
        covariates: Columns of numbers, booleans or text.
        folder: Where files are written; they are needed as long as the exposures are.
        fold: Column of integers: the fold that each person is in.
        family: See ``Exposures.checked``.
        standardize: See there.
        dtype: See there.
        terms: See there.
        settings: Where stores are; None: those of the environment.

    Raises:
        InputError: A column is missing, of the wrong type or named for two things, a response or label is missing, or
            as for ``mapped_exposures``.
        ConfigurationError: The folder cannot be written.
    """
    uri = str(source) if "://" in str(source) else f"file://{Path(source).resolve()}"
    table = open_table(Storage(settings or Settings()), uri, _NAME)
    labels = [name for name in (creative, segment, fold) if isinstance(name, str)]
    _require_apart(table, [response, *labels], covariates)
    require_numbers(table, [response])
    types = {response: pa.float64()}
    types |= {name: id_type(table, name, remedy=f"write {name!r} as text or as 64-bit integers") for name in labels}
    require_no_null(table, types)
    if fold is not None and types[fold] != pa.int64():
        raise InputError(f"{column_of(table, fold)} is text", remedy="write folds as integers")
    columns = {name: feature_column(table, name) for name in covariates}
    types |= {name: column.read for name, column in columns.items()}
    levels = {name: () if column.kind == "categorical" else None for name, column in columns.items()}
    rows = FeatureTable(table, None, Features(levels), pa.schema(list(types.items())))
    vectors = _vectors(rows, [response, *labels])
    try:
        return mapped_exposures(
            lambda: _covariates(rows, covariates),
            vectors[response],
            creative=vectors[creative],
            segment=vectors[segment] if isinstance(segment, str) else segment,
            fold=None if fold is None else vectors[fold],
            folder=folder,
            family=family,
            standardize=standardize,
            dtype=dtype,
            terms=terms,
        )
    except InputError as error:
        # What is wrong with a vector is told without the column that it comes from.
        raise InputError(
            f"{uri}, columns {response!r} (response) and {creative!r} (creative): {error.message}", remedy=error.remedy
        ) from error


def _require_apart(table: ParquetTable, others: Sequence[str], covariates: Sequence[str]) -> None:
    names = [*others, *covariates]
    if not covariates or len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(
            f"{table.name} table: {len(covariates)} covariates; named for two things: {twice}",
            remedy="name at least one covariate, and each column for one thing",
        )


def _vectors(rows: FeatureTable, names: Sequence[str]) -> Mapping[str, NDArray[Any]]:
    """Whole columns, shape (n,) each."""
    held = pa.concat_tables(list(rows.batches(names)))
    return {name: _values(held[name]) for name in names}


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    if not pa.types.is_large_string(column.type):
        numbers: NDArray[Any] = column.to_numpy()
        return numbers
    # Every label is held once, however many people have it.
    codes = column.combine_chunks().dictionary_encode()
    levels: NDArray[Any] = np.array(codes.dictionary.to_pylist(), dtype=object)
    labels: NDArray[Any] = levels[codes.indices.to_numpy()]
    return labels


def _covariates(rows: FeatureTable, names: Sequence[str]) -> Iterator[pd.DataFrame]:
    for batch in rows.batches(names):
        yield rows.raw(batch)
