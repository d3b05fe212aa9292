"""Users ranked by predicted uplift: the running sums that every curve and score is made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.effects.arguments import finite, probabilities, read_arms
from causal_tasks.errors import InputError

STRETCH = 1 << 18
"""Blocks whose running sums are held at a time."""

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

    @property
    def weight_treatment(self) -> Vector:
        """Shape (m + 1,): running weight (in a plain experiment: number) of treated users."""
        return self._running[0]

    @property
    def weight_control(self) -> Vector:
        """Shape (m + 1,): running weight of control users."""
        return self._running[1]

    @property
    def sum_treatment(self) -> Vector:
        """Shape (m + 1,): running weighted outcome of treated users."""
        return self._running[2]

    @property
    def sum_control(self) -> Vector:
        """Shape (m + 1,): running weighted outcome of control users."""
        return self._running[3]

    @cached_property
    def gain(self) -> Vector:
        """Shape (m + 1,): outcome gained per user of the whole population when the users down to here are treated."""
        gain: Vector = self.share * mean_difference(*self._running)
        return gain

    @property
    def area(self) -> float:
        """Area under ``gain`` over ``share``."""
        return self._area_and_total[0]

    @property
    def total(self) -> float:
        """The last of ``gain``: what treating everybody gains per user."""
        return self._area_and_total[1]

    def contributions(self, users: slice) -> tuple[Vector, Vector, Vector, Vector]:
        """What a stretch of ranked users adds to the running sums.

        Returns:
            Weight if treated, else 0; weight if control; weighted outcome if treated; weighted outcome if control.
        """
        treatment = self.weight[users] * self.treated[users]
        control = self.weight[users] - treatment
        return treatment, control, treatment * self.outcome[users], control * self.outcome[users]

    def bucket(self, buckets: int) -> NDArray[np.intp]:
        """Shape (n,), same order: which of ``buckets`` equal parts of the ranking; equal scores share one."""
        return np.repeat(np.arange(buckets), np.diff(borders(self.ends, np.linspace(0, 1, buckets + 1))))

    @cached_property
    def _running(self) -> tuple[Vector, ...]:
        running = np.empty((4, len(self.ends)))
        for blocks, stretch in self._stretches():
            running[:, blocks] = stretch
        return tuple(running)

    @cached_property
    def _area_and_total(self) -> tuple[float, float]:
        area, gain = 0.0, np.zeros(1)
        for blocks, running in self._stretches():
            share = self.ends[blocks] / len(self.outcome)
            gain = share * mean_difference(*running)
            area += float(np.trapezoid(gain, share))
        return area, float(gain[-1])

    def _stretches(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Running sums of ``contributions`` a stretch of ``ends`` at a time, each from where the last one ended."""
        running = np.zeros((4, 1))
        for first in range(0, len(self.ends) - 1, STRETCH):
            blocks = slice(first, first + STRETCH + 1)
            ends = self.ends[blocks]
            values = self.contributions(slice(ends[0], ends[-1]))
            running = running[:, -1:] + [np.concatenate([[0.0], np.cumsum(v)])[ends - ends[0]] for v in values]
            yield blocks, running


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
        propensity: Probability of treatment, a number or shape (n,); for K treatments shape (n, K), of that treatment
            among users in it or in control, NaN for users that its ranking leaves out. None: the same for everybody.

    Raises:
        InputError: Shapes do not match, a value is not finite, a probability is not between 0 and 1, or a treatment
            leaves out everybody.
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
    for code, chance in enumerate(_by_treatment(propensity, len(values), treatments), start=1):
        treated = arms.codes == code
        weights = None if chance is None else 1 / np.where(treated, chance, 1 - chance)
        pair = None if treatments == 1 else np.flatnonzero((arms.codes == 0) | treated)
        yield _ranked(values, columns[:, code - 1], treated, weights, _not_left_out(pair, chance))


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
    begins = np.ones(len(ranked) + 1, dtype=bool)
    np.not_equal(ranked[1:], ranked[:-1], out=begins[1:-1])
    return np.flatnonzero(begins)


def borders(ends: NDArray[np.intp], shares: Vector) -> NDArray[np.intp]:
    """Users down to each border between stretches of a ranking; equal scores stay together.

    Args:
        ends: Shape (m + 1,), as from ``block_ends``.
        shares: Of users down to each border, ascending from 0 to 1. A block belongs to the stretch that its middle
            lies in, the later one where that is a border.

    Returns:
        Shape of ``shares``, from 0 to n, so that stretch k holds the ranks from the k-th border up to the next.
    """
    twice_the_middle = ends[1:] + ends[:-1]
    first = np.searchsorted(twice_the_middle, 2 * ends[-1] * shares)
    first[-1] = len(twice_the_middle)
    found: NDArray[np.intp] = ends[first]
    return found


def descending(scores: Vector) -> NDArray[np.intp]:
    """Shape (n,): positions of the scores from the highest to the lowest; the order of equal ones means nothing."""
    order: NDArray[np.intp] = np.argsort(scores)[::-1]
    return order


def _by_treatment(propensity: ArrayLike | None, rows: int, treatments: int) -> Sequence[Vector | None]:
    """The probability of each treatment, shape (rows,) or a number, NaN for users it leaves out; None: unknown."""
    if propensity is None:
        return [None] * treatments
    given = np.asarray(propensity)
    if given.ndim < 2 and treatments == 1:
        return [probabilities(propensity, rows=rows)]
    if given.shape != (rows, treatments):
        raise InputError(
            f"propensity of shape {given.shape} cannot describe {treatments} treatments of {rows} users",
            remedy="pass one column for each treatment, or score one treatment against control at a time",
        )
    columns = [given[:, k].astype(np.float64) for k in range(treatments)]
    for column in columns:
        known = column[~np.isnan(column)]
        probabilities(known, rows=len(known))
    return columns


def _not_left_out(pair: NDArray[np.intp] | None, chance: Vector | None) -> NDArray[np.intp] | None:
    """Of these users, None standing for all, those who have a probability; None where that leaves out nobody."""
    if chance is None or not np.isnan(chance).any():
        return pair
    known = np.flatnonzero(~np.isnan(chance)) if pair is None else pair[~np.isnan(chance[pair])]
    if not len(known):
        raise InputError("propensity is missing for every user", remedy="pass that of the users to be ranked")
    return known


def _ranked(
    outcome: Vector,
    uplift: Vector,
    treated: NDArray[np.bool_],
    weight: Vector | None,
    pair: NDArray[np.intp] | None,
) -> Ranking:
    rows = descending(uplift) if pair is None else pair[descending(uplift[pair])]
    ranked = uplift[rows]
    return Ranking(
        outcome=outcome[rows],
        treated=treated[rows],
        weight=np.broadcast_to(1.0, len(rows)) if weight is None else weight[rows],
        ends=block_ends(ranked),
        rows=rows,
        uplift=ranked,
    )
