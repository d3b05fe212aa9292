"""Who benefits and who is harmed, or how small an effect would still have been seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.effects import ShownEffect, show_effect
from causal_tasks.report.sections.rules import Segment, tell_rule
from causal_tasks.report.verdict import mining_story


@dataclass(frozen=True, slots=True)
class Branch:
    """A node of the tree from which the rules were read."""

    words: str
    share: str
    effect: ShownEffect
    children: tuple["Branch", ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree of one treatment."""

    treatment: str
    root: Branch


@dataclass(frozen=True, slots=True)
class Segments:
    """Every reported rule, by grade.

    Attributes:
        mined: Whether rules were searched at all.
        confirmed: By treatment, most positive first, then most negative.
        promising: The same.
        not_supported: The same.
        repeats: Rules left out because they are about the users of a better one of another treatment.
        honest: How rules were found and checked.
        nothing_title: Says that nothing is well supported; empty where something is or nothing was searched.
        nothing_text: What that means.
        detectable: Size of a group, and the smallest effect that would have been seen in it, by treatment.
        trees: Where the rules come from.
    """

    mined: bool
    confirmed: tuple[Segment, ...]
    promising: tuple[Segment, ...]
    not_supported: tuple[Segment, ...]
    repeats: tuple[str, ...]
    honest: str
    nothing_title: str
    nothing_text: str
    detectable: tuple[tuple[str, ...], ...]
    trees: tuple[Tree, ...]

    @property
    def shown(self) -> tuple[Segment, ...]:
        """Every rule, best supported first."""
        return self.confirmed + self.promising + self.not_supported


def tell_segments(briefing: Briefing) -> Segments:
    """The section on subpopulations."""
    evidence = briefing.result["evidence"]
    if evidence is None:
        return Segments(False, (), (), (), (), "", "", "", (), ())
    order = briefing.experiment.treatments.index
    records = sorted(briefing.result["subpopulations"], key=lambda record: order(record["treatment"]))
    words = {record["id"]: record["words"][briefing.language] for record in records}
    told = [tell_rule(briefing, record, words) for record in records]
    grades = {
        grade: tuple(segment for segment in told if segment.grade == grade)
        for grade in ("confirmed", "promising", "not_supported")
    }
    rules = numbers.count(evidence["rules_examined"])
    story = mining_story("nothing_found", briefing.result)
    return Segments(
        mined=True,
        **grades,
        repeats=tuple(_repeat(briefing, repeat, words) for repeat in evidence.get("repeats", ())),
        honest=briefing.text("segment.honest", rules=rules),
        nothing_title=""
        if grades["confirmed"]
        else briefing.text(f"segment.{story}_title", rules=rules, leads=len(grades["promising"])),
        nothing_text="" if grades["confirmed"] else briefing.text(f"segment.{story}_text"),
        detectable=_detectable(briefing, evidence["detectable"]),
        trees=tuple(Tree(arm, _branch(briefing, root)) for arm, root in briefing.result["tree"].items()),
    )


def _repeat(briefing: Briefing, repeat: Mapping[str, Any], words: Mapping[str, str]) -> str:
    return briefing.text(
        "segment.repeats",
        who=repeat["words"][briefing.language],
        arm=repeat["treatment"],
        of=words[repeat["of"]],
        jaccard=numbers.percent(repeat["jaccard"], 0),
    )


def _detectable(
    briefing: Briefing, by_treatment: Mapping[str, Mapping[str, float | None]]
) -> tuple[tuple[str, ...], ...]:
    """Rows of group size and smallest visible effect, one column of effects for each treatment."""
    shown = briefing.format(briefing.experiment.primary.name)
    sizes = sorted({share for sizes in by_treatment.values() for share in sizes}, key=float)
    return tuple(
        (numbers.percent(float(share), 0), *(shown.size(sizes.get(share)) for sizes in by_treatment.values()))
        for share in sizes
    )


def _branch(briefing: Briefing, node: Mapping[str, Any]) -> Branch:
    return Branch(
        words=node["words"][briefing.language],
        share=numbers.percent(node["share"]),
        effect=show_effect(briefing, briefing.experiment.primary.name, node["effect"]),
        children=tuple(_branch(briefing, child) for child in node["children"]),
    )
