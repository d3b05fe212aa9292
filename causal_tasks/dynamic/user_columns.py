"""Columns of the users table as models and reports take them: features, and the segment."""

from collections.abc import Sequence
from datetime import date as Date  # noqa: N812 - columns have the name

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.feed import Feed

EVERYBODY = "all"
"""Segment where the feed names no column of segments."""

MISSING = "missing"
"""Segment of users whose column has no value."""


def as_features(rows: pa.Table, names: Sequence[str]) -> pd.DataFrame:
    """Columns of a table of users as a frame that models learn from: text becomes categories."""
    return pd.DataFrame(
        {
            name: rows[name].to_pandas().astype("category")
            if pa.types.is_large_string(rows[name].type)
            else rows[name].to_numpy()
            for name in names
        },
        index=range(len(rows)),
        copy=False,
    )


def segments_of(rows: pa.Table, feed: Feed) -> NDArray[np.object_]:
    """Segment of each row of a users table, shape (n,)."""
    if feed.segment is None:
        return np.full(len(rows), EVERYBODY, dtype=object)
    values = rows[feed.segment].to_pandas()
    labels = values if pa.types.is_large_string(rows[feed.segment].type) else values.map("{:g}".format)
    return np.where(values.isna(), MISSING, labels).astype(object)


def with_segment(names: list[str], feed: Feed) -> list[str]:
    """Columns of the users table that are read where the segment is wanted beside features."""
    return list(dict.fromkeys([*names, *([feed.segment] if feed.segment else [])]))


def of_several_mornings(features: list[pa.Table], days: list[Date]) -> pa.Table:
    """Features of several mornings in one table; a column without a value on a morning is of the kind of the others.

    Args:
        features: By morning.
        days: The mornings.

    Raises:
        InputError: A column holds text on one morning and numbers on another.
    """
    features = list(features)
    for name in features[0].column_names:
        text = [pa.types.is_large_string(rows[name].type) for rows in features]
        if not any(text):
            continue
        for at, rows in enumerate(features):
            if text[at]:
                continue
            if rows[name].null_count < len(rows):
                raise InputError(
                    f"users table: column {name!r} is text on {days[text.index(True)]}, but numbers on {days[at]}",
                    remedy="write it with one type on all days, or leave it out of features of the feed",
                )
            features[at] = rows.set_column(
                rows.column_names.index(name), name, rows[name].cast(pa.string()).cast(pa.large_string())
            )
    return pa.concat_tables(features, promote_options="permissive")
