"""What a path down the tree still allows of one feature, said without redundant conditions."""

from dataclasses import dataclass, replace
from typing import Self

from causal_tasks.rule import Condition


@dataclass(frozen=True, slots=True)
class Allowed:
    """The values of one feature that reach a node.

    Attributes:
        above: Exclusive lower bound of numbers.
        at_most: Inclusive upper bound of numbers.
        levels: Levels of a category; None: all.
        known: Whether a user with a value may get here.
        missing: Whether a user without one may.
    """

    above: float | None = None
    at_most: float | None = None
    levels: frozenset[str] | None = None
    known: bool = True
    missing: bool = True

    def narrowed(
        self,
        *,
        above: float | None = None,
        at_most: float | None = None,
        levels: frozenset[str] | None = None,
        known: bool = True,
        missing: bool,
    ) -> Self:
        """What is left after one more condition; arguments are those of the class."""
        bounds_above = [bound for bound in (self.above, above) if bound is not None]
        bounds_at_most = [bound for bound in (self.at_most, at_most) if bound is not None]
        kept = [chosen for chosen in (self.levels, levels) if chosen is not None]
        return replace(
            self,
            above=max(bounds_above, default=None),
            at_most=min(bounds_at_most, default=None),
            levels=frozenset.intersection(*kept) if kept else None,
            known=self.known and known,
            missing=self.missing and missing,
        )

    def conditions(self, feature: str, *, may_be_missing: bool) -> tuple[Condition, ...]:
        """The shortest conditions that say so: at most two, none where everything is allowed.

        Args:
            feature: Column name.
            may_be_missing: Whether the column has missing values at all; a condition on others is silent about them.
        """
        missing = self.missing and may_be_missing
        if not self.known:
            return (Condition(feature=feature, op="in", value=(), missing=True),)
        if self.levels is not None:
            return (Condition(feature=feature, op="in", value=tuple(sorted(self.levels)), missing=missing),)
        bounds = [
            Condition(feature=feature, op=op, value=bound, missing=missing)
            for op, bound in ((">", self.above), ("<=", self.at_most))
            if bound is not None
        ]
        if not bounds and may_be_missing and not missing:
            return (Condition(feature=feature, op="present"),)
        return tuple(bounds)
