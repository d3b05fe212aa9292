"""How a treatment changes a ranked slate: more places for one category of durations, the order within each kept."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.dynamic.durations import duration_buckets
from causal_tasks.effects.arguments import finite
from causal_tasks.errors import InputError
from causal_tasks.feed import DurationBuckets

Positions = NDArray[np.intp]
Mask = NDArray[np.bool_]


def reordered(
    candidates: ArrayLike,
    raised: str | None,
    durations: DurationBuckets,
    *,
    size: int,
    boost: float,
    stage: Literal["retrieval", "ranking", "reranking"],
) -> Positions:
    """The order of ranked candidates that gives a category more of the first places.

    Of the first ``size`` places the category gets ``round(boost * size)`` more than it has, as far as there are
    candidates of it. Within the category and among all others the ranking stays. What the stages do beyond that:

    ``retrieval``: a quota. The best of the category and of the others up to their numbers form the pool, in the order
        of their ranking, and the next stage ranks them.
    ``ranking``: a shift of scores. All candidates of the category move up by one number of places, the smallest that
        gives it its number; strong candidates of it lead the slate.
    ``reranking``: interleaving. The slate keeps its pattern, and the additional candidates come in at even distances.

    Args:
        candidates: How long they are, best first, shape (c,), seconds.
        raised: Label of the category; None: nothing changes.
        durations: The categories.
        size: Places; more than there are candidates is as many.
        boost: Share of the places.
        stage: See above.

    Returns:
        Positions of ``candidates``, shape (c,).

    Raises:
        InputError: A duration is no finite number above 0, the category is unknown, or ``size`` is below 1.
    """
    seconds = finite(candidates, name="candidates")
    if (seconds <= 0).any():
        raise InputError(f"candidates has {seconds.min():g}", remedy="durations are seconds above 0")
    if size < 1:
        raise InputError(f"size is {size}", remedy="pass the number of places of the slate, at least 1")
    places = np.arange(len(seconds))
    if raised is None:
        return places
    if raised not in durations.labels:
        raise InputError(f"category {raised!r} is unknown", remedy=f"use one of {', '.join(durations.labels)}")
    of_category = duration_buckets(seconds, durations) == durations.labels.index(raised)
    top = min(size, len(places))
    has = int(of_category[:top].sum())
    more = min(int(boost * top + 0.5), int(of_category[top:].sum()), top - has)
    if not more:
        return places
    inside, outside = places[of_category], places[~of_category]
    kept = top - has - more
    if stage == "ranking":
        shift = inside[has + more - 1] - outside[kept]
        return np.lexsort((~of_category, places - shift * of_category))
    chosen = np.concatenate([inside[: has + more], outside[:kept]])
    rest = np.delete(places, chosen)
    if stage == "retrieval":
        return np.concatenate([np.sort(chosen), rest])
    pattern = _interleaved(of_category[np.sort(np.concatenate([inside[:has], outside[:kept]]))], more)
    slate = np.empty(top, np.intp)
    slate[pattern], slate[~pattern] = inside[: has + more], outside[:kept]
    return np.concatenate([slate, rest])


def _interleaved(pattern: Mask, more: int) -> Mask:
    """A pattern of places with so many True more, at even distances, shape (len(pattern) + more,)."""
    size = len(pattern) + more
    added = ((np.arange(more) + 0.5) * size / more).astype(np.intp)
    places = np.ones(size, np.bool_)
    places[np.delete(np.arange(size), added)] = pattern
    return places
