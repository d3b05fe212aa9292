"""The headline and the recommended action, in one language."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from causal_tasks.experiment import Experiment
from causal_tasks.report import numbers
from causal_tasks.report.text import Catalog, catalog
from causal_tasks.report.tone import tone_of
from causal_tasks.rule import Language

DETECTABLE_SHARE = "0.2"
"""Size of the subpopulation for which the action names the smallest effect that could have been seen."""

MOST_NAMED = 3
"""Rules that a headline names one by one where several treatments were tried."""

_WITH_DETECTABLE = frozenset({"nothing_found", "one_decision", "no_rule"})
"""Stories in which nothing was found, so that the reader must learn what could have been."""

T = TypeVar("T")


def of_both_kinds(positive: Sequence[T], negative: Sequence[T], most: int) -> list[T]:
    """The first ``most`` of all, positive ones first; of several at least one is negative where there is any."""
    harmed = min(len(negative), max(int(most > 1), most - len(positive)))
    return [*positive[: most - harmed], *negative[:harmed]]


class Headline:
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

    @property
    def _observational(self) -> bool:
        return not self._experiment.randomized

    @property
    def _metric(self) -> numbers.MetricFormat:
        return numbers.MetricFormat.of(self._experiment.primary, self._language)

    def headline(self, story: str) -> str:
        """The sentence that tells ``story``."""
        study = self._text(f"verdict.study.{'observational' if self._observational else 'randomized'}")
        if self._several_treatments and story.startswith("found"):
            return self._text("verdict.several.headline", study=study, clauses=self._clauses())
        return self._text(
            f"verdict.{story}.headline{self._decision() if story == 'one_decision' else ''}",
            study=study,
            metric=self._experiment.primary.display.get(self._language, self._experiment.primary.name),
            failed=self._names_of_failed_checks(),
            helped=self._who("confirmed", "positive"),
            harmed=self._who("confirmed", "negative"),
            leads=self._who("promising", "positive", "negative"),
            **self._confirmation(),
        )

    def action(self, story: str) -> str:
        """What to do about it."""
        if self._several_treatments and story.startswith("found"):
            sentence = self._text(f"verdict.{story}.action_arms")
        else:
            sentence = self._text(
                f"verdict.{story}.action",
                helped=self._who("confirmed", "positive", with_share=True),
                harmed=self._who("confirmed", "negative", with_share=True),
                leads=self._who("promising", "positive", "negative", with_share=True),
                remedy=self._remedy(),
                overall=self._overall(),
                **self._confirmation(),
            )
        has_leads = any(rule["grade"] == "promising" for rule in self._result["subpopulations"])
        sentences = [
            sentence,
            self._text("verdict.one_decision.leads") if story == "one_decision" and has_leads else "",
            self._detectable() if story in _WITH_DETECTABLE else "",
            self._text("verdict.not_worth_its_cost") if self._is_not_worth_its_cost() and story != "invalid" else "",
            self._text("verdict.randomize") if self._observational and story != "invalid" else "",
        ]
        return self._text("words.space").join(filter(None, sentences))

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

    def _confirmation(self) -> dict[str, str]:
        """Whom a follow-up experiment is about, what was predicted and what came; nothing in other experiments."""
        found, follows, eligible = self._result["confirmation"], self._experiment.follows, self._experiment.eligible
        if not found or follows is None or eligible is None:
            return {}
        rule = eligible.in_words(self._language, self._experiment.features.display_names())
        predicted, realised = (
            f"{self._metric.difference(said['estimate'], numbers.half_width(said['interval']))} "
            f"{self._metric.interval(said['interval'])}"
            for said in (found["predicted"], found["realised"])
        )
        who = self._text("verdict.who", rule=rule)
        return {
            "who": who,
            "claim": self._text(f"verdict.claim.{follows.kind}"),
            "predicted": predicted,
            "realised": realised,
            "advice": self._text(f"verdict.advice.{found['verdict']}_{follows.kind}", who=who),
        }

    def _failed_checks(self) -> list[Mapping[str, Any]]:
        return [check for check in self._result["checks"] if check["status"] == "fail"]

    def _names_of_failed_checks(self) -> str:
        names = dict.fromkeys(self._text(f"checks.{check['code']}.name") for check in self._failed_checks())
        return self._text("words.comma").join(names)

    def _remedy(self) -> str:
        failed = [check["code"] for check in self._failed_checks()]
        reason = self._validity["reason"] or (failed[0] if failed else None)
        return self._text(f"checks.{reason}.remedy") if reason else ""

    def _tones(self) -> dict[str, str]:
        """What the primary metric's effect over all users says, by treatment."""
        primary = self._experiment.primary
        return {
            effect["treatment"]: tone_of(effect["effect"]["interval"], primary.sign)
            for effect in self._result["effects"]
            if effect["metric"] == primary.name
        }

    def _decision(self) -> str:
        """Which decision for all users the overall effect supports, as the ending of a key."""
        tones = set(self._tones().values())
        return "_observational" if self._observational else "_mixed" if len(tones) > 1 else f"_{tones.pop()}"

    def _overall(self) -> str:
        """What the overall effect says, by treatment where they differ, and whether a guardrail speaks against it."""
        tones = self._tones()
        tone = "mixed" if len(set(tones.values())) > 1 else next(iter(tones.values()))
        arms = [self._text("words.arm_tone", arm=arm, tone=self._text(f"words.{said}")) for arm, said in tones.items()]
        if self._observational:
            said = "arms" if self._several_treatments else tone
            sentence = self._text(f"verdict.overall_observational.{said}", arms=self._text("words.comma").join(arms))
        elif self._several_treatments:
            sentence = self._text(f"verdict.overall_arms.{tone}", arms=self._text("words.comma").join(arms))
        else:
            sentence = self._text(f"verdict.overall.{tone}")
        harmed = self._harmed_guardrails()
        if "good" not in tones.values() or not harmed:
            return sentence
        return self._text("words.space").join([sentence, self._text("verdict.overall.guardrail", metrics=harmed)])

    def _harmed_guardrails(self) -> str:
        """Names of the guardrail metrics that any treatment makes worse over all users; empty where there are none."""
        metrics = {metric.name: metric for metric in self._experiment.metrics}
        harmed = dict.fromkeys(
            metrics[record["metric"]].display.get(self._language, record["metric"])
            for record in self._result["effects"]
            if record["role"] == "guardrail"
            and tone_of(record["effect"]["interval"], metrics[record["metric"]].sign) == "bad"
        )
        return self._text("words.comma").join(harmed)

    def _is_not_worth_its_cost(self) -> bool:
        """Whether treatments have a cost and no rollout of any of them is reliably better than none."""
        policy = (self._result["evidence"] or {}).get("policy") or {}
        gains = [rollout["vs_none"]["interval"] for found in policy.values() for rollout in found["policies"]]
        has_cost = any(found["cost"] > 0 for found in policy.values())
        return has_cost and bool(gains) and all(low is None or low <= 0 for low, _ in gains)

    def _detectable(self) -> str:
        sizes = [by_share[DETECTABLE_SHARE] for by_share in self._result["evidence"]["detectable"].values()]
        known = [size for size in sizes if size is not None]
        if not known:
            return ""
        share = numbers.percent(float(DETECTABLE_SHARE), 0)
        return self._text("verdict.detectable", share=share, effect=self._metric.size(max(known)))
