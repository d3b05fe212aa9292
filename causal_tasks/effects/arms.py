"""Arguments that every estimator shares, checked and brought into one form: outcomes, two arms, clusters."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.errors import InputError

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]


def finite(values: npt.ArrayLike, *, name: str, ndim: int = 1) -> Floats:
    """``values`` as float64 without missing or infinite entries.

    Args:
        values: Shape (n,) or, with ``ndim`` 2, (n,) or (n, p).
        name: Of the argument, for errors.
        ndim: Dimensions of the result; one column is added to a vector where 2 are asked for.

    Raises:
        InputError: A value is no finite number, or the shape is another one.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not numeric ({error})", remedy="pass numbers only") from error
    if ndim == 2 and array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != ndim:
        raise InputError(f"{name} has shape {array.shape}", remedy=f"pass {ndim} dimension(s), one row per unit")
    bad = ~np.isfinite(array)
    if bad.any():
        row = int(np.argwhere(bad)[0, 0])
        raise InputError(
            f"{name} has {int(bad.sum())} missing or infinite of {bad.size} values (first: row {row})",
            remedy="leave those units out, or say what a missing value means",
        )
    return array


def treated_mask(treatment: npt.ArrayLike, *, control: Any = None, rows: int) -> Mask:
    """Which units were treated, shape (n,).

    Args:
        treatment: Shape (n,), two different arm labels.
        control: Label of the control arm; None: 0 or False.
        rows: How many units there must be.

    Raises:
        InputError: There are not exactly two arms with at least two units each, or none of them is the control.
    """
    codes, labels = _factorized(treatment, name="treatment", rows=rows)
    if len(labels) > 2:
        raise InputError(
            f"treatment has {len(labels)} labels ({', '.join(map(repr, labels[:5]))})",
            remedy="compare one treatment with the control at a time",
        )
    is_control = np.asarray(labels == (0 if control is None else control), dtype=bool)
    if not is_control.any():
        known = ", ".join(map(repr, labels)) or "none"
        raise InputError(
            f"control arm {0 if control is None else control!r} has no unit; labels are {known}",
            remedy="name the control's label: control=…",
        )
    treated = ~is_control[codes]
    smallest = min(int(treated.sum()), int((~treated).sum()))
    if smallest < 2:
        raise InputError(f"an arm has {smallest} unit(s)", remedy="a comparison needs at least two units in each arm")
    return treated


def cluster_codes(clusters: npt.ArrayLike | None, *, treated: Mask) -> Codes:
    """Codes 0, 1, … of the independent groups of units, shape (n,); every unit its own where ``clusters`` is None.

    Raises:
        InputError: A unit has no cluster, or an arm consists of one cluster.
    """
    if clusters is None:
        return np.arange(len(treated))
    codes, _ = _factorized(clusters, name="clusters", rows=len(treated))
    for arm, members in (("control", codes[~treated]), ("treatment", codes[treated])):
        if (members == members[0]).all():
            raise InputError(
                f"all units of the {arm} arm are in one cluster",
                remedy="a standard error needs at least two clusters in each arm",
            )
    return codes


def _factorized(labels: npt.ArrayLike, *, name: str, rows: int) -> "tuple[Codes, pd.Index[Any]]":
    series = pd.Series(labels)
    if len(series) != rows:
        raise InputError(f"{name} has {len(series)} rows, the outcome {rows}", remedy="pass one row per unit in both")
    codes, found = pd.factorize(series)
    if (codes < 0).any():
        raise InputError(
            f"{name} is missing for {int((codes < 0).sum())} of {rows} units", remedy="leave those units out"
        )
    return codes, pd.Index(found)
