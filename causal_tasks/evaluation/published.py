"""Scores in which papers on uplift publish their results, each beside what random rankings of the same users score.

Qini, AUUC and the uplift of the best 30 % by scikit-uplift's definitions. On public test sets the scores of two models
often differ by less than the standard deviation of a random ranking: a table of such scores tells nothing without it,
and differences between models are told by ``compare`` on the same users instead.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from causal_tasks.errors import InputError
from causal_tasks.evaluation.buckets import difference_at
from causal_tasks.evaluation.foreign import above_random, perfect_gain, perfect_qini, qini_heights
from causal_tasks.evaluation.ranking import Ranking, Vector, only_ranking

SHARE = 0.3
DRAWS = 200

Score = Callable[[Ranking], float]


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """A score and the distribution of it over random rankings of the same users.

    Attributes:
        value: Of the ranking.
        null_mean: Mean over random rankings.
        null_sd: Standard deviation over random rankings, known to about 5 % with 200 of them.
        z: ``(value - null_mean) / null_sd``; None where all users share one score, so that any ranking scores alike.
    """

    value: float
    null_mean: float
    null_sd: float
    z: float | None

    @classmethod
    def of(cls, value: float, drawn: Vector) -> Self:
        """The score of a ranking beside those of random ones, shape (draws,)."""
        mean, sd = float(drawn.mean()), float(drawn.std(ddof=1))
        # Sums in another order differ in the last digits.
        alike = sd <= 1e-12 * max(1.0, abs(mean))
        return cls(value=value, null_mean=mean, null_sd=0.0 if alike else sd, z=None if alike else (value - mean) / sd)


@dataclass(frozen=True, slots=True)
class PublishedScores:
    """Scores of one ranking by scikit-uplift 0.5.1's definitions.

    Attributes:
        qini: ``qini_auc_score(negative_effect=True)``, no unit; random is about 0.
        auuc: ``uplift_auc_score``, no unit; random is about 0.
        lift_at_30: ``uplift_at_k(k=0.3, strategy="overall")``, outcome units per user; random is about the average
            effect.
        lift_at_30_by_group: The same with ``strategy="by_group"``.
        users: That were ranked.
        draws: Random rankings.
    """

    qini: PublishedScore
    auuc: PublishedScore
    lift_at_30: PublishedScore
    lift_at_30_by_group: PublishedScore
    users: int
    draws: int

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values."""
        return asdict(self)


def published_scores(
    outcome: ArrayLike,
    uplift: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> PublishedScores:
    """Qini, AUUC and uplift at 30 % as scikit-uplift defines them, with their noise floor.

    A random ranking gives the same scores to the users in another order, so it has as many ties. The users who are
    ranked and their outcomes stay: ``null_sd`` tells what a ranking without any knowledge scores on this test set, not
    how much ``value`` would differ on another one.

    Args:
        outcome: Shape (n,), 0 or 1.
        uplift: Shape (n,).
        treatment: Shape (n,), labels of two arms.
        control: Label of the control arm; None: 0.
        draws: Random rankings, at least 2.
        seed: Of the random rankings.

    Raises:
        InputError: As for ``auuc``, an outcome is neither 0 nor 1, there are several treatments, ``draws`` is below 2,
            or the best 30 % of a ranking, given or random, have no user of one arm.
    """
    if draws < 2:
        raise InputError(f"draws is {draws}", remedy="use 2 or more, so that there is a standard deviation")
    ranking = only_ranking(outcome, uplift, treatment, control=control)
    scores = _scores(ranking)
    drawn = _random_scores(ranking, scores, draws, np.random.default_rng(seed))
    found = {name: PublishedScore.of(score(ranking), drawn[:, k]) for k, (name, score) in enumerate(scores.items())}
    return PublishedScores(**found, users=len(ranking.outcome), draws=draws)


def _scores(ranking: Ranking) -> dict[str, Score]:
    """Scores of rankings of the users of this one: what a perfect ranking scores is the same for all of them."""
    best_gain, best_qini = perfect_gain(ranking), perfect_qini(ranking)
    return {
        "qini": lambda ranked: above_random(ranked.share, qini_heights(ranked)) / best_qini,
        "auuc": lambda ranked: above_random(ranked.share, ranked.gain) / best_gain,
        "lift_at_30": partial(difference_at, share=SHARE, strategy="overall"),
        "lift_at_30_by_group": partial(difference_at, share=SHARE, strategy="by_group"),
    }


def _random_scores(ranking: Ranking, scores: dict[str, Score], draws: int, random: np.random.Generator) -> Vector:
    """Shape (draws, scores)."""
    drawn = np.empty((draws, len(scores)))
    for draw in range(draws):
        order = random.permutation(len(ranking.outcome))
        shuffled = replace(
            ranking, outcome=ranking.outcome[order], treated=ranking.treated[order], rows=ranking.rows[order]
        )
        drawn[draw] = [score(shuffled) for score in scores.values()]
    return drawn
