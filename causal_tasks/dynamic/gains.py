"""Gains of treatments over control, and the arm that they choose: arrays in, arrays out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.effects.arguments import finite
from causal_tasks.errors import InputError

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Positions = NDArray[np.intp]
Mask = NDArray[np.bool_]
Codes = NDArray[np.intp]


def uplifts(
    preference: ArrayLike, interest: ArrayLike | None, *, treatments: int, interest_weight: float = 1.0
) -> Matrix:
    """``r_k y_k - y_0`` of every request and treatment, shape (n, K), units of the response.

    Args:
        preference: y, shape (n, K + 1).
        interest: r, shape (n, K); None: 1.
        treatments: K.
        interest_weight: w: 1 + w (r - 1) takes the place of r.

    Raises:
        InputError: A value is not finite, a shape is another one, or the weight is not from 0 to 1.
    """
    require_interest_weight(interest_weight)
    responses = _finite(preference, "preference", columns=treatments + 1)
    treated = responses[:, 1:]
    if interest is not None:
        ratios = _finite(interest, "interest", columns=treatments)
        if len(ratios) != len(responses):
            raise InputError(
                f"interest has {len(ratios)} rows, preference {len(responses)}", remedy="pass one of each per request"
            )
        treated = treated * (1 + interest_weight * (ratios - 1))
    return treated - responses[:, :1]


def best_arms(gains: Matrix, allowed: Mask | None) -> Positions:
    """The first treatment with the largest gain among those allowed, 0 where none is above zero, shape (n,).

    Args:
        gains: Shape (n, K).
        allowed: Shape (n, K); None: all.

    Raises:
        InputError: ``allowed`` has another shape.
    """
    if allowed is not None:
        gains = np.where(checked_allowed(allowed, shape=gains.shape), gains, -np.inf)
    best = gains.argmax(axis=1)
    return np.where(gains[np.arange(len(gains)), best] > 0, best + 1, 0)


def checked_allowed(allowed: Mask, *, shape: tuple[int, ...]) -> Mask:
    """Raises InputError where it is no array of True and False of that shape."""
    flags = np.asarray(allowed)
    if flags.dtype != np.bool_ or flags.shape != shape:
        raise InputError(
            f"allowed is {flags.dtype} of shape {flags.shape}", remedy=f"pass True or False, shape {shape}"
        )
    return flags


def checked_thresholds(thresholds: Sequence[float] | Vector, *, treatments: int) -> Vector:
    """Thresholds of all treatments as an array, shape (K,).

    Raises:
        InputError: One is missing or minus infinity, or there are more or fewer.
    """
    values = np.asarray(thresholds, dtype=np.float64)
    if values.shape != (treatments,):
        raise InputError(
            f"thresholds has shape {values.shape} for {treatments} treatments", remedy="pass one for each treatment"
        )
    if np.isnan(values).any() or np.isneginf(values).any():
        raise InputError(f"thresholds are {values.tolist()}", remedy="use numbers, or infinity for never")
    return values


def require_interest_weight(weight: float) -> None:
    """Raises InputError where it is not from 0 to 1."""
    if not 0 <= weight <= 1:
        raise InputError(f"interest_weight is {weight}", remedy="use a number from 0 (not at all) to 1 (as published)")


def arm_positions(arm: ArrayLike, *, arms: int, name: str = "arm") -> Positions:
    """Positions of arms as integers, shape (n,).

    Raises:
        InputError: They are no integers from 0 to ``arms`` - 1.
    """
    positions = np.asarray(arm)
    if positions.ndim != 1 or (len(positions) and positions.dtype.kind not in "iu"):
        raise InputError(
            f"{name} is {positions.dtype} of shape {positions.shape}",
            remedy="pass positions of arms, 0 for control, shape (n,)",
        )
    if len(positions) and not (positions.min() >= 0 and positions.max() < arms):
        raise InputError(
            f"{name} has values from {positions.min()} to {positions.max()}", remedy=f"use positions 0 to {arms - 1}"
        )
    return positions.astype(np.intp)


def _finite(values: ArrayLike, name: str, *, columns: int) -> Matrix:
    matrix = finite(values, name=name, dimensions=(2,))
    if matrix.shape[1] != columns:
        raise InputError(f"{name} has {matrix.shape[1]} columns", remedy=f"pass {columns}, in the order of arms")
    return matrix
