"""Users ranked by predicted uplift: the running sums that every curve and score is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.effects.arguments import finite, probabilities, read_arms
from causal_tasks.errors import InputError

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """The users of control and one treatment, ranked by predicted uplift, highest first; equal scores are one block.

    Attributes:
        outcome: Shape (n,), highest score first.
        treated: Shape (n,), same order.
        weight: Shape (n,), same order: 1 / probability of the arm the user is in, 1 in a plain experiment.
        ends: Shape (m + 1,): 0, then the number of users down to the end of each block of equal scores.
        rows: Shape (n,), position of each ranked user in the arrays it was made from.
        uplift: Shape (n,), same order.
    """

    outcome: Vector
    treated: NDArray[np.bool_]
    weight: Vector
    ends: NDArray[np.intp]
    rows: NDArray[np.intp]
    uplift: Vector

    @cached_property
    def share(self) -> Vector:
        """Shape (m + 1,): share of users targeted, from 0 to 1."""
        return self.ends / len(self.outcome)

    @cached_property
    def weight_treatment(self) -> Vector:
        """Shape (m + 1,): running weight (in a plain experiment: number) of treated users."""
        return self._running(self.weight * self.treated)

    @cached_property
    def weight_control(self) -> Vector:
        """Shape (m + 1,): running weight of control users."""
        return self._running(self.weight * ~self.treated)

    @cached_property
    def sum_treatment(self) -> Vector:
        """Shape (m + 1,): running weighted outcome of treated users."""
        return self._running(self.weight * self.outcome * self.treated)

    @cached_property
    def sum_control(self) -> Vector:
        """Shape (m + 1,): running weighted outcome of control users."""
        return self._running(self.weight * self.outcome * ~self.treated)

    @cached_property
    def gain(self) -> Vector:
        """Shape (m + 1,): outcome gained per user of the whole population when the users down to here are treated."""
        difference: Vector = mean_difference(
            self.weight_treatment, self.weight_control, self.sum_treatment, self.sum_control
        )
        return self.share * difference

    def bucket(self, buckets: int) -> NDArray[np.intp]:
        """Shape (n,), same order: which of ``buckets`` equal parts of the ranking; equal scores share one."""
        middle = (self.ends[1:] + self.ends[:-1]) / 2
        return np.repeat((middle * buckets / len(self.outcome)).astype(np.intp), np.diff(self.ends))

    def _running(self, values: Vector) -> Vector:
        return np.concatenate([[0.0], np.cumsum(values)])[self.ends]


def mean_difference(weight_treatment: Any, weight_control: Any, sum_treatment: Any, sum_control: Any) -> Any:
    """Treatment mean minus control mean, elementwise; the mean of no user counts as 0."""
    return _mean(sum_treatment, weight_treatment) - _mean(sum_control, weight_control)


def _mean(total: Any, weight: Any) -> Any:
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)


def rankings(
    outcome: ArrayLike,
    uplift: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    propensity: ArrayLike | None = None,
) -> Iterator[Ranking]:
    """One ranking for each treatment against control, in the order of the treatments' labels.

    Args:
        outcome: Shape (n,), more is better.
        uplift: Shape (n,) for two arms, (n, K) for K treatments, columns in the order of their sorted labels.
        treatment: Shape (n,), arm labels.
        control: Label of the control arm; None: 0.
        propensity: Probability of treatment, a number or shape (n,); None: the same for everybody.

    Raises:
        InputError: Shapes do not match, a value is not finite, or a probability is not between 0 and 1.
    """
    values = finite(outcome, name="outcome")
    arms = read_arms(treatment, control=control)
    treatments = len(arms.labels) - 1
    scores = finite(uplift, name="uplift", dimensions=(1, 2))
    columns = scores.reshape(-1, 1) if scores.ndim == 1 else scores
    if len(arms.codes) != len(values) or columns.shape != (len(values), treatments):
        raise InputError(
            f"outcome has {len(values)} rows, treatment {len(arms.codes)} rows and {treatments} treatments, "
            f"uplift has shape {scores.shape}",
            remedy="pass one uplift column for each treatment",
        )
    weights = _inverse_probability(propensity, arms.codes, treatments)
    for code in range(1, treatments + 1):
        pair = np.flatnonzero((arms.codes == 0) | (arms.codes == code))
        yield _ranked(values, columns[:, code - 1], arms.codes == code, weights, pair)


def only_ranking(outcome: ArrayLike, uplift: ArrayLike, treatment: ArrayLike, **options: Any) -> Ranking:
    """The ranking of an experiment with one treatment.

    Raises:
        InputError: There are several treatments, or as for ``rankings``.
    """
    found = list(rankings(outcome, uplift, treatment, **options))
    if len(found) > 1:
        raise InputError(
            f"treatment: {len(found)} treatments, a curve compares one with control",
            remedy="pass the rows and the uplift of control and one treatment",
        )
    return found[0]


def block_ends(ranked: Vector) -> NDArray[np.intp]:
    """Shape (m + 1,): 0, then the number of scores down to the end of each block of equal ones.

    Args:
        ranked: Scores in an order that keeps equal ones together.
    """
    return np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1, [len(ranked)]])


def _inverse_probability(propensity: ArrayLike | None, codes: NDArray[np.intp], treatments: int) -> Vector:
    if propensity is None:
        return np.ones(len(codes))
    if treatments > 1:
        raise InputError(
            f"propensity: one probability cannot describe {treatments} treatments",
            remedy="score one treatment against control at a time",
        )
    probability = probabilities(propensity, rows=len(codes))
    return 1 / np.where(codes == 1, probability, 1 - probability)


def _ranked(
    outcome: Vector, uplift: Vector, treated: NDArray[np.bool_], weight: Vector, pair: NDArray[np.intp]
) -> Ranking:
    rows = pair[np.argsort(-uplift[pair], kind="stable")]
    sorted_uplift = uplift[rows]
    return Ranking(
        outcome=outcome[rows],
        treated=treated[rows],
        weight=weight[rows],
        ends=block_ends(sorted_uplift),
        rows=rows,
        uplift=sorted_uplift,
    )
