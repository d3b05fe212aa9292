"""Stage ``learn``: the preference model, refreshed from an earlier day's or trained anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from causal_tasks.base_models import Features
from causal_tasks.dynamic.day import DayContext, FeedDay
from causal_tasks.dynamic.day_models import MODEL, TRAINING, known_features
from causal_tasks.dynamic.long_term import LongTermUplift
from causal_tasks.dynamic.periods import LEARN, Drawn, Periods, learned_days, read_periods
from causal_tasks.dynamic.responses import LongTermResponses
from causal_tasks.dynamic.tables import FeedTables
from causal_tasks.feed import Feed
from causal_tasks.storage import Uri


def learn(context: DayContext) -> dict[str, Uri]:
    """Write ``model`` and ``training``.

    Raises:
        InputError: There is no finished period, an arm has none, or a table is wrong.
    """
    feed, tables = context.feed, FeedTables(context.feed, context.storage)
    drawn = Drawn.read(tables, context.date)
    periods = read_periods(tables, drawn, context.date, LEARN)
    earlier = newest_model(context.day)
    reason = why_anew(earlier, periods, context)
    refreshed = earlier if reason is None else None
    model = _refreshed(refreshed, periods, context) if refreshed else _anew(periods, context)
    with TemporaryDirectory() as local:
        model.save(Path(local))
        written = context.write_folder(MODEL, Path(local))
    training = {
        "how": "refreshed" if refreshed else "anew",
        "from": str(refreshed.date) if refreshed else None,
        "anew_on": str(refreshed.anew_on if refreshed else context.date),
        "reason": reason,
        "features": list(periods.X.columns),
        "known": known_features(model).to_json(),
        "users": int(periods.users.nunique()),
        "periods": len(periods),
        "epochs": {key: fitted.training_.best for key, fitted in model.models_.items()},
        "without_features": periods.without_features,
        "not_finished": periods.not_finished,
        "arms": arms_drawn(drawn.frame[feed.arm_column], feed),
        "shares_p_value": shares_p_value(drawn.frame[feed.arm_column], feed),
        "days": [str(day) for day in learned_days(feed, context.date)],
        "notes": [*model.notes_, *(["responses_outlast_periods"] if drawn.outlasted() else [])],
    }
    return {MODEL: written, TRAINING: context.write_json("training.json", training)}


@dataclass(frozen=True, slots=True)
class EarlierModel:
    """The preference model of an earlier day.

    Attributes:
        date: That day.
        anew_on: Day on which it, or the one that it descends from, was trained from scratch.
        features: Columns that it reads.
        known: Its features with their levels.
        uri: Its folder.
    """

    date: Date
    anew_on: Date
    features: list[str]
    known: Features
    uri: Uri


def newest_model(day: FeedDay) -> EarlierModel | None:
    """The model of the newest earlier day that may still be refreshed; None where there is none."""
    for ago in range(1, day.feed.learning.anew_every):
        earlier = day.before(ago)
        manifest = earlier.manifest("learn")
        if manifest is None:
            continue
        outputs = {name: f"{earlier.uri}/{output.path}" for name, output in manifest.outputs.items()}
        training = day.storage.read_json(outputs[TRAINING])
        return EarlierModel(
            earlier.date,
            Date.fromisoformat(training["anew_on"]),
            training["features"],
            Features.from_json(training["known"]),
            outputs[MODEL],
        )
    return None


def why_anew(earlier: EarlierModel | None, periods: Periods, context: DayContext) -> str | None:
    """Why the model is trained from scratch, as a code; None where it is refreshed.

    ``first``: no earlier day may be refreshed; ``anew_every``: its days are over; ``features``: the users table has
    other features; ``levels:<name>``: a category has values that the earlier model does not know.
    """
    if earlier is None:
        return "first"
    if (context.date - earlier.anew_on).days >= context.feed.learning.anew_every:
        return "anew_every"
    if earlier.features != list(periods.X.columns):
        return "features"
    known = Features.of(periods.X)
    return next(
        (f"levels:{name}" for name in known.names if not _covers(earlier.known, known, name)),
        None,
    )


def _covers(earlier: Features, known: Features, name: str) -> bool:
    """Whether a feature is of the same kind, and all its levels were there."""
    levels, before = known.levels[name], earlier.levels[name]
    if levels is None or before is None:
        return levels is before
    return set(levels) <= {*before, *earlier.unseen.get(name, ())}


def arms_drawn(drawn: pd.Series, feed: Feed) -> dict[str, dict[str, float]]:
    """Periods and their share by arm, beside the share that the feed states."""
    counts = {arm: int((drawn == arm).sum()) for arm in feed.arms}
    return {
        arm: {"periods": count, "share": count / len(drawn), "expected": feed.propensity[arm]}
        for arm, count in counts.items()
    }


def shares_p_value(drawn: pd.Series, feed: Feed) -> float:
    """Of arms drawn with the stated shares, by Pearson's chi-squared; draws of one user are independent."""
    counts: Mapping[Any, int] = drawn.value_counts().to_dict()
    observed = np.array([counts.get(arm, 0) for arm in feed.arms], dtype=np.float64)
    expected = np.array([feed.propensity[arm] for arm in feed.arms]) * len(drawn)
    return float(chi2.sf(((observed - expected) ** 2 / expected).sum(), len(expected) - 1))


def _refreshed(earlier: EarlierModel, periods: Periods, context: DayContext) -> LongTermResponses:
    with TemporaryDirectory() as local:
        context.storage.download(earlier.uri, Path(local))
        model = LongTermResponses.load(Path(local))
    for fitted in model.models_.values():
        fitted.set_params(device=context.settings.device, n_jobs=context.settings.threads)
    return model.refreshed(periods.X, periods.outcomes, periods.arm, clusters=periods.users)


def _anew(periods: Periods, context: DayContext) -> LongTermResponses:
    learning = context.feed.learning
    model = LongTermUplift(
        bucketing=learning.bucketing,
        guidance=learning.guidance,
        buckets=learning.buckets,
        embedding=learning.embedding,
        loss=learning.response_loss,
        device=context.settings.device,
        n_jobs=context.settings.threads,
        random_state=learning.seed,
    )
    return LongTermResponses(context.feed.responses, model).fit(
        periods.X, periods.outcomes, periods.arm, control=context.feed.control, clusters=periods.users
    )
