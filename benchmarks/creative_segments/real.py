"""Part ``real``: public experiments: what assigning brings, each person assigned by models that have not seen them."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.allocation.experiments import data_folder
from benchmarks.creative_segments.experiments import EXPERIMENTS, RealCreatives
from benchmarks.document import table
from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.evaluation.inverse_propensity import PolicyComparison
from causal_tasks.segments import (
    Assignment,
    CreativeSegmentsCV,
    SegmentSummary,
    SeparateCreativesCV,
    assignment_value,
    compare_assignments,
)

FOLDS = 5

SEGMENTS, COUNTED, SEPARATE = "segments", "segments, intercepts counted", "one model per creative"
SINGLE, MIX = "best single creative", "all creatives, in the experiment's mix"

Labels = NDArray[np.object_]
Inside = NDArray[np.bool_]


def section(_: int) -> str:
    """A table and what was found for each experiment; they are not simulated, so nothing is repeated."""
    folder, parts = data_folder(), []
    for file, read in EXPERIMENTS.items():
        experiment = read(folder / file)
        print(experiment.title, file=sys.stderr, flush=True)
        found, segment = evaluated(experiment)
        everybody = learned(experiment, np.ones(len(segment), dtype=np.bool_))
        parts += [
            f"### {experiment.title}",
            f"{experiment.remark} Response: {experiment.unit}.",
            _values(experiment, found),
            _matrix(experiment, segment),
            "Learned from everybody: " + " ".join(map(told, everybody.summary())),
        ]
    return "\n\n".join(parts)


def learned(experiment: RealCreatives, inside: Inside) -> CreativeSegmentsCV:
    """Segments, from some people's responses to creatives that have one."""
    return CreativeSegmentsCV().fit(**_exposed(experiment, inside))


def evaluated(experiment: RealCreatives) -> tuple[PolicyComparison, Labels]:
    """Every policy on everybody, and the segment that each person gets; all from models of the other half."""
    half = _dealt(experiment, 2, seed=0) == 0
    labels = {name: np.empty(len(half), dtype=object) for name in (SEGMENTS, COUNTED, SEPARATE, SINGLE)}
    for inside in (half, ~half):
        for name, given in _assigned(experiment, ~inside, inside).items():
            labels[name][inside] = given
    policies = {name: Assignment.by_segment(labels[name]) for name in (SEGMENTS, COUNTED)}
    policies |= {name: Assignment.by_creative(labels[name]) for name in (SEPARATE, SINGLE)}
    reference = sorted(set(experiment.creative) - set(experiment.segment))
    policies |= {MIX: Assignment.as_shown()} | {name: Assignment.by_creative(name) for name in reference}
    found = compare_assignments(
        experiment.response,
        experiment.creative,
        policies,
        baseline=SINGLE,
        segment_of=experiment.segment,
        clusters=experiment.clusters,
    )
    return found, labels[SEGMENTS]


def told(summary: SegmentSummary) -> str:
    """What was learned of one segment, in a sentence."""
    shared = ", ".join(f"{weight.term} {weight.coefficient:+.2f}" for weight in summary.shared)
    means = {
        "together": f"all of its creatives act alike: {shared}",
        "partly": f"its creatives share {shared}; {_names(summary)} depart from that",
        "apart": f"its creatives share nothing; {_names(summary)} depend on covariates in their own ways",
        "flat": "no covariate matters",
        "single": f"{shared or 'nothing that counts for assigning'}",
    }
    return f"{summary.segment} ({summary.verdict}): {means[summary.verdict]}."


def _names(summary: SegmentSummary) -> str:
    return ", ".join(difference.creative for difference in summary.differs)


def _assigned(experiment: RealCreatives, fitted: Inside, inside: Inside) -> Mapping[str, Labels | str]:
    """What the models of some people assign to others."""
    people, model = experiment.people[inside], learned(experiment, fitted)
    separate = SeparateCreativesCV().fit(**_exposed(experiment, fitted))
    means = {name: experiment.response[fitted & (experiment.creative == name)].mean() for name in experiment.segment}
    return {
        SEGMENTS: model.predict(people),
        COUNTED: model.set_params(count_intercepts=True).predict(people),
        SEPARATE: separate.predict(people),
        SINGLE: max(means, key=means.__getitem__),
    }


def _exposed(experiment: RealCreatives, inside: Inside) -> Mapping[str, Any]:
    """What estimators learn from of these people: those who were shown a creative that has a segment."""
    rows = inside & np.isin(experiment.creative, list(experiment.segment))
    return {
        "X": experiment.people[rows],
        "response": experiment.response[rows],
        "creative": experiment.creative[rows],
        "segment": experiment.segment,
        "fold": None if experiment.clusters is None else _dealt(experiment, FOLDS, seed=1)[rows],
    }


def _dealt(experiment: RealCreatives, into: int, *, seed: int) -> NDArray[np.intp]:
    """Shape (n,): numbers below ``into``; those who were drawn together get the same."""
    people = len(experiment.response)
    codes = np.arange(people) if experiment.clusters is None else experiment.clusters
    return np.asarray(np.random.default_rng(seed).permutation(int(codes.max()) + 1)[codes] % into)


def _values(experiment: RealCreatives, found: PolicyComparison) -> str:
    rows = []
    for name, value in found.values.items():
        difference = found.difference(name)
        same = "" if name == found.baseline else "the same"
        less = _number(experiment, difference, sign="+") if difference.standard_error else same
        noted = "of too few" if f"few_matched:{name}" in found.notes or f"few_differ:{name}" in found.notes else ""
        rows.append([name, _number(experiment, value.value), less, f"{value.matched:,}", noted])
    return table(["everybody gets", "response", f"less {SINGLE}", "people shown it", "intervals"], rows)


def _matrix(experiment: RealCreatives, segment: Labels) -> str:
    """Response of those who are assigned to a segment to the creatives of every segment."""
    segments = list(dict.fromkeys(experiment.segment.values()))
    rows = []
    for assigned in segments:
        inside = segment == assigned
        cells = [_cell(experiment, inside, shown) for shown in segments] if inside.any() else [""] * len(segments)
        rows.append([f"assigned to {assigned}", f"{inside.mean():.0%}", *cells])
    return table(["people", "share", *(f"shown {name}" for name in segments)], rows)


def _cell(experiment: RealCreatives, inside: Inside, shown: str) -> str:
    found = assignment_value(
        experiment.response[inside],
        experiment.creative[inside],
        Assignment.by_segment(shown),
        segment_of=experiment.segment,
        clusters=None if experiment.clusters is None else experiment.clusters[inside],
    )
    return _number(experiment, found.value)


def _number(experiment: RealCreatives, found: Estimate, *, sign: str = "") -> str:
    value, low, high = (experiment.scale * x for x in (found.estimate, *found.interval))
    return f"{value:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"
