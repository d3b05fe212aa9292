"""How each covariate becomes columns of a linear model, decided on the people that the model is fitted on."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from causal_tasks.segments.covariate_counts import CovariateCounts
from causal_tasks.segments.scaling import rounded


@dataclass(frozen=True, slots=True)
class Term:
    """One column of the linear model.

    Attributes:
        column: Covariate that it is made from.
        kind: The number itself, an indicator of one level, or an indicator of a missing value.
        level: The level, as text; None unless ``kind`` is ``level``.
    """

    column: str
    kind: Literal["number", "level", "missing"]
    level: str | None = None

    def __str__(self) -> str:
        if self.kind == "number":
            return self.column
        return f"{self.column} missing" if self.kind == "missing" else f"{self.column} = {self.level}"


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """How a column of numbers is read.

    Attributes:
        name: Of the column.
        mean: Stands for a missing value.
        low: A smaller value counts as this one.
        high: A larger value counts as this one.
        missing: Whether there is an indicator of missing values.
    """

    name: str
    mean: float
    low: float
    high: float
    missing: bool

    @property
    def terms(self) -> tuple[Term, ...]:
        """Its terms, in order."""
        return (Term(self.name, "number"), *_missing_term(self.name, self.missing))


@dataclass(frozen=True, slots=True)
class CategoryColumn:
    """How a category is read.

    Attributes:
        name: Of the column.
        levels: Those with an indicator, as text.
        others: Those that the people of ``fit`` had besides, as text.
        missing: Whether there is an indicator of missing values.
    """

    name: str
    levels: tuple[str, ...]
    others: tuple[str, ...]
    missing: bool

    @property
    def terms(self) -> tuple[Term, ...]:
        """Its terms, in order."""
        levels = (Term(self.name, "level", level) for level in self.levels)
        return (*levels, *_missing_term(self.name, self.missing))


Column = NumberColumn | CategoryColumn


def learned_column(
    counts: CovariateCounts, name: str, *, common_share: float, max_levels: int
) -> tuple[Column | None, int]:
    """How a covariate is read, None where it tells nobody apart, and how many entries of its terms are not zero.

    Args:
        counts: Of the people that the model is fitted on.
        name: Of the covariate.
        common_share: Share of the people from which on a level has an indicator.
        max_levels: Levels with an indicator, at most.
    """
    missing = counts.missing(name)
    if missing == counts.people:
        return None, 0
    if name not in counts.categories:
        facts = counts.number(name)
        # As ``Scaling`` rounds the centre: a missing value becomes 0, not what rounding leaves.
        mean = rounded(np.array(facts.mean))
        return NumberColumn(name, float(mean), facts.low, facts.high, missing > 0), facts.nonzero + 2 * missing
    found = counts.levels(name)
    kept = [(level, people) for level, people in found if people >= common_share * counts.people][:max_levels]
    if sum(people for _, people in kept) + missing == counts.people and len(kept) + (missing > 0) <= 2:
        # One of two indicators is the other's complement, and a single one is constant.
        kept = kept[1:]
    if not kept and not missing:
        return None, 0
    levels = tuple(level for level, _ in kept)
    others = tuple(sorted({level for level, _ in found} - {*levels}))
    return CategoryColumn(name, levels, others, missing > 0), sum(people for _, people in kept) + missing


def _missing_term(name: str, missing: bool) -> tuple[Term, ...]:
    return (Term(name, "missing"),) if missing else ()
