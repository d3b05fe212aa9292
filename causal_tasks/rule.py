"""Rules: a few readable conditions that say who belongs to a subpopulation.

A rule is data, never code. It is written by ``mine``, read back as ``Experiment.eligible``, applied to any
dataframe, and printed as words or SQL.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


class Text(BaseModel):
    """A name in the languages of the report."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str | None = None
    en: str | None = None

    def get(self, language: Language, default: str) -> str:
        """The text in ``language``, else in the other language, else ``default``."""
        return getattr(self, language) or self.en or self.zh or default


_WORDS: dict[Language, dict[str, str]] = {
    "zh": {
        "<=": "{name} ≤ {value}",
        ">": "{name} > {value}",
        "in": "{name}属于 {value}",
        "or_missing": "（或缺失）",
        "missing": "{name}缺失",
        "present": "{name}有值",
        "and": " 且 ",
        "all": "所有用户",
        "comma": "、",
    },
    "en": {
        "<=": "{name} ≤ {value}",
        ">": "{name} > {value}",
        "in": "{name} is {value}",
        "or_missing": " (or missing)",
        "missing": "{name} is missing",
        "present": "{name} is known",
        "and": " and ",
        "all": "all users",
        "comma": " / ",
    },
}


class Condition(BaseModel):
    """One comparison of one feature with constants.

    Attributes:
        feature: Column name.
        op: ``<=`` and ``>`` compare with one number, ``in`` with a set of levels, ``present`` accepts any value.
        value: The number or the sorted levels; None for ``present``; an empty ``in`` accepts missing values only.
        missing: Whether a user without a value fulfils the condition.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    feature: str
    op: Literal["<=", ">", "in", "present"]
    value: float | tuple[str, ...] | None = None
    missing: bool = False

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Self:
        fits = {
            "<=": isinstance(self.value, float) and math.isfinite(self.value),
            ">": isinstance(self.value, float) and math.isfinite(self.value),
            "in": isinstance(self.value, tuple) and (self.value or self.missing),
            "present": self.value is None and not self.missing,
        }
        if not fits[self.op]:
            raise ValueError(f"condition on {self.feature!r}: {self.op!r} does not accept value {self.value!r}")
        return self

    def mask(self, frame: Any) -> Any:
        """Boolean column of the rows of a pandas or cudf frame that fulfil the condition."""
        column = frame[self.feature]
        absent = column.isna()
        if self.op == "present":
            return ~absent
        if isinstance(self.value, tuple):
            holds = column.isin(list(self.value))
        elif self.op == "<=":
            holds = column <= self.value
        else:
            holds = column > self.value
        return holds.where(~absent, self.missing).astype(bool)

    def in_words(self, language: Language, names: Mapping[str, Text] | None = None) -> str:
        """The condition as a phrase in ``language``; ``names`` maps features to display names."""
        words = _WORDS[language]
        name = names[self.feature].get(language, self.feature) if names and self.feature in names else self.feature
        if self.op == "present":
            return words["present"].format(name=name)
        if self.value == ():
            return words["missing"].format(name=name)
        value = words["comma"].join(self.value) if isinstance(self.value, tuple) else format_number(self.value)
        return words[self.op].format(name=name, value=value) + (words["or_missing"] if self.missing else "")

    def to_sql(self) -> str:
        """The condition as a standard SQL predicate."""
        column = '"' + self.feature.replace('"', '""') + '"'
        if self.op == "present":
            return f"{column} IS NOT NULL"
        if self.value == ():
            return f"{column} IS NULL"
        if isinstance(self.value, tuple):
            levels = ", ".join("'" + level.replace("'", "''") + "'" for level in self.value)
            test = f"{column} IN ({levels})"
        else:
            test = f"{column} {self.op} {format_number(self.value)}"
        return f"({test} OR {column} IS NULL)" if self.missing else test


def format_number(value: float | None) -> str:
    """A number without trailing zeros or exponent, as it is read in a rule.

    Raises:
        ValueError: It is None.
    """
    if value is None:
        raise ValueError("a rule holds numbers, not None")
    text = format(Decimal(repr(float(value))), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


class Rule(BaseModel):
    """Users who fulfil every condition.

    Attributes:
        conditions: At most a handful; none means everybody.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    conditions: tuple[Condition, ...] = Field(default=(), alias="all", serialization_alias="all")

    @classmethod
    def of(cls, conditions: Sequence[Condition]) -> "Rule":
        """The rule that joins ``conditions`` by AND."""
        return cls.model_validate({"all": tuple(conditions)})

    def among(self, eligible: "Rule | None") -> "Rule":
        """The members of this rule among those of another; None: among all users."""
        return Rule.of(tuple(dict.fromkeys((*(eligible.conditions if eligible else ()), *self.conditions))))

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that the rule reads, each once, in order."""
        return tuple(dict.fromkeys(condition.feature for condition in self.conditions))

    def mask(self, frame: Any) -> Any:
        """Boolean column of the rows of a pandas or cudf frame that belong to the rule."""
        if not self.conditions:
            return frame.index == frame.index
        inside = self.conditions[0].mask(frame)
        for condition in self.conditions[1:]:
            inside = inside & condition.mask(frame)
        return inside

    def in_words(self, language: Language, names: Mapping[str, Text] | None = None) -> str:
        """The rule as a phrase; ``names`` maps features to display names."""
        words = _WORDS[language]
        return words["and"].join(c.in_words(language, names) for c in self.conditions) or words["all"]

    def to_sql(self) -> str:
        """The rule as a standard SQL predicate, usable after WHERE."""
        return " AND ".join(condition.to_sql() for condition in self.conditions) or "TRUE"

    def to_json(self) -> dict[str, Any]:
        """The rule as ``Experiment.eligible`` reads it."""
        return self.model_dump(mode="json", by_alias=True)
