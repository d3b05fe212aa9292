"""One result on creative segments being told in one language: its metric, covariates and notes in words."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing

_NAMED = {
    "few_matched": "creatives.policy",
    "few_differ": "creatives.policy",
    "family_chosen": "creatives.family",
}
"""Where the catalogue has names for what a note is about."""


class SegmentsBriefing(Briefing):
    """The content of ``segments.json``, read for one language."""

    __slots__ = ()

    @property
    def response(self) -> numbers.MetricFormat:
        """How values of the response are written."""
        return self.format(self.result["response"])

    @property
    def response_name(self) -> str:
        """Name of the response, as it is shown."""
        return self.metric_name(self.result["response"])

    @property
    def segments(self) -> Sequence[Mapping[str, Any]]:
        """Records of segments, in the order in which they were stated."""
        segments: Sequence[Mapping[str, Any]] = self.result["segments"]
        return segments

    @property
    def is_learned(self) -> bool:
        """Whether models were learned and their assignment measured."""
        return self.result["model"] is not None and self.result["differences"] is not None

    def term_name(self, term: Mapping[str, Any]) -> str:
        """A term of the model as a label, such as ``age``, ``plan: premium`` or ``country: unknown``."""
        if term["kind"] == "missing":
            return self.covariate_name(term["column"], self.text("creatives.term.unknown"))
        return self.covariate_name(term["column"], term["level"])

    def whom(self, weighted: Mapping[str, Any]) -> str:
        """Whom a coefficient speaks for, such as ``high age``, ``plan is not premium`` or ``country unknown``."""
        term, side = weighted["term"], "up" if weighted["coefficient"] > 0 else "down"
        feature = self.covariate_name(term["column"], None)
        return self.text(f"creatives.term.{term['kind']}.{side}", feature=feature, level=term["level"])

    def listed(self, names: Iterable[str]) -> str:
        """Names one after the other."""
        return self.text("words.comma").join(names)

    def notes(self, notes: Iterable[str]) -> tuple[str, ...]:
        """Notes, ``code`` or ``code:detail``, as sentences, each once; one that has no words is shown as it is."""
        without = numbers.count((self.result["users"] or {}).get("without_response"))
        told = []
        for note in notes:
            code, _, detail = note.partition(":")
            key, shown = f"creatives.notes.{code}", self._detail(code, detail)
            told.append(self.text(key, detail=shown, without=without) if key in self.text.sentences else note)
        return tuple(dict.fromkeys(told))

    def _detail(self, code: str, detail: str) -> str:
        """What a note is about, by the name that the page uses for it."""
        if code == "new_levels":
            return self.covariate_name(detail, None)
        key = f"{_NAMED.get(code, '')}.{detail}"
        return self.text(key, **self.named_best) if key in self.text.sentences else detail

    @property
    def named_best(self) -> Mapping[str, str]:
        """The best creative, the best segment and control, as the names of policies need them."""
        best = self.result["best"] or {"creative": numbers.MISSING, "segment": numbers.MISSING}
        return {"creative": best["creative"], "segment": best["segment"], "control": self.experiment.control}
