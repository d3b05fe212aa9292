"""Part ``accuracy``: 200,000 users, three treatments, effects known: the preference model against a T-learner."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from benchmarks.document import mean_and_error, table
from benchmarks.draws import repeated
from benchmarks.realtime import models
from benchmarks.realtime.ablations import Agreement, agreement
from benchmarks.realtime.paired import by_method, with_interval
from benchmarks.realtime.worlds import Vector, Weeks, weeks_of
from causal_tasks.base_models import XGBoost
from causal_tasks.data.video_platform import PERIOD, VideoPlatform
from causal_tasks.dynamic import LongTermUplift
from causal_tasks.evaluation import qini
from causal_tasks.uplift import TLearner
from causal_tasks.uplift.learner import UpliftLearner

USERS, TEST = 200_000, 40_000

NULL_DRAWS = 50

FEATURES, SMALL = "LongTermUplift", "LongTermUplift, 16 buckets of 8 numbers"
PAPER, TREES = "LongTermUplift, as published", "TLearner(XGBoost)"


class Found(NamedTuple):
    """By model.

    Attributes:
        agreement: With the truth of other users.
        permuted: By treatment, Qini on these users of a model whose arms were permuted, in standard deviations of
            random rankings.
    """

    agreement: dict[str, Agreement]
    permuted: list[float]


def measure(_: str, seed: int) -> Found:
    """Fit on a week of one platform, and look at other users."""
    learned = weeks_of(VideoPlatform(seed=seed, users=USERS).days(PERIOD))
    others = VideoPlatform(seed=seed + 1_000, users=TEST)
    test = weeks_of(others.days(PERIOD))
    fitted = {
        FEATURES: _fit(LongTermUplift(**models.PREFERENCE), learned, learned.arm),
        SMALL: _fit(LongTermUplift(**models.PREFERENCE, buckets=16, embedding=8), learned, learned.arm),
        PAPER: _fit(LongTermUplift(**models.PAPER_PREFERENCE), learned, learned.arm),
        TREES: _fit(TLearner(XGBoost(n_estimators=200)), learned, learned.arm),
    }
    found = {
        name: agreement(model.predict_outcomes(test.features).astype(float), others.preference)
        for name, model in fitted.items()
    }
    random = np.random.default_rng(seed)
    null = _fit(LongTermUplift(**models.PREFERENCE), learned, random.permutation(learned.arm)).predict(test.features)
    # What chance learned may resemble true effects: there must be none among those whom it ranks either.
    unmoved = replace(test, arm=random.permutation(test.arm))
    return Found(found, [_standardised_qini(unmoved, null[:, k - 1], k, seed) for k in (1, 2, 3)])


def _fit(model: UpliftLearner, weeks: Weeks, arm: Vector) -> UpliftLearner:
    return model.fit(weeks.features, weeks.watched, arm, control=0)


def _standardised_qini(test: Weeks, uplift: Vector, treatment: int, seed: int) -> float:
    """Qini of one treatment in standard deviations of random rankings."""
    rows = np.isin(test.arm, (0, treatment))
    outcome, scores, treated = test.watched[rows], uplift[rows], test.arm[rows] == treatment
    random = np.random.default_rng(seed)
    null = [qini(outcome, random.permutation(scores), treated.astype(int)) for _ in range(NULL_DRAWS)]
    return float(qini(outcome, scores, treated.astype(int)) / np.std(null))


def section(seeds: int) -> str:
    """Agreement by model, differences from the T-learner, and the model of permuted arms."""
    (draws,) = repeated(measure, ("three",), seeds)
    values = [
        by_method([{name: getattr(found, field) for name, found in draw.agreement.items()} for draw in draws])
        for field in Agreement._fields
    ]
    header = ["model", "best arm right, %", "Spearman", "seconds, preference alone"]
    levels = [[name, *(mean_and_error(found[name]) for found in values)] for name in values[0]]
    less = [
        [
            f"{name} − {TREES}",
            *(
                with_interval(found[name] - found[TREES], digits)
                for found, digits in zip(values, (1, 3, 2), strict=True)
            ),
        ]
        for name in (FEATURES, SMALL, PAPER)
    ]
    permuted = np.abs([draw.permuted for draw in draws])
    return "\n\n".join(
        [
            f"A week of {USERS:,} users, three treatments; agreement with the truth of {TEST:,} others, {seeds} draws; "
            "columns as above.",
            table(header, levels),
            table(header, less),
            f"Learned from permuted arms, the preference model's Qini is {permuted.mean():.2f} standard deviations of "
            f"random rankings from zero on average and {permuted.max():.2f} at most, over {permuted.size} treatments; "
            f"{int((permuted < 2).sum())} are within two.",
        ]
    )
