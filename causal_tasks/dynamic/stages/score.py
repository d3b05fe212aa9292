"""Stage ``score``: what every user of the morning is predicted to bring, as a table and as a lookup for servers."""

from typing import Any

import numpy as np
import pyarrow as pa

from causal_tasks.dynamic.day import DayContext
from causal_tasks.dynamic.day_models import DayModels
from causal_tasks.dynamic.lookup import write_lookup
from causal_tasks.dynamic.responses import Preferences
from causal_tasks.dynamic.tables import FeedTables
from causal_tasks.dynamic.user_columns import as_features
from causal_tasks.storage import Uri

OUTCOME, ALLOWED = "y__", "allowed__"
"""Beginnings of the columns with predictions: ``y__<arm>`` combined, ``y__<arm>__<response>``, ``allowed__<arm>``."""


def score(context: DayContext) -> dict[str, Uri]:
    """Write ``scores`` (Parquet), ``lookup`` (safetensors) and ``scored``, which tells how many there are.

    Raises:
        InputError: The users table has no row of the day, or is wrong.
    """
    feed, models = context.feed, DayModels.read(context)
    rows = FeedTables(feed, context.storage).users(context.date, models.features)
    X = as_features(rows, models.features)
    known = models.as_known(X)
    predicted = models.preference.predict(known)
    table = scores_table(rows[feed.unit], predicted, unit=feed.unit)
    scores = context.write_table("scores.parquet", table.to_pandas())
    lookup = f"{context.folder}/lookup.safetensors"
    digest = write_lookup(
        lookup,
        rows[feed.unit].to_pylist(),
        predicted.combined,
        predicted.allowed,
        feed.arms,
        storage=context.storage,
    )
    scored: dict[str, Any] = {
        "users": len(rows),
        "lookup_sha256": digest,
        "new_levels": {
            name: lost
            for name in X.columns[models.known.categorical]
            if (lost := int((X[name].notna() & known[name].isna()).sum()))
        },
        "allowed": dict(zip(feed.treatments, predicted.allowed.mean(axis=0).tolist(), strict=True)),
    }
    return {"scores": scores, "lookup": lookup, "scored": context.write_json("scored.json", scored)}


def scores_table(ids: pa.ChunkedArray, predicted: Preferences, *, unit: str) -> pa.Table:
    """A row per user: the id, what it is predicted to bring under every arm, and which treatments it may get."""
    columns: dict[str, Any] = {unit: ids}
    for position, arm in enumerate(predicted.arms):
        columns[f"{OUTCOME}{arm}"] = predicted.combined[:, position]
        for key, outcomes in predicted.by_response.items():
            columns[f"{OUTCOME}{arm}__{key}"] = outcomes[:, position].astype(np.float32)
    for position, treatment in enumerate(predicted.arms[1:]):
        columns[f"{ALLOWED}{treatment}"] = predicted.allowed[:, position]
    return pa.table(columns)
