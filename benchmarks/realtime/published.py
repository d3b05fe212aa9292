"""Part ``published``: figures that were published for the preference model, beside what random rankings score there."""

from dataclasses import dataclass

import numpy as np

from benchmarks.document import table
from causal_tasks.evaluation import published_scores

USERS = 60_000
"""Of the set that is simulated with a test set's rates; standard deviations go with one over the root of the number."""

DRAWS = 400


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """What was published for a test set.

    Attributes:
        name: Of the test set.
        users: Of both arms.
        treated: Share of users.
        rates: Responding shares of control and treatment.
        scores: Published Qini, AUUC and uplift at 30 % of the preference model.
        best_other: Published Qini and AUUC of the best other model.
    """

    name: str
    users: int
    treated: float
    rates: tuple[float, float]
    scores: tuple[float, float, float]
    best_other: tuple[float, float]


RESULTS = (
    PublishedResult(
        "Criteo, visit, a tenth", 1_400_000, 0.85, (0.0382, 0.0485), (0.0942, 0.0371, 0.0310), (0.0924, 0.0363)
    ),
    PublishedResult("Lazada", 181_669, 0.5212, (0.0333, 0.0370), (0.0265, 0.0037, 0.0087), (0.0238, 0.0034)),
)
"""Of arXiv 2410.16755 (RecSys 2025), as others quote it: the table itself was not accessible."""


def noise_floor(result: PublishedResult, *, users: int = USERS, draws: int = DRAWS) -> tuple[float, float, float]:
    """Standard deviations of Qini, AUUC and uplift at 30 % over random rankings of a test set.

    They depend on the numbers of responders alone, so users are simulated who respond at its rates.
    """
    treatment = np.arange(users) < round(result.treated * users)
    outcome = np.zeros(users)
    for arm, rate in enumerate(result.rates):
        members = np.flatnonzero(treatment == arm)
        outcome[members[: round(rate * len(members))]] = 1
    ranking = np.random.default_rng(0).random(users)
    found = published_scores(outcome, ranking, treatment.astype(int), draws=draws)
    fewer = (users / result.users) ** 0.5
    return found.qini.null_sd * fewer, found.auuc.null_sd * fewer, found.lift_at_30.null_sd * fewer


def section(_: int) -> str:
    """The table, and what it does not tell."""
    rows = []
    for result in RESULTS:
        floor = noise_floor(result)
        scores = [f"{score:.4f} ({sd:.4f})" for score, sd in zip(result.scores, floor, strict=True)]
        gaps = zip(result.scores, result.best_other, floor, strict=False)
        rows.append([result.name, *scores, *(f"{(score - other) / sd:.1f}" for score, other, sd in gaps)])
    header = ["test set", "Qini", "AUUC", "uplift at 30 %", "Qini: ahead of the next", "AUUC: ahead of the next"]
    return "\n\n".join(
        [
            "Figures that were published for the preference model, in brackets the standard deviation of a random "
            "ranking of the same users, and by how many of these standard deviations the model is ahead of the best "
            "other one in the same publication. All by scikit-uplift's definitions.",
            table(header, rows),
            "Neither set orders the models.",
        ]
    )
