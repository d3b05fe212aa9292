"""Runs of the stages that spend a budget, on a small table in which half of the users are worth a coupon."""

import numpy as np
import pandas as pd

from causal_tasks.data.columns import outcome_columns
from causal_tasks.experiment import Experiment
from causal_tasks.pipelines import ALLOCATE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings

METHODS = ["two_stage_t_lightgbm", "two_stage_s_lightgbm"]
VALID = {"status": "valid", "mining": True, "reason": None}


def statement(**changes):
    stated = {
        "experiment_id": "coupons",
        "control": "none",
        "treatments": ["small", "large"],
        "window": {"days": 1, "pre_days": 0},
        "metrics": [{"name": "orders", "role": "primary"}, {"name": "spent"}],
        "budgeting": {"cost": "spent", "budgets": [0.2, 0.5], "methods": METHODS},
    }
    return Experiment.parse(stated | changes, source="test")


def budgeting(**changes):
    return {"cost": "spent", "budgets": [0.2, 0.5], "methods": METHODS} | changes


def prepared(experiment, n=3_000, seed=0, cost=(0.0, 0.5, 1.0)):
    """A ``users`` table: x0 above 0 orders more by a coupon, nobody else does; each coupon costs its price."""
    random = np.random.default_rng(seed)
    arm = random.integers(0, len(experiment.arms), n)
    x0 = random.normal(size=n).astype("float32")
    orders = 2 + np.array([0.0, 1.0, 1.4])[arm] * (x0 > 0) + 0.5 * random.normal(size=n)
    users = pd.DataFrame(
        {
            "unit": np.arange(n) + 10,
            "arm": pd.Categorical.from_codes(arm, categories=list(experiment.arms)),
            "x0": x0,
            "city": pd.Categorical(random.choice(["a", "b", "c"], n)),
            "y__orders": orders,
            "y__spent": np.array(cost)[arm],
            "num__rate": orders * 2,
            "den__rate": np.full(n, 2.0),
            "part": np.where(random.random(n) < 0.6, "discovery", "estimation"),
            "fold": (np.arange(n) % 5).astype("int8"),
        }
    )
    users.loc[::50, "y__orders"] = np.nan
    return users


class Prepared:
    """A run whose stages ``prepare`` and ``validate`` are committed."""

    PIPELINE = ALLOCATE
    FEATURES = ("x0", "city")
    KINDS = ("numeric", "categorical")

    def __init__(self, lake, experiment, users, verdict=VALID):
        self.experiment = experiment
        self.run = RunFolder.open(experiment, Settings(lake=f"file://{lake}", parallel_tasks=64))
        self.manifests = {}
        names = [name for metric in experiment.metrics for name in outcome_columns(metric)]
        assert set(names) <= set(users)
        write = self.run.storage.write_json
        self._commit("prepare", lambda folder: {
            "users": self.run.storage.write_table(f"{folder}/users/part-0.parquet", users).rsplit("/", 1)[0],
            "profile": write(f"{folder}/profile.json", {
                "caps": {},
                "features": {name: {"kind": kind} for name, kind in zip(self.FEATURES, self.KINDS, strict=True)},
            }),
        })  # fmt: skip
        self._commit("validate", lambda folder: {
            "verdict": write(f"{folder}/verdict.json", verdict),
            "features": write(f"{folder}/features.json", {"used": list(self.FEATURES), "dropped": {}}),
            "checks": write(f"{folder}/checks.json", []),
        })  # fmt: skip

    def _commit(self, stage, write):
        attempt = self.run.begin(stage, None, "0" * 8)
        attempt.commit(write(attempt.folder), {})
        self.manifests[stage] = [self.run.manifest_uri(stage, None, "0" * 8)]

    def stage(self, name, item=None):
        """Run one stage on all that was run before; returns its result."""
        inputs = [uri for need in self.PIPELINE[name].inputs for uri in self.manifests.get(need, ())]
        result = run_stage(self.PIPELINE, name, run=self.run, inputs=inputs, item=item)
        if result:
            self.manifests.setdefault(name, []).append(result.manifest)
        return result

    def until(self, last):
        """Run everything up to a stage, all items; returns self."""
        for stage in self.PIPELINE.stages[2:]:
            items = self.json(stage.over, "items") if stage.over else [None]
            for item in items:
                self.stage(stage.name, item)
            if stage.name == last:
                break
        return self

    def uri(self, stage, output, position=0):
        return f"{self.run.uri}/{self.run.read_manifest(self.manifests[stage][position]).outputs[output].path}"

    def json(self, stage, output, position=0):
        return self.run.storage.read_json(self.uri(stage, output, position))

    def table(self, stage, output, position=0):
        return self.run.storage.read_table(self.uri(stage, output, position))
