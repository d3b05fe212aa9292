"""One allocation being told in one language: its outcome, its money, its methods and its notes in words."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing

_FAMILIES = ("two_stage", "decision_factor", "decision_focused", "bilevel", "pooled", "clusters")
"""What names of methods begin with; a longer name comes before one that it begins with."""

_MOST_NAMED = 3
"""Arms that a sentence names one by one."""


@dataclass(frozen=True, slots=True)
class Money:
    """How amounts are written.

    Attributes:
        unit: After a number; empty where it is not known.
        decimals: Of what is stated per user, so that all budgets have the same.
    """

    unit: str
    decimals: int

    def per_user(self, amount: float) -> str:
        """A budget per user, exactly as stated."""
        return self._with_unit(numbers.fixed(amount, self.decimals))

    def step(self, amount: int) -> str:
        """A power of ten."""
        return self._with_unit(numbers.count(amount))

    def mean(self, amount: float) -> str:
        """What users cost on average."""
        return self._with_unit(numbers.fixed(amount, max(2, self.decimals)))

    def total(self, amount: float) -> str:
        """What is spent on many users together."""
        return self._with_unit(numbers.fixed(amount, 0 if amount >= 1_000 else 2))

    def _with_unit(self, number: str) -> str:
        return f"{number} {self.unit}" if self.unit else number


class AllocationBriefing(Briefing):
    """The content of ``allocation.json``, read for one language."""

    __slots__ = ()

    @property
    def outcome(self) -> numbers.MetricFormat:
        """How values of the metric to gain are written."""
        return self.format(self.result["outcome"])

    @property
    def outcome_name(self) -> str:
        """Name of the metric to gain, as it is shown."""
        return self.metric_name(self.result["outcome"])

    @property
    def outcome_unit(self) -> str:
        """Of an outcome summed over users: users for a share, else the metric's unit."""
        return self.text("policy.users") if self.outcome.percent else self.outcome.unit

    @property
    def budgets(self) -> Sequence[Mapping[str, Any]]:
        """Records of budgets, in the order in which they were stated."""
        budgets: Sequence[Mapping[str, Any]] = self.result["budgets"]
        return budgets

    @property
    def money(self) -> Money:
        """How amounts are written, in the unit of the cost metric if it has one."""
        cost = self.result["cost"]
        unit = "" if cost is None else self.format(cost).unit
        return Money(unit, max(_decimals(record["budget"]) for record in self.budgets))

    @property
    def is_allocated(self) -> bool:
        """Whether a method was chosen, and so budgets were spent."""
        return self.result["methods"]["chosen"] is not None

    def return_in_words(self, per_unit: float) -> str:
        """What a little more money brings, such as ``the next 10 brings about 0.42 orders`` for 0.042.

        Of a metric that should fall it is said what money takes off.

        Args:
            per_unit: Benefit of one more unit of money.
        """
        step = 10 ** min(6, max(0, math.ceil(-1 - math.log10(per_unit)))) if per_unit > 0 else 1
        gained = numbers.fixed(step * per_unit, numbers.decimals_for(step * per_unit) if per_unit > 0 else 0)
        unit = self.outcome_unit
        spent = self.money.step(step)
        key = "allocation.next" if self.metric(self.result["outcome"]).sign > 0 else "allocation.next_off"
        return self.text(key, spent=spent, gained=f"{gained} {unit}" if unit else gained)

    def shares_in_words(self, shares: Mapping[str, float]) -> str:
        """Which arms most users get, such as ``38% coupon_10, 32% none``."""
        ordered = sorted(shares.items(), key=lambda entry: -entry[1])
        named = [(arm, share) for arm, share in ordered if share > 0][:_MOST_NAMED]
        told = [self.text("allocation.share", arm=arm, share=numbers.percent(share, 0)) for arm, share in named]
        rest = 1 - sum(share for _, share in named)
        if rest > 0.005:
            told.append(self.text("allocation.other_arms", share=numbers.percent(rest, 0)))
        return self.text("words.comma").join(told)

    def family(self, method: str) -> str:
        """What a method does, in a few words.

        Raises:
            KeyError: No family of methods has such a name.
        """
        for family in _FAMILIES:
            if method.startswith(family):
                return self.text(f"allocation.family.{family}")
        raise KeyError(f"method {method!r} belongs to none of {_FAMILIES}; add its family to the catalogues")

    def notes(self, notes: Iterable[str]) -> tuple[str, ...]:
        """Notes, ``code`` or ``code:detail``, as sentences, each once; one that has no words is shown as it is."""
        missing = numbers.count((self.result["users"] or {}).get("without_values"))
        told = []
        for note in notes:
            code, _, detail = note.partition(":")
            key = f"allocation.notes.{code}"
            told.append(self.text(key, detail=detail, missing=missing) if key in self.text.sentences else note)
        return tuple(dict.fromkeys(told))


def _decimals(amount: float) -> int:
    """Decimals that write ``amount`` exactly, at most six."""
    return next((digits for digits in range(6) if math.isclose(round(amount, digits), amount, rel_tol=1e-9)), 6)
