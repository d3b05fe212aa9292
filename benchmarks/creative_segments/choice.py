"""Part ``choice``: what assigning people to segments brings over one creative for everybody, the truth being known."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.document import mean_and_error, table
from benchmarks.draws import repeated
from causal_tasks.data.creative_problems import CreativeProblem, creative_problem
from causal_tasks.segments import CreativeSegmentsCV, SeparateCreativesCV

COVARIATES, SEGMENTS, TEST = 50, 3, 40_000

LAMS = 20
"""Penalties of each path, down to 1 % of the one that leaves everything zero."""

SEGMENT, COUNTED, BEST_IN = "segments", "segments, intercepts counted", "segments, best creative of each"
JOINT, SEPARATE, POOLED = "creative by the same model", "one model per creative", "one model per segment"
ORACLE_SEGMENT, ORACLE = "best segment, truth known", "best creative, truth known"
POLICIES = (SEGMENT, COUNTED, BEST_IN, JOINT, SEPARATE, POOLED, ORACLE_SEGMENT, ORACLE)


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of experiment with three segments.

    Attributes:
        title: In the table.
        people: In the experiment, over all creatives.
        creatives: Of each segment.
        apart: Creatives of each segment that depart from it.
        strength: Standard deviation over people of what a segment's creatives share, in log-odds.
        appeal: Standard deviation over creatives of the intercept.
    """

    title: str
    people: int
    creatives: int = 3
    apart: int = 0
    strength: float = 0.6
    appeal: float = 0.1


CASES = (
    Case("alike, 4,500 people", 4_500),
    Case("alike, 45,000 people", 45_000),
    Case("one of three departs, 4,500 people", 4_500, apart=1),
    Case("one of three departs, 45,000 people", 45_000, apart=1),
    Case("nothing shared, 4,500 people", 4_500, apart=3, strength=0.0),
    Case("nothing shared, 45,000 people", 45_000, apart=3, strength=0.0),
    Case("alike, one creative each, 4,500 people", 4_500, creatives=1),
    Case("alike, six creatives each, 4,500 people", 4_500, creatives=6),
    Case("alike, unequal appeal, 45,000 people", 45_000, appeal=0.5),
)


def section(seeds: int) -> str:
    """Gains over the best single creative in every case, and what segments add to their rivals."""
    found = {case.title: draws for case, draws in zip(CASES, repeated(_gains, CASES, seeds), strict=True)}
    gains = {
        title: {policy: 100 * np.array([draw[policy] for draw in draws]) for policy in POLICIES}
        for title, draws in found.items()
    }
    return (
        f"{SEGMENTS} segments, {COVARIATES} covariates, 8 of which decide in each segment; about 10 % respond. Alpha "
        f"and lambda by cross-validation, one standard error. Responses per 100 people more than with the creative "
        f"that did best in the experiment, on {TEST:,} new people whose probabilities are known: mean of {seeds} draws "
        f"± standard error.\n\n{_levels(gains)}\n\nPaired differences:\n\n{_differences(gains)}"
    )


def _gains(case: Case, seed: int) -> dict[str, float]:
    """True value of every policy less that of the best single creative of the experiment."""
    learned = creative_problem(
        case.people,
        COVARIATES,
        SEGMENTS,
        case.creatives,
        apart=case.apart,
        strength=case.strength,
        appeal=case.appeal,
        seed=seed,
    )
    test = learned.others(TEST, seed=seed + 1_000)
    every, mixed = test.probabilities(), test.segment_probabilities()
    shown = np.bincount(learned.creative, learned.response) / np.bincount(learned.creative)
    values = {name: float(value) for name, value in _values(learned, test, every, mixed, shown, seed).items()}
    values |= {ORACLE_SEGMENT: float(mixed.max(axis=1).mean()), ORACLE: float(every.max(axis=1).mean())}
    single = float(every[:, shown.argmax()].mean())
    return {name: value - single for name, value in values.items()}


def _values(
    learned: CreativeProblem,
    test: CreativeProblem,
    every: NDArray[np.float64],
    mixed: NDArray[np.float64],
    shown: NDArray[np.float64],
    seed: int,
) -> dict[str, float]:
    """True value of what every model assigns to the people of ``test``.

    Args:
        learned: What models learn from.
        test: Other people.
        every: Probability of their response to every creative.
        mixed: The same of every segment, each of its creatives being equally likely.
        shown: Mean response to every creative in ``learned``.
        seed: Of the folds.
    """
    names = np.array(learned.creatives)[learned.creative]
    segments = np.array(learned.segments)[learned.segment_of[learned.creative]]
    model = CreativeSegmentsCV(seed=seed, n_lams=LAMS)
    model.fit(learned.X, learned.response, creative=names, segment=learned.segment)
    separate, pooled = (SeparateCreativesCV(seed=seed, n_lams=LAMS) for _ in range(2))
    separate.fit(learned.X, learned.response, creative=names, segment=learned.segment)
    pooled.fit(learned.X, learned.response, creative=segments, segment={name: name for name in learned.segments})
    chosen = _positions(model.predict(test.X), learned.segments)
    counted = _positions(model.set_params(count_intercepts=True).predict(test.X), learned.segments)
    by_creative = np.array(model.creatives_)[model.predict_response(test.X).argmax(axis=1)]
    best_in = np.array([np.where(learned.segment_of == j, shown, -1).argmax() for j in range(SEGMENTS)])
    return {
        SEGMENT: _mean_at(mixed, chosen),
        COUNTED: _mean_at(mixed, counted),
        BEST_IN: _mean_at(every, best_in[chosen]),
        JOINT: _mean_at(every, _positions(by_creative, learned.creatives)),
        SEPARATE: _mean_at(every, _positions(separate.predict(test.X), learned.creatives)),
        POOLED: _mean_at(mixed, _positions(pooled.predict(test.X), learned.segments)),
    }


def _positions(labels: NDArray[np.object_], known: tuple[str, ...]) -> NDArray[np.intp]:
    return np.asarray(pd.Index(known).get_indexer(pd.Index(labels)), dtype=np.intp)


def _mean_at(values: NDArray[np.float64], chosen: NDArray[np.intp]) -> float:
    return float(values[np.arange(len(chosen)), chosen].mean())


def _levels(gains: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> str:
    rows = [
        [title, *(mean_and_error(by_policy[policy], sign="+") for policy in POLICIES)]
        for title, by_policy in gains.items()
    ]
    return table(["experiment", *POLICIES], rows)


def _differences(gains: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> str:
    pairs = [(SEGMENT, SEPARATE), (SEGMENT, POOLED), (COUNTED, SEPARATE), (BEST_IN, SEPARATE), (JOINT, SEPARATE)]
    rows = [
        [title, *(mean_and_error(by_policy[one] - by_policy[other], sign="+") for one, other in pairs)]
        for title, by_policy in gains.items()
    ]
    return table(["experiment", *(f"{one} − {other}" for one, other in pairs)], rows)
