"""``python -m benchmarks.peers.ranking LIBRARY TASK USERS``: one library scores one ranking of simulated users once."""

import importlib.metadata
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.peers.stopwatch import taken_by

SEED = 7
PACKAGES = {"causal_tasks": "causal-tasks", "causalml": "causalml", "sklift": "scikit-uplift", "econml": "econml"}
"""Distribution by library."""


@dataclass(frozen=True)
class Users:
    """A randomised experiment, a ranking of its users, and their doubly robust scores."""

    outcome: Any
    treatment: Any
    uplift: Any
    scores: Any


def simulated(users: int) -> Users:
    """Half of the users treated; an outcome of 0 or 1 that treatment raises by 0 to 20 points; no equal predictions."""
    random = np.random.default_rng(SEED)
    effect, treatment = 0.2 * random.random(users), random.integers(0, 2, users)
    outcome = (random.random(users) < 0.3 + effect * treatment).astype(np.int64)
    uplift = effect + random.normal(scale=0.1, size=users)
    scores = 2.0 * (2 * treatment - 1) * (outcome - outcome.mean())
    return Users(outcome, treatment, uplift, scores)


def ours(task: str, users: Users) -> Callable[[], Any]:
    from causal_tasks import evaluation

    ranked = partial(_applied, users.outcome, users.uplift, users.treatment)
    return {
        "auuc_as_causalml": lambda: ranked(evaluation.auuc, definition="causalml"),
        "auuc_as_sklift": lambda: ranked(evaluation.auuc, definition="sklift"),
        "qini_as_causalml": lambda: ranked(evaluation.qini, definition="causalml"),
        "qini_as_sklift": lambda: ranked(evaluation.qini, definition="sklift"),
        "auuc_interval": lambda: ranked(evaluation.auuc_interval).standard_error,
        "gain_band": lambda: float(ranked(evaluation.gain_curve)["high"].max()),
        "autoc_error": lambda: evaluation.autoc(users.scores, users.uplift).standard_error,
        "autoc_and_band": lambda: _autoc_and_band(users),
    }[task]


def _autoc_and_band(users: Users) -> float:
    from causal_tasks import evaluation

    evaluation.toc_curve(users.scores, users.uplift)
    return evaluation.autoc(users.scores, users.uplift).standard_error


def _applied(outcome: Any, uplift: Any, treatment: Any, score: Callable[..., Any], **options: Any) -> Any:
    return score(outcome, uplift, treatment, **options)


def causalml(task: str, users: Users) -> Callable[[], Any]:
    import pandas as pd
    from causalml.metrics import auuc_score, qini_score, rate_score

    frame = pd.DataFrame({"y": users.outcome, "w": users.treatment, "model": users.uplift})
    interval, half = {"return_ci": True, "n_bootstrap": 200, "random_state": SEED}, len(frame) / 2
    return {
        "auuc_as_causalml": lambda: float(auuc_score(frame)["model"]),
        "qini_as_causalml": lambda: float(qini_score(frame)["model"]),
        # In units of the sums over a half sample.
        "auuc_interval": lambda: float(auuc_score(frame, normalize=False, **interval).loc["model", "se"]) / half,
        "autoc_error": lambda: float(rate_score(frame, **interval).loc["model", "se"]),
    }[task]


def sklift(task: str, users: Users) -> Callable[[], Any]:
    from sklift.metrics import qini_auc_score, uplift_auc_score

    score = {"auuc_as_sklift": uplift_auc_score, "qini_as_sklift": qini_auc_score}[task]
    return lambda: float(score(users.outcome, users.uplift, users.treatment))


def econml(task: str, users: Users) -> Callable[[], Any]:
    """What ``DRTester.evaluate_uplift`` calls for each treatment, with its defaults."""
    from econml.validate.utils import calc_uplift

    percentiles = np.linspace(5, 95, 50)
    call = partial(calc_uplift, users.uplift, users.uplift, users.scores, percentiles, "toc", 1000)
    return {"autoc_and_band": lambda: float(call()[1])}[task]


LIBRARIES = {"causal_tasks": ours, "causalml": causalml, "sklift": sklift, "econml": econml}


def main() -> None:
    """Answer one task and print what that took as one line of JSON."""
    library, task, users = sys.argv[1], sys.argv[2], int(sys.argv[3])
    taken = taken_by(LIBRARIES[library](task, simulated(users)))
    print(json.dumps(taken | {"version": importlib.metadata.version(PACKAGES[library])}))


if __name__ == "__main__":
    main()
