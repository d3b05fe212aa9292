"""Runs of the stages that learn segments, on a small table with two segments of which age decides."""

import numpy as np
import pandas as pd

from causal_tasks.experiment import Experiment
from causal_tasks.pipelines import SEGMENT
from tests.unit.allocation.budget_runs import Prepared

SEGMENTS = {"old": ["classic", "vinyl"], "young": ["fresh"]}


def segmenting(**changes):
    return {"segments": SEGMENTS, "lams": 6, "lam_ratio": 0.03, "alphas": [0.1]} | changes


def statement(**changes):
    stated = {
        "experiment_id": "messages",
        "control": "none",
        "treatments": ["classic", "vinyl", "fresh"],
        "window": {"days": 1, "pre_days": 0},
        "metrics": [{"name": "opened", "role": "primary"}, {"name": "minutes"}, {"name": "left", "direction": "down"}],
        "segmenting": segmenting(),
    }
    return Experiment.parse(stated | changes, source="test")


def prepared(experiment, n=3_000, seed=0):
    """A ``users`` table: both creatives of ``old`` are opened more by the old, that of ``young`` by the young."""
    random = np.random.default_rng(seed)
    arm = random.integers(0, len(experiment.arms), n)
    age = random.normal(size=n).astype("float32")
    logit = np.array([-1.0, -0.3, 0.0, -0.2])[arm] + np.array([0.0, 1.0, 1.0, -1.0])[arm] * age
    opened = (random.random(n) < 1 / (1 + np.exp(-logit))).astype("float64")
    users = pd.DataFrame(
        {
            "unit": np.arange(n) + 10,
            "arm": pd.Categorical.from_codes(arm, categories=list(experiment.arms)),
            "age": age,
            "city": pd.Categorical(random.choice(["a", "b", "c"], n)),
            "y__opened": opened,
            "y__minutes": 3 * opened + random.normal(size=n),
            "y__left": 1 - opened,
            "num__rate": 2 * opened + random.normal(size=n),
            "den__rate": np.full(n, 2.0),
            "part": np.where(random.random(n) < 0.6, "discovery", "estimation"),
            "fold": (np.arange(n) % 5).astype("int8"),
        }
    )
    outcomes = ["y__opened", "y__minutes", "y__left"]
    users.loc[::50, outcomes] = np.nan
    return users


class SegmentRun(Prepared):
    """A run whose stages before ``plan_segments`` are committed."""

    PIPELINE = SEGMENT
    FEATURES = ("age", "city")
