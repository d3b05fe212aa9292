"""Subpopulations planted into simulated data, and the true effects that follow from them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from causal_tasks.errors import InputError
from causal_tasks.rule import Condition, Rule


@dataclass(frozen=True, slots=True)
class Planted:
    """A subpopulation in which a treatment works.

    Attributes:
        kind: Whether it does good or harm there.
        rule: Who belongs to it, by the newest feature row of a day before exposure.
        relative_effect: Change of a member's outcome, as a share of what it would be without treatment.
    """

    kind: Literal["positive", "negative"]
    rule: Rule
    relative_effect: float


def _above(feature: str, value: float) -> Condition:
    return Condition(feature=feature, op=">", value=value)


def _at_most(feature: str, value: float) -> Condition:
    return Condition(feature=feature, op="<=", value=value)


def _among(feature: str, *levels: str) -> Condition:
    return Condition(feature=feature, op="in", value=tuple(sorted(levels)))


def _pair(good: Sequence[Condition], gain: float, bad: Sequence[Condition], loss: float) -> tuple[Planted, Planted]:
    return (
        Planted("positive", Rule.of(good), gain),
        Planted("negative", Rule.of(bad), -loss),
    )


# Gains and losses of a pair nearly cancel in the average, so that only subpopulations show that a treatment matters.
_PAIRS: tuple[tuple[Planted, Planted], ...] = (
    _pair(
        [_at_most("age", 25), _above("night_share", 0.35)],
        0.32,
        [_among("member_level", "annual", "family"), _above("tenure_days", 360)],
        0.304,
    ),
    _pair(
        [_among("device", "Android"), _above("followed_artists", 6)],
        0.3,
        [_among("city_tier", "T1", "T2"), _above("sessions_7d", 7)],
        0.232,
    ),
    _pair(
        [_among("favourite_genre", "classical", "electronic", "folk"), _above("tenure_days", 450)],
        0.28,
        [_above("age", 35), _at_most("night_share", 0.16)],
        0.347,
    ),
    _pair(
        [_among("city_tier", "T3", "T4"), _above("playlists", 5)],
        0.3,
        [_among("member_level", "monthly"), _at_most("tenure_days", 900)],
        0.385,
    ),
)


def plant(treatments: Sequence[str], effect: float) -> dict[str, tuple[Planted, ...]]:
    """Planted subpopulations by treatment, another pair for each.

    Args:
        treatments: Labels, at most four.
        effect: Scale of the effects, 0 to 2; 0 plants nothing (A/A).

    Raises:
        InputError: There are too many treatments, or the scale is out of range.
    """
    if len(treatments) > len(_PAIRS):
        raise InputError(
            f"{len(treatments)} treatments, but rules can be planted for {len(_PAIRS)} at most",
            remedy=f"ask for 1 to {len(_PAIRS)} treatments",
        )
    if not 0 <= effect <= 2:
        raise InputError(f"effect {effect} is out of range", remedy="choose 0 (A/A) to 2 (twice the usual effects)")
    return {
        label: tuple(replace(one, relative_effect=round(effect * one.relative_effect, 6)) for one in pair if effect)
        for label, pair in zip(treatments, _PAIRS, strict=False)
    }


Membership = Mapping[str, Sequence[np.ndarray]]
"""By treatment, for each of its planted rules: who belongs to it, boolean, shape (n,)."""


def find_members(
    planted: Mapping[str, Sequence[Planted]], frames: Sequence[pd.DataFrame], newest: np.ndarray
) -> Membership:
    """Who belongs to the planted rules by the snapshot that counts for each user.

    Args:
        planted: Planted subpopulations by treatment.
        frames: One frame per snapshot, all with the same n users.
        newest: Shape (n,): position of the snapshot that counts; -1 for none, which makes no member.
    """
    return {
        treatment: [_members(one.rule, frames, newest) for one in subpopulations]
        for treatment, subpopulations in planted.items()
    }


def _members(rule: Rule, frames: Sequence[pd.DataFrame], newest: np.ndarray) -> np.ndarray:
    inside = np.zeros(len(newest), dtype=bool)
    for position, frame in enumerate(frames):
        counts = newest == position
        inside[counts] = rule.mask(frame.loc[counts, list(rule.features)]).to_numpy()
    return inside


def relative_effects(planted: Mapping[str, Sequence[Planted]], members: Membership, users: int) -> np.ndarray:
    """What each arm changes for each user, as a share of the user's outcome; effects of several rules add up.

    Returns:
        Shape (users, 1 + treatments); the first column is control's and zero.
    """
    effects = np.zeros((users, 1 + len(planted)))
    for column, treatment in enumerate(planted, start=1):
        for one, inside in zip(planted[treatment], members[treatment], strict=True):
            effects[inside, column] += one.relative_effect
    return effects


@dataclass(slots=True)
class _Total:
    """Sums over the users of a group: how many, their outcome without treatment, and what treatment adds."""

    users: int = 0
    outcome: float = 0.0
    gain: float = 0.0

    def add(self, inside: np.ndarray, outcome: np.ndarray, gain: np.ndarray) -> None:
        self.users += int(inside.sum())
        self.outcome += float(outcome[inside].sum())
        self.gain += float(gain[inside].sum())

    def to_json(self) -> dict[str, Any]:
        return {
            "users": self.users,
            "control_mean": _mean(self.outcome, self.users),
            "effect": _mean(self.gain, self.users),
        }


class Truth:
    """What was planted and what follows from it, added up chunk by chunk.

    Attributes:
        planted: Planted subpopulations by treatment.
        counts: Named numbers of users and rows.
    """

    def __init__(self, planted: Mapping[str, Sequence[Planted]]) -> None:
        self.planted = planted
        self.counts: Counter[str] = Counter()
        self._everybody = {treatment: _Total() for treatment in planted}
        self._inside = {treatment: [_Total() for _ in planted[treatment]] for treatment in planted}

    def add(self, outcome: np.ndarray, effects: np.ndarray, members: Membership, counted: np.ndarray) -> None:
        """Add a chunk of n users.

        Args:
            outcome: Without treatment, shape (n,).
            effects: As ``relative_effects`` returns them.
            members: As ``find_members`` returns them.
            counted: Whose effects count, boolean, shape (n,).
        """
        for column, treatment in enumerate(self.planted, start=1):
            gain = outcome * effects[:, column]
            self._everybody[treatment].add(counted, outcome, gain)
            for total, inside in zip(self._inside[treatment], members[treatment], strict=True):
                total.add(inside & counted, outcome, gain)

    def to_json(self) -> dict[str, Any]:
        """Counts, and the true effects in the outcome's unit per user by treatment and planted rule."""
        return {
            "counts": dict(self.counts),
            "treatments": {
                treatment: {
                    **everybody.to_json(),
                    "planted": [
                        {
                            "kind": one.kind,
                            "rule": one.rule.to_json(),
                            "relative_effect": one.relative_effect,
                            "share": _mean(inside.users, everybody.users),
                            **inside.to_json(),
                        }
                        for one, inside in zip(self.planted[treatment], self._inside[treatment], strict=True)
                    ],
                }
                for treatment, everybody in self._everybody.items()
            },
        }


def _mean(total: float, count: int) -> float | None:
    return round(total / count, 6) if count else None
