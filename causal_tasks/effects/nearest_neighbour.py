"""Pairs of a treated and a control unit with scores close to each other, each unit in one pair at most."""

import numpy as np

from causal_tasks.effects.arguments import Codes, Floats, Mask


def nearest_pairs(score: Floats, treated: Mask, *, caliper: float, seed: int = 0) -> tuple[Codes, Codes]:
    """Give every treated unit, highest score first, the nearest control unit that is still free.

    Those with the highest scores choose first, as they have the fewest controls to choose from. Controls are sorted
    once; pointers from each place to the next free one on either side, shortened whenever they are followed, find the
    nearest in next to no time: n log n in all, for the sorting. Equal scores are taken in random order, so that the
    order of rows says nothing.

    Args:
        score: Shape (n,), such as log odds of treatment.
        treated: Shape (n,).
        caliper: Largest distance within a pair, in units of ``score``.
        seed: Of the order of equal scores.

    Returns:
        Positions of the treated and of the control unit of every pair, each of shape (pairs,).

    Source: Rosenbaum, Rubin (1985); pointers: Tarjan (1975), union-find.
    """
    shuffled = np.random.default_rng(seed).permutation(len(score))
    seekers, free = _sorted(shuffled[treated[shuffled]], score)[::-1], _sorted(shuffled[~treated[shuffled]], score)
    free_scores, sought = score[free].tolist(), score[seekers].tolist()
    places = np.searchsorted(score[free], score[seekers]).tolist()
    end = len(free_scores)
    # Places are counted from 1, so that 0 means none to the left and end + 1 none to the right.
    left, right = list(range(end + 1)), list(range(end + 2))
    found = np.full(len(seekers), -1, dtype=np.intp)
    for position, (value, place) in enumerate(zip(sought, places, strict=True)):
        below, above = _next_free(left, place), _next_free(right, place + 1)
        to_below = value - free_scores[below - 1] if below else np.inf
        to_above = free_scores[above - 1] - value if above <= end else np.inf
        nearest, distance = (below, to_below) if to_below <= to_above else (above, to_above)
        if distance <= caliper and distance < np.inf:
            found[position] = nearest - 1
            left[nearest], right[nearest] = nearest - 1, nearest + 1
    paired = found >= 0
    return seekers[paired], free[found[paired]]


def _sorted(units: Codes, score: Floats) -> Codes:
    return units[np.argsort(score[units], kind="stable")]


def _next_free(pointers: list[int], place: int) -> int:
    """The place that pointers lead to; every second one on the way is shortened."""
    while pointers[place] != place:
        pointers[place] = pointers[pointers[place]]
        place = pointers[place]
    return place
