"""One day of a feed being told in one language: its responses, reward and notes in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from causal_tasks.report import numbers
from causal_tasks.report.numbers import MetricFormat
from causal_tasks.report.sections.effects import ShownEffect, effect_in
from causal_tasks.report.text import Catalog, catalog
from causal_tasks.rule import Language


@dataclass(frozen=True, slots=True)
class DayBriefing:
    """The ``result.json`` of a feed's day, read for one language.

    Attributes:
        result: Its content.
        language: Of the reader.
        text: Its catalogue.
    """

    result: Mapping[str, Any]
    language: Language
    text: Catalog

    @classmethod
    def of(cls, result: Mapping[str, Any], language: Language) -> Self:
        """The briefing on ``result`` in ``language``."""
        return cls(result, language, catalog(language))

    @property
    def feed(self) -> Mapping[str, Any]:
        """The statement, as the result has it."""
        feed: Mapping[str, Any] = self.result["feed"]
        return feed

    @property
    def title(self) -> str:
        """The feed's name, else its id."""
        return str(self.feed["name"] or self.feed["feed_id"])

    @property
    def report_id(self) -> str:
        """Feed, revision and day in one word."""
        return f"{self.feed['feed_id']}.r{self.feed['revision']}/{self.result['date']}"

    @property
    def code(self) -> str:
        """Of the verdict."""
        return str(self.result["verdict"]["code"])

    @property
    def unit(self) -> str:
        """What a value is of: ``request``, or ``period`` where there is no table of requests."""
        return str(self.result["measured_by"])

    @property
    def best_arm(self) -> str:
        """The arm that is best for everyone."""
        return str(self.result["policies"]["best_arm"]["arm"])

    @property
    def reward(self) -> MetricFormat:
        """How values of policies are written."""
        return self._format(self._rewarded)

    @property
    def reward_name(self) -> str:
        """What policies are valued by, as it is shown."""
        return self._name(self._rewarded) if self._rewarded else self.text("realtime.combined")

    @property
    def combined(self) -> MetricFormat:
        """How thresholds are written: in the unit of the response where one alone has a weight, which is 1."""
        return self._format(self._single)

    def response(self, key: str) -> MetricFormat:
        """How values of a response are written."""
        return self._format(self._response(key))

    def response_name(self, key: str) -> str:
        """Name of a response and over how many days it is summed."""
        response = self._response(key)
        return self.text("realtime.response", name=self._name(response), days=response["days"])

    def weight(self, key: str) -> float:
        """The stated weight of a response."""
        return float(self._response(key)["weight"])

    def day(self, day: str) -> str:
        """A day, as in 2026-10-31, as it is read."""
        return numbers.calendar_day(date.fromisoformat(day), self.language)

    def threshold(self, value: float | None) -> str:
        """A threshold with its unit; never, where there is none."""
        return self.text("realtime.never") if value is None else self.combined.level(value, value / 10)

    def policy(self, name: str) -> str:
        """A way to decide, in words."""
        key = f"realtime.policy.{name}"
        if name == "dynamic":
            key = f"{key}.{self.unit}"
        return self.text(key, arm=self.best_arm)

    def difference(self, name: str) -> ShownEffect:
        """A paired difference of two policies in words."""
        return self.effect(self.result["differences"][name], self.reward)

    def effect(self, estimate: Mapping[str, Any], shown: MetricFormat) -> ShownEffect:
        """An estimate of which more is better, in words."""
        return effect_in(self.text, shown, estimate)

    def listed(self, names: Iterable[str]) -> str:
        """Names one after the other."""
        return self.text("words.comma").join(names)

    def notes(self, notes: Iterable[str]) -> tuple[str, ...]:
        """Notes, ``code`` or ``code:detail``, as sentences, each once; one that has no words is shown as it is."""
        told = []
        for note in notes:
            code, _, detail = note.partition(":")
            key = f"realtime.notes.{code}"
            told.append(self.text(key, detail=self._detail(detail)) if key in self.text.sentences else note)
        return tuple(dict.fromkeys(told))

    def _detail(self, detail: str) -> str:
        """What a note is about, by the name that the page uses for it."""
        if detail in self.result["policies"]:
            return self.policy(detail)
        return self.response_name(detail) if detail in {one["key"] for one in self._responses} else detail

    @property
    def _responses(self) -> Sequence[Mapping[str, Any]]:
        responses: Sequence[Mapping[str, Any]] = self.feed["responses"]
        return responses

    def _response(self, key: str) -> Mapping[str, Any]:
        return next(response for response in self._responses if response["key"] == key)

    @property
    def _single(self) -> Mapping[str, Any] | None:
        """The response that is the combined one; None where it is a weighted sum."""
        weighted = [response for response in self._responses if response["weight"]]
        return weighted[0] if len(weighted) == 1 and weighted[0]["weight"] == 1 else None

    @property
    def _rewarded(self) -> Mapping[str, Any] | None:
        """What policies are valued by: the reward, which has the words of the response that is called like it."""
        if self.unit == "period":
            return self._single
        reward = self.feed["reward"]
        return next(
            (response for response in self._responses if response["name"] == reward),
            {"name": reward, "display": {}, "unit": {}},
        )

    def _name(self, response: Mapping[str, Any]) -> str:
        return str(response["display"].get(self.language) or response["name"])

    def _format(self, response: Mapping[str, Any] | None) -> MetricFormat:
        unit = response["unit"].get(self.language, "") if response else ""
        return MetricFormat(self.language, unit or "", percent=False)
