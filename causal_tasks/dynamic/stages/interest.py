"""Stage ``interest``: the request-time model, trained anew every day."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from causal_tasks.dynamic.day import DayContext
from causal_tasks.dynamic.day_models import MODEL, TRAINING
from causal_tasks.dynamic.decision_log import requests_by_day, sampled_share
from causal_tasks.dynamic.durations import treated_buckets
from causal_tasks.dynamic.interest_labels import interest_labels
from causal_tasks.dynamic.periods import LEARN
from causal_tasks.dynamic.real_time import RealTimeInterest
from causal_tasks.dynamic.requests import Requests, shown_plays
from causal_tasks.dynamic.tables import FeedTables
from causal_tasks.errors import InputError
from causal_tasks.storage import Uri


def interest(context: DayContext) -> dict[str, Uri]:
    """Write ``model`` and ``training``; without a table of requests no model, and ``training`` is null.

    Raises:
        InputError: The table has no request of the users that models are learned from, or is wrong.
    """
    feed = context.feed
    if feed.tables.requests is None:
        return {TRAINING: context.write_json("training.json", None)}
    tables = FeedTables(feed, context.storage)
    share = sampled_share(tables, context.date)
    read = [rows for _, rows in requests_by_day(tables, context.date, LEARN, share=share, shown=True)]
    if not read:
        raise InputError(
            f"requests table: no request in the {feed.learning.days} days before {context.date} of users that models "
            "are learned from",
            remedy="write requests of more users",
        )
    rows = pd.concat(read, ignore_index=True)
    labels = interest_labels(shown_plays(rows, feed), rows[feed.unit], treated_buckets(feed), kind=feed.learning.label)
    model = RealTimeInterest(
        loss=feed.learning.interest_loss,
        device=context.settings.device,
        n_jobs=context.settings.threads,
        random_state=feed.learning.seed,
    ).fit(Requests.from_frame(rows, feed), labels, users=rows[feed.unit])
    with TemporaryDirectory() as local:
        model.save(Path(local))
        written = context.write_folder(MODEL, Path(local))
    labelled = np.isfinite(labels).mean(axis=0)
    training = {
        "how": "anew",
        "requests": len(rows),
        "users": int(rows[feed.unit].nunique()),
        "sampled_share": share,
        "label": feed.learning.label,
        "labelled": dict(zip(feed.treatments, labelled.tolist(), strict=True)),
        "epochs": model.training_.best,
    }
    return {MODEL: written, TRAINING: context.write_json("training.json", training)}
