"""Arguments that every estimator shares, checked and brought into one form: numbers, arms, clusters, propensities."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.errors import InputError

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]


class Arms(NamedTuple):
    """The arms of a treatment vector.

    Attributes:
        codes: Shape (n,): 0 for control, k for ``labels[k]``.
        labels: Control first, then the treatments, sorted.
    """

    codes: Codes
    labels: tuple[Any, ...]


def finite(values: npt.ArrayLike, *, name: str, dimensions: tuple[int, ...] = (1,)) -> Floats:
    """``values`` as float64 without missing or infinite entries.

    Args:
        values: Of any shape with one of ``dimensions``.
        name: Of the argument, for errors.
        dimensions: Numbers of dimensions that it may have.

    Raises:
        InputError: A value is no finite number, or the shape is another one.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not numeric ({error})", remedy="pass numbers only") from error
    if array.ndim not in dimensions:
        allowed = " or ".join(map(str, dimensions))
        raise InputError(f"{name} has shape {array.shape}", remedy=f"pass {allowed} dimension(s), one row per unit")
    bad = ~np.isfinite(array)
    if bad.any():
        first = f" (first: row {np.argwhere(bad)[0, 0]})" if array.ndim else ""
        raise InputError(
            f"{name} has {int(bad.sum())} missing or infinite of {bad.size} values{first}",
            remedy="leave those units out, or say what a missing value means",
        )
    return array


def read_arms(treatment: Any, *, control: Any = None) -> Arms:
    """The arms in ``treatment``.

    Args:
        treatment: Shape (n,), arm labels of any sortable kind.
        control: Label of the control arm; None: 0 or False.

    Raises:
        InputError: A label is missing, there are fewer than two, or none of them is the control arm.
    """
    found, present = label_codes(treatment, name="treatment")
    labels = [label.item() if isinstance(label, np.generic) else label for label in present]
    wanted = 0 if control is None else control
    if wanted not in labels:
        raise InputError(
            f"treatment: control arm {wanted!r} has no unit, no label among {labels} is {wanted!r}",
            remedy="name the control arm's label: control=…",
        )
    if len(labels) < 2:
        raise InputError("treatment: every row is in the control arm", remedy="pass the rows of all arms")
    position = labels.index(wanted)
    order = [position, *(k for k in range(len(labels)) if k != position)]
    code_of = np.empty(len(labels), dtype=np.intp)
    code_of[order] = np.arange(len(labels))
    return Arms(code_of[found], tuple(labels[k] for k in order))


def treated_mask(treatment: npt.ArrayLike, *, control: Any = None, rows: int) -> Mask:
    """Which units were treated, shape (n,).

    Args:
        treatment: Shape (n,), two different arm labels.
        control: Label of the control arm; None: 0 or False.
        rows: How many units there must be.

    Raises:
        InputError: There are not exactly two arms with at least two units each, or none of them is the control.
    """
    arms = read_arms(treatment, control=control)
    require_rows(len(arms.codes), name="treatment", rows=rows)
    if len(arms.labels) > 2:
        raise InputError(
            f"treatment has {len(arms.labels)} labels ({', '.join(map(repr, arms.labels[:5]))})",
            remedy="compare one treatment with the control at a time",
        )
    treated: Mask = arms.codes == 1
    smallest = min(int(treated.sum()), int((~treated).sum()))
    if smallest < 2:
        raise InputError(f"an arm has {smallest} unit(s)", remedy="a comparison needs at least two units in each arm")
    return treated


def cluster_codes(clusters: npt.ArrayLike | None, *, rows: int) -> Codes:
    """Codes 0, 1, … of the independent groups of units, shape (n,); every unit its own where ``clusters`` is None.

    Args:
        clusters: Shape (n,), labels of any sortable kind; None: units are independent.
        rows: How many units there must be.

    Raises:
        InputError: There are more or fewer rows, or a unit has no cluster.
    """
    if clusters is None:
        return np.arange(rows)
    codes, _ = label_codes(clusters, name="clusters")
    require_rows(len(codes), name="clusters", rows=rows)
    return codes


def probabilities(propensity: npt.ArrayLike, *, rows: int) -> Floats:
    """Probabilities of treatment, shape () or (n,).

    Args:
        propensity: A number or shape (n,).
        rows: How many units there are.

    Raises:
        InputError: There are more or fewer rows, or a value is not between 0 and 1.
    """
    values = finite(propensity, name="propensity", dimensions=(0, 1))
    if values.ndim:
        require_rows(len(values), name="propensity", rows=rows)
    if not ((values > 0) & (values < 1)).all():
        raise InputError(
            f"propensity has values from {values.min():g} to {values.max():g}",
            remedy="use probabilities between 0 and 1; leave out units that could be in one arm only",
        )
    return values


def label_codes(labels: Any, *, name: str) -> tuple[Codes, Any]:
    """Position of every label among the different ones in their order, shape (n,), and these.

    Args:
        labels: Shape (n,), of any sortable kind.
        name: Of the argument, for errors.

    Raises:
        InputError: A label is missing.
    """
    codes, present = pd.factorize(labels if hasattr(labels, "dtype") else np.asarray(labels), sort=True)
    if (codes < 0).any():
        raise InputError(
            f"{name} is missing for {int((codes < 0).sum())} of {len(codes)} units", remedy="leave those units out"
        )
    return codes, present


def require_rows(found: int, *, name: str, rows: int) -> None:
    """Check that an argument has a row for each outcome.

    Raises:
        InputError: It has more or fewer.
    """
    if found != rows:
        raise InputError(f"{name} has {found} rows, the outcome {rows}", remedy="pass one row per unit in both")
