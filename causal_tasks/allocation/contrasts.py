"""Which arms a decision factor compares, and in what order of cost."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.errors import InputError

Kind = Literal["uplift_rank", "direct_roi", "marginal_roi"]

_CLEAR = 2.0
"""Standard errors from zero at which two arms differ in cost."""

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class Differences(NamedTuple):
    """Between arms, in the mean of all units.

    Attributes:
        mean: Shape (K,).
        standard_error: Shape (K,); 0 where prices are known.
    """

    mean: Vector
    standard_error: Vector

    @classmethod
    def of(cls, effects: Matrix) -> Self:
        """Those of unbiased guesses of every unit's effects, shape (n, K)."""
        return cls(effects.mean(axis=0), effects.std(axis=0, ddof=1) / np.sqrt(len(effects)))

    @property
    def clear(self) -> NDArray[np.bool_]:
        """Which are above zero by more than noise, shape (K,)."""
        # What is left of a known price after rounding is no difference.
        rounding = 1e-9 * np.abs(self.mean).max(initial=0.0)
        clear: NDArray[np.bool_] = self.mean > np.maximum(_CLEAR * self.standard_error, rounding)
        return clear


@dataclass(frozen=True, slots=True)
class Contrasts:
    """Pairs of arms, by position.

    Attributes:
        lower: Shape (K,), what is compared with; the arm of a pair is the first one of all or the upper one of a pair
            before.
        upper: Shape (K,), every other arm once.
    """

    lower: NDArray[np.intp]
    upper: NDArray[np.intp]

    @classmethod
    def steps(cls, order: NDArray[np.intp]) -> Self:
        """Each arm of this order with the one before it."""
        return cls(order[:-1], order[1:])

    @classmethod
    def with_base(cls, base: int, arms: int) -> Self:
        """Each arm with the same one, in their own order."""
        upper = np.delete(np.arange(arms, dtype=np.intp), base)
        return cls(np.full(arms - 1, base, dtype=np.intp), upper)

    def effects(self, levels: NDArray[Any]) -> NDArray[Any]:
        """Upper less lower arm of every pair, shape (n, K), of levels of shape (n, M)."""
        effects: NDArray[Any] = levels[:, self.upper] - levels[:, self.lower]
        return effects

    def levels(self, base: NDArray[Any], effects: NDArray[Any]) -> NDArray[Any]:
        """Levels of all arms, shape (n, M), from those of the first arm, shape (n,), and the effects."""
        levels = np.empty((len(effects), len(self.upper) + 1), dtype=effects.dtype)
        levels[:, self.lower[0]] = base
        for pair, (lower, upper) in enumerate(zip(self.lower, self.upper, strict=True)):
            levels[:, upper] = levels[:, lower] + effects[:, pair]
        return levels

    def named(self, labels: tuple[Any, ...]) -> tuple[tuple[Any, Any], ...]:
        """Lower and upper label of every pair."""
        return tuple((labels[low], labels[high]) for low, high in zip(self.lower, self.upper, strict=True))


def contrasts_of(kind: Kind, cost: Matrix) -> Contrasts:
    """The pairs that a factor of this kind is about.

    Args:
        kind: ``uplift_rank``: every treatment with the control, position 0. ``direct_roi``: every arm with the cheapest
            one. ``marginal_roi``: every arm with the next cheaper one.
        cost: Unbiased guesses of every unit's cost in every arm, shape (n, M).
    """
    if kind == "uplift_rank":
        return Contrasts.with_base(0, cost.shape[1])
    order = cost.mean(axis=0).argsort(kind="stable")
    return Contrasts.steps(order) if kind == "marginal_roi" else Contrasts.with_base(int(order[0]), cost.shape[1])


def suitable_kind(cost: Matrix) -> Kind:
    """``marginal_roi`` where several treatments rise in cost in steps, ``uplift_rank`` where none is clearly dearer.

    In all other cases ``direct_roi``: there is one treatment, or some cost alike.

    Args:
        cost: As for ``contrasts_of``.
    """
    steps, direct = (Differences.of(contrasts_of(kind, cost).effects(cost)) for kind in ("marginal_roi", "direct_roi"))
    if not direct.clear.any():
        return "uplift_rank"
    return "marginal_roi" if cost.shape[1] > 2 and steps.clear.all() else "direct_roi"


def require_rising_cost(difference: Differences, pairs: tuple[tuple[Any, Any], ...]) -> tuple[str, ...]:
    """Refuse pairs of arms that cost the same.

    Returns:
        A note ``cost_hardly_differs:<lower>:<upper>`` for every pair that may cost the same but for noise.

    Raises:
        InputError: The upper arm of a pair costs no more than the lower one.
    """
    at_par = difference.mean <= 1e-9 * np.abs(difference.mean).max()
    if at_par.any():
        lower, upper = pairs[int(at_par.argmax())]
        raise InputError(
            f"arm {upper!r} costs no more than arm {lower!r}: an outcome gained for nothing has no return on cost",
            remedy="leave one of the two arms out; kind='direct_roi' compares treatments with the cheapest arm only, "
            "TwoStage and DecisionFocused take any costs",
        )
    return tuple(
        f"cost_hardly_differs:{lower}:{upper}"
        for (lower, upper), clear in zip(pairs, difference.clear, strict=True)
        if not clear
    )
