"""What many simulated experiments come to: rules claimed, effects found, intervals that hold the truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.statistical.mining_runs import Design, in_parallel, mined, simulated

FOUND = 0.5
"""Jaccard index from which on a confirmed rule counts as the planted group."""


@dataclass(frozen=True)
class Run:
    """One mined experiment.

    Attributes:
        confirmed: Rules confirmed.
        discovered: Rules shown with q at most 10 %.
        eligible: Examined rules that cover neither too few nor too many users.
        omnibus: Whether effects were shown to differ.
        overlap: Jaccard index of the planted group and the confirmed positive rule nearest to it; 0 without any.
        covered: For every examined rule, whether its plain 95 % interval holds the true effect.
        covered_selected: For every selected rule, whether its FCR interval does.
    """

    confirmed: int
    discovered: int
    eligible: int
    omnibus: bool
    overlap: float
    covered: tuple[bool, ...]
    covered_selected: tuple[bool, ...]


def run(design: Design, seed: int) -> Run:
    """Mine one experiment; stability is measured only where it could take back what else would be confirmed."""
    data = simulated(design, seed)
    found = mined(data, stability_trees=0)
    if any(rule.grade == "confirmed" for rule in found.subpopulations):
        found = mined(data)
    estimation = ~data.discovery
    features, group = data.features[estimation], data.group[estimation]
    confirmed = [rule for rule in found.subpopulations if rule.grade == "confirmed"]
    overlaps = [_jaccard(_inside(rule, features), group) for rule in confirmed if rule.kind == "positive"]
    covered, covered_selected = [], []
    for rule in found.examined:
        if rule.evidence.effect is None:
            continue
        truth = data.effect[estimation][_inside(rule, features)].mean()
        covered.append(_holds(rule.evidence.effect.interval, truth))
        if rule.fcr_interval is not None:
            covered_selected.append(_holds(rule.fcr_interval, truth))
    return Run(
        confirmed=len(confirmed),
        discovered=sum(rule.q_value <= 0.10 for rule in found.subpopulations),
        eligible=sum(rule.eligible for rule in found.examined),
        omnibus=all(test.passed for test in found.omnibus.values()),
        overlap=max(overlaps, default=0.0),
        covered=tuple(covered),
        covered_selected=tuple(covered_selected),
    )


def runs(design: Design, count: int, *, first_seed: int = 0) -> list[Run]:
    """Mine ``count`` experiments of one design."""
    return in_parallel(run, [(design, first_seed + seed) for seed in range(count)])


def share(values: Sequence[bool]) -> float:
    """Of true ones."""
    return float(np.mean(values)) if len(values) else float("nan")


def _inside(rule: object, features: object) -> np.ndarray:
    return np.asarray(rule.rule.mask(features), dtype=bool)


def _jaccard(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def _holds(interval: tuple[float, float], truth: float) -> bool:
    return bool(interval[0] <= truth <= interval[1])
