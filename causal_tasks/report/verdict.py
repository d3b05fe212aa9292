"""What the run says in one sentence, and what to do about it."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from causal_tasks.experiment import Experiment
from causal_tasks.report import numbers
from causal_tasks.report.text import Catalog, catalog
from causal_tasks.rule import LANGUAGES, Language

DETECTABLE_SHARE = "0.2"
"""Size of the subpopulation for which the headline names the smallest effect that could have been seen."""

MOST_NAMED = 3
"""Rules that a headline names one by one where several treatments were tried."""

T = TypeVar("T")


def verdict(experiment: Experiment, validity: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """The ``verdict`` of a result.

    Args:
        experiment: As stated.
        validity: The verdict of ``validate``.
        result: The result without its verdict.

    Returns:
        ``code``, ``validity``, ``headline`` and ``action`` by language.
    """
    code = _code(validity, result)
    story = story_of(code, result["subpopulations"])
    spoken = {language: _Speaker(experiment, validity, result, language) for language in LANGUAGES}
    return {
        "code": code,
        "validity": validity["status"],
        "headline": {language: speaker.headline(story) for language, speaker in spoken.items()},
        "action": {language: speaker.action(story) for language, speaker in spoken.items()},
    }


def story_of(code: str, subpopulations: Sequence[Mapping[str, Any]]) -> str:
    """Which words tell a verdict: its code, but ``leads_only`` where nothing is confirmed and something promising."""
    leads = any(rule["grade"] == "promising" for rule in subpopulations)
    return "leads_only" if code == "nothing_found" and leads else code


def tone_of(interval: Sequence[float | None] | None, sign: int) -> str:
    """Whether an effect is ``good``, ``bad`` or, where its interval holds zero or is missing, ``unclear``.

    Args:
        interval: In the metric's own unit.
        sign: ``Metric.sign``.
    """
    if not interval or interval[0] is None or interval[1] is None or interval[0] <= 0 <= interval[1]:
        return "unclear"
    return "good" if interval[0] * sign > 0 else "bad"


def of_both_kinds(positive: Sequence[T], negative: Sequence[T], most: int) -> list[T]:
    """The first ``most`` of all, positive ones first; of several at least one is negative where there is any."""
    harmed = min(len(negative), max(int(most > 1), most - len(positive)))
    return [*positive[: most - harmed], *negative[:harmed]]


def _code(validity: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    kinds = {rule["kind"] for rule in result["subpopulations"] if rule["grade"] == "confirmed"}
    if validity["status"] == "invalid":
        return "invalid"
    if not validity["mining"]:
        return "too_small"
    if result["evidence"] is None:
        return "no_model"
    if kinds == {"positive", "negative"}:
        return "found_both"
    return f"found_{kinds.pop()}" if kinds else "nothing_found"


class _Speaker:
    """Says the verdict in one language."""

    def __init__(
        self,
        experiment: Experiment,
        validity: Mapping[str, Any],
        result: Mapping[str, Any],
        language: Language,
    ) -> None:
        self._experiment, self._validity, self._result, self._language = experiment, validity, result, language
        self._text: Catalog = catalog(language)

    @property
    def _several_treatments(self) -> bool:
        return len(self._experiment.treatments) > 1

    def headline(self, story: str) -> str:
        if self._several_treatments and story.startswith("found"):
            return self._text("verdict.several.headline", clauses=self._clauses())
        return self._text(
            f"verdict.{story}.headline",
            metric=self._experiment.primary.display.get(self._language, self._experiment.primary.name),
            failed=self._names_of_failed_checks(),
            helped=self._who("confirmed", "positive"),
            harmed=self._who("confirmed", "negative"),
            leads=self._who("promising", "positive", "negative"),
        )

    def action(self, story: str) -> str:
        if self._several_treatments and story.startswith("found"):
            return self._text(f"verdict.{story}.action_arms")
        sentence = self._text(
            f"verdict.{story}.action",
            helped=self._who("confirmed", "positive", with_share=True),
            harmed=self._who("confirmed", "negative", with_share=True),
            leads=self._who("promising", "positive", "negative", with_share=True),
            remedy=self._remedy(),
            overall=self._overall(),
        )
        detectable = self._detectable() if story == "nothing_found" else ""
        return f"{sentence}{detectable}"

    def _clauses(self) -> str:
        """Which treatment helps or harms whom, and how many more rules are confirmed."""
        named = of_both_kinds(self._strongest("positive"), self._strongest("negative"), MOST_NAMED)
        clauses = [
            self._text(
                f"verdict.several.{rule['kind']}",
                arm=rule["treatment"],
                who=self._text("verdict.who", rule=rule["words"][self._language]),
            )
            for rule in named
        ]
        more = sum(rule["grade"] == "confirmed" for rule in self._result["subpopulations"]) - len(named)
        if more:
            clauses.append(self._text("verdict.several.more", more=more))
        return self._text("words.semicolon").join(clauses)

    def _strongest(self, kind: str) -> list[Mapping[str, Any]]:
        """The first confirmed rule of that kind for each treatment that has one."""
        rules: dict[str, Mapping[str, Any]] = {}
        for rule in self._result["subpopulations"]:
            if rule["grade"] == "confirmed" and rule["kind"] == kind:
                rules.setdefault(rule["treatment"], rule)
        return list(rules.values())

    def _who(self, grade: str, *kinds: str, with_share: bool = False) -> str:
        """The first rule of that grade and these kinds, and how many more there are."""
        rules = [rule for rule in self._result["subpopulations"] if rule["grade"] == grade and rule["kind"] in kinds]
        if not rules:
            return ""
        first = rules[0]
        who = self._text("verdict.who", rule=first["words"][self._language])
        if self._several_treatments:
            who = self._text("verdict.who_in_arm", who=who, arm=first["treatment"])
        if with_share:
            who = self._text("verdict.who_with_share", who=who, share=numbers.percent(first["share"]))
        return self._text("verdict.and_more", who=who, more=len(rules) - 1, total=len(rules)) if len(rules) > 1 else who

    def _failed_checks(self) -> list[Mapping[str, Any]]:
        return [check for check in self._result["checks"] if check["status"] == "fail"]

    def _names_of_failed_checks(self) -> str:
        names = dict.fromkeys(self._text(f"checks.{check['code']}.name") for check in self._failed_checks())
        return self._text("words.comma").join(names)

    def _remedy(self) -> str:
        failed = [check["code"] for check in self._failed_checks()]
        reason = self._validity["reason"] or (failed[0] if failed else None)
        return self._text(f"checks.{reason}.remedy") if reason else ""

    def _overall(self) -> str:
        """What the primary metric's effect over all users says, for each treatment where they differ."""
        primary = self._experiment.primary
        tones = {
            effect["treatment"]: tone_of(effect["effect"]["interval"], primary.sign)
            for effect in self._result["effects"]
            if effect["metric"] == primary.name
        }
        if not self._several_treatments:
            return self._text(f"verdict.overall.{tones[self._experiment.treatments[0]]}")
        tone = "mixed" if len(set(tones.values())) > 1 else next(iter(tones.values()))
        arms = [self._text("words.arm_tone", arm=arm, tone=self._text(f"words.{said}")) for arm, said in tones.items()]
        return self._text(f"verdict.overall_arms.{tone}", arms=self._text("words.comma").join(arms))

    def _detectable(self) -> str:
        sizes = [by_share[DETECTABLE_SHARE] for by_share in self._result["evidence"]["detectable"].values()]
        shown = numbers.MetricFormat.of(self._experiment.primary, self._language)
        known = [size for size in sizes if size is not None]
        if not known:
            return ""
        return self._text(
            "verdict.detectable", share=numbers.percent(float(DETECTABLE_SHARE), 0), effect=shown.size(max(known))
        )
