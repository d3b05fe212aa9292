"""Runs of the learning stages on a small table with known effects."""

import numpy as np
import pandas as pd

from causal_tasks.experiment import Experiment
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings

RATE = {"name": "rate", "numerator": "minutes", "denominator": "days", "role": "primary"}
DOWN = {"name": "minutes", "role": "primary", "direction": "down"}


def statement(**changes):
    stated = {
        "experiment_id": "music",
        "control": "off",
        "treatments": ["on"],
        "window": {"days": 7},
        "metrics": [{"name": "minutes", "role": "primary"}],
        "mining": {"candidates": ["t_lightgbm"], "finalists": 2, "trials": 3, "seed": 3},
    }
    return Experiment.parse(stated | changes, source="test")


def settings(tmp_path):
    return Settings(lake=f"file://{tmp_path}", parallel_tasks=64)


def prepared(experiment, n=3_000, seed=0):
    """A ``users`` table in which x0 above 0 gains and city b loses; returns it with the true effects."""
    random = np.random.default_rng(seed)
    arm = random.integers(0, len(experiment.arms), n)
    city = pd.Categorical(random.choice(["a", "b", "c"], n), categories=["a", "b", "c"])
    x0 = random.normal(size=n).astype("float32")
    effect = 2.0 * (x0 > 0) - 2.0 * (city == "b")
    mean = 5 + random.normal(size=n) + effect * (arm > 0)
    users = pd.DataFrame(
        {
            "unit": np.arange(n) + 10,
            "arm": pd.Categorical.from_codes(arm, categories=list(experiment.arms)),
            "x0": x0,
            "city": city,
            "unused": "text",
            "y__minutes": mean,
            "num__rate": mean * 3,
            "den__rate": np.full(n, 3.0),
            "part": np.where(random.random(n) < 0.6, "discovery", "estimation"),
            "fold": (np.arange(n) % 5).astype("int8"),
        }
    )
    users.loc[::50, ["x0", "y__minutes"]] = np.nan
    return users, effect


def even_odds(experiment, users):
    """What ``validate`` would write if everybody could as well have been in the other arm."""
    columns = {"unit": users["unit"]}
    for treatment in experiment.treatments:
        compared = users["arm"].isin([experiment.control, treatment])
        columns |= {f"propensity__{treatment}": 0.5, f"kept__{treatment}": compared, f"weight__{treatment}": 1.0}
    return pd.DataFrame(columns)


def opened(tmp_path, experiment, users, items=("t_lightgbm",), used=("x0", "city"), propensity=None):
    """A run whose stages before ``train`` are committed; returns it with their manifests."""
    run = RunFolder.open(experiment, settings(tmp_path))

    def write_propensity(folder):
        scores = even_odds(experiment, users) if propensity is None else propensity
        return run.storage.write_table(f"{folder}/propensity.parquet", scores)

    outputs = {
        "prepare": lambda folder: {"users": _in_two_files(run, f"{folder}/users", users)},
        "validate": lambda folder: {
            "features": run.storage.write_json(f"{folder}/f.json", {"used": list(used), "dropped": {}}),
            "items": run.storage.write_json(f"{folder}/items.json", list(items)),
            **({} if experiment.randomized else {"propensity": write_propensity(folder)}),
        },
    }
    manifests = []
    for stage, write in outputs.items():
        attempt = run.begin(stage, None, "0" * 8)
        attempt.commit(write(attempt.folder), {})
        manifests.append(run.manifest_uri(stage, None, "0" * 8))
    return run, manifests


def _in_two_files(run, folder, users):
    half = len(users) // 2
    for part, rows in enumerate((users.iloc[:half], users.iloc[half:])):
        run.storage.write_table(f"{folder}/part-{part}.parquet", rows)
    return folder


def output(run, result, name):
    return f"{run.uri}/{run.read_manifest(result.manifest).outputs[name].path}"


def trained(tmp_path, experiment, users, item="t_lightgbm", **options):
    run, manifests = opened(tmp_path, experiment, users, **options)
    return run, manifests, run_stage(MINE, "train", run=run, inputs=manifests, item=item)


def json_of(run, result, name):
    return run.storage.read_json(output(run, result, name))


def predictions_of(run, result):
    return run.storage.read_table(output(run, result, "predictions"))


def compared(users):
    """Which users the comparison of candidates counts."""
    return ((users["part"] == "discovery") & (users["fold"] == 4) & users["y__minutes"].notna()).to_numpy()


def committed(run, stage, item, **outputs):
    """A stage instance that has written these JSON outputs; returns the address of its manifest."""
    attempt = run.begin(stage, item, "1" * 8)
    attempt.commit(
        {name: run.storage.write_json(f"{attempt.folder}/{name}.json", value) for name, value in outputs.items()}, {}
    )
    return run.manifest_uri(stage, item, "1" * 8)


class Mined:
    """The learning stages of one experiment, run as far as asked."""

    def __init__(self, folder, experiment, users, items, propensity=None):
        self.users = users
        self.run, self.before = opened(folder, experiment, users, items=items, propensity=propensity)
        self.trained = {name: self._stage("train", self.before, name) for name in items}
        self.shortlisted = self._stage("shortlist", [self.before[1], *self._manifests()])

    def tune(self, name):
        return self._stage("tune", [*self.before, self.shortlisted.manifest], name).manifest

    def tuned_to(self, name, parameters):
        """What ``tune`` would write if it had found these parameters; returns its manifest."""
        return committed(self.run, "tune", name, tuning={"best": {"number": 1, "parameters": parameters}})

    def select(self, *tuned):
        """The result of ``select``, given the manifests of ``tune``."""
        return self._stage("select", [*self.before, *self._manifests(), self.shortlisted.manifest, *tuned])

    def selection(self, result):
        return json_of(self.run, result, "selection")

    def _manifests(self):
        return [result.manifest for result in self.trained.values()]

    def _stage(self, stage, inputs, item=None):
        return run_stage(MINE, stage, run=self.run, inputs=inputs, item=item)
