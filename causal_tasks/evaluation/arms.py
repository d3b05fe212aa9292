"""Arm labels as numbers: control is 0, the treatments follow in the order of their labels."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.errors import InputError


class Arms(NamedTuple):
    """The arms of a treatment vector.

    Attributes:
        codes: Shape (n,): 0 for control, k for ``labels[k]``.
        labels: Control first, then the treatments, sorted.
    """

    codes: NDArray[np.intp]
    labels: tuple[Any, ...]


def read_arms(treatment: Any, *, control: Any = None) -> Arms:
    """The arms in ``treatment``.

    Args:
        treatment: Shape (n,), arm labels of any sortable kind.
        control: Label of the control arm; None takes the label that equals 0.

    Raises:
        InputError: A label is missing, there are fewer than two, or none of them is the control arm.
    """
    values = treatment if hasattr(treatment, "dtype") else np.asarray(treatment)
    found, present = pd.factorize(values, sort=True)
    labels = [label.item() if isinstance(label, np.generic) else label for label in present]
    if (found < 0).any():
        raise InputError(
            f"treatment: {int((found < 0).sum())} of {len(found)} labels are missing",
            remedy="drop the rows without an arm",
        )
    wanted = 0 if control is None else control
    if wanted not in labels:
        raise InputError(
            f"treatment: no label among {labels} is {wanted!r}",
            remedy="name the control arm with control=…",
        )
    if len(labels) < 2:
        raise InputError("treatment: every row is in the control arm", remedy="pass the rows of all arms")
    position = labels.index(wanted)
    order = [position, *(k for k in range(len(labels)) if k != position)]
    code_of = np.empty(len(labels), dtype=np.intp)
    code_of[order] = np.arange(len(labels))
    return Arms(code_of[found], tuple(labels[k] for k in order))
