"""What the request-time model learns: how well a category of durations did in a request, against the user's usual."""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causal_tasks.dynamic.ragged import Ragged
from causal_tasks.dynamic.requests import LONG_PLAY, PLAYS, SHORT_PLAY
from causal_tasks.errors import InputError

Kind = Literal["ratio", "share"]
Labels = NDArray[np.float32]
_Numbers = NDArray[np.float64]


def interest_labels(
    shown: Ragged,
    user: ArrayLike,
    buckets: ArrayLike,
    *,
    kind: Kind = "ratio",
    smoothing: float = 1.0,
    prior_requests: float = 10.0,
) -> Labels:
    """Interest of each request in the category that each treatment raises, shape (n, K), about 1.

    First the plays of a request's items of the category make one number: for ``ratio`` as published the long ones over
    the short ones, (long + a) / (short + a) with a = ``smoothing``; for ``share`` the long ones over all. It is then
    divided by the user's own mean, for which the mean of everybody counts as that of ``prior_requests`` further
    requests; and at last by what makes the mean of each column exactly 1, which is the scale on which an interest
    multiplies a preference. NaN where a request showed nothing of the category, or where the
    mean to divide by is 0.

    For an item's chance p of a long play, p(x) the user's usual one, the mean of ``share`` is p / p(x) whatever number
    of items is shown, so that it tells the factor by which interest moves the chance. The mean of ``ratio`` grows
    faster than p, and the faster the more items of the category are shown.

    Args:
        shown: Tokens of what was shown and how it was played, n requests, see ``requests.shown_plays``.
        user: Shape (n,), whose requests they are.
        buckets: Shape (K,), category of durations that each treatment raises, see ``durations.treated_buckets``.
        kind: See above.
        smoothing: a, above 0; of no meaning for ``share``.
        prior_requests: See above, not negative.

    Raises:
        InputError: Lengths differ, a user is missing, or an argument is out of range.

    Source: the published description of CDUM (arXiv 2410.16755), which leaves smoothing and scale open.
    """
    raised = np.asarray(buckets, dtype=np.intp)
    _require(kind, smoothing, prior_requests)
    of_user, users = pd.factorize(np.asarray(user))
    if len(of_user) != len(shown) or (of_user < 0).any():
        raise InputError(
            f"user has {len(of_user):,} values of which {(of_user < 0).sum():,} are missing, "
            f"there are {len(shown):,} requests",
            remedy="pass the user of every request",
        )
    categories = _categories(shown, raised)
    counts = shown.counts(categories * PLAYS).reshape(len(shown), categories, PLAYS)[:, raised]
    success = _success(counts, kind, smoothing)
    usual = _usual(success, of_user, len(users), prior_requests)
    return _around_one(success / np.where(usual > 0, usual, np.nan)[of_user])


def _success(counts: NDArray[np.int64], kind: Kind, smoothing: float) -> _Numbers:
    """What the plays of each request say, NaN where there are none, shape (n, K)."""
    number, long = counts.sum(axis=2), counts[:, :, LONG_PLAY]
    if kind == "ratio":
        said = (long + smoothing) / (counts[:, :, SHORT_PLAY] + smoothing)
    else:
        said = long / np.maximum(number, 1)
    return np.where(number > 0, said, np.nan)


def _usual(success: _Numbers, of_user: NDArray[np.intp], users: int, prior_requests: float) -> _Numbers:
    """Mean of each user, shrunk toward everybody's, shape (users, K)."""
    known = np.isfinite(success)
    columns = []
    for said, tells in zip(success.T, known.T, strict=True):
        sums = np.bincount(of_user[tells], weights=said[tells], minlength=users)
        numbers = np.bincount(of_user[tells], minlength=users)
        everybody = said[tells].mean() if tells.any() else np.nan
        with np.errstate(invalid="ignore", divide="ignore"):
            columns.append((sums + prior_requests * everybody) / (numbers + prior_requests))
    return np.stack(columns, axis=1)


def _around_one(relative: _Numbers) -> Labels:
    """The same with mean 1 in each column."""
    known = np.isfinite(relative)
    totals = np.where(known, relative, 0).sum(axis=0)
    labels: Labels = (relative * known.sum(axis=0) / np.where(totals > 0, totals, np.nan)).astype(np.float32)
    return labels


def _categories(shown: Ragged, raised: NDArray[np.intp]) -> int:
    """Number of categories up to the last that is shown or raised."""
    largest = int(shown.tokens.max(initial=0)) // PLAYS
    return max(largest, int(raised.max())) + 1


def _require(kind: str, smoothing: float, prior_requests: float) -> None:
    if kind not in ("ratio", "share") or not smoothing > 0 or not prior_requests >= 0:
        raise InputError(
            f"labels of kind={kind!r} with smoothing={smoothing}, prior_requests={prior_requests}",
            remedy="let kind be ratio or share, smoothing be above 0 and prior_requests not negative",
        )
