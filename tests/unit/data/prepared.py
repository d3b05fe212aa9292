"""An experiment after ``prepare``, small and healthy, for tests of the stages that follow."""

import numpy as np
import pandas as pd

from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings

N = 4000


def stated(**changes):
    return Experiment.model_validate(
        {
            "experiment_id": "exp",
            "control": "control",
            "treatments": ["new"],
            "window": {"days": 7, "pre_days": 14},
            "metrics": [
                {"name": "minutes", "role": "primary"},
                {"name": "ctr", "numerator": "clicks", "denominator": "views"},
            ],
            "features": {"dictionary": {"gender": {"sensitive": True}}},
            "mining": {"candidates": ["t_lightgbm", "t_xgboost"]},
            **changes,
        }
    )


def healthy_users(seed=0, n=N, arms=("control", "new")):
    rng = np.random.default_rng(seed)
    views = rng.poisson(5, n).astype(float)
    return pd.DataFrame(
        {
            "unit": np.arange(n),
            "start": pd.to_datetime(np.datetime64("2026-02-01") + np.arange(n) // len(arms) % 10).date,
            "arm": pd.Categorical(np.resize(arms, n)),
            "tenure": rng.gamma(2, 100, n).astype("float32"),
            "gender": pd.Categorical(rng.choice(["f", "m"], n)),
            "city": pd.Categorical(rng.choice([f"city{i}" for i in range(30)], n)),
            "vip": rng.integers(0, 2, n).astype("int8"),
            "y__minutes": rng.gamma(1, 10, n),
            "pre__minutes": rng.gamma(1, 10, n),
            "num__ctr": rng.binomial(views.astype(int), 0.2).astype(float),
            "den__ctr": views,
            "prenum__ctr": rng.binomial(views.astype(int), 0.2).astype(float),
            "preden__ctr": views,
        }
    )


FEATURES = ("tenure", "gender", "city", "vip")


def waterfall(first, **dropped):
    """Steps of a waterfall from first exposures by arm and units dropped by step and arm."""
    left, zero = dict(first), dict.fromkeys(first, 0)
    steps = [
        {"step": "rows", "units": left, "dropped": zero},
        {"step": "first_exposure", "units": left, "dropped": zero},
    ]
    for step in ("two_arms", "not_eligible", "immature"):
        lost = dropped.get(step, zero)
        left = {arm: count - lost[arm] for arm, count in left.items()}
        steps.append({"step": step, "units": left, "dropped": lost})
    return {"steps": [*steps, {"step": "analysed", "units": left, "dropped": zero}]}


def applied_cap(share=0.001, *, raw=(10.0, 10.0), capped=(9.9, 9.9), error=0.2):
    """A cap as ``prepare`` records it; means are those of control and new, with one standard error."""

    def by_arm(means):
        pairs = zip(("control", "new", "newer"), (*means, means[-1]), strict=False)
        return {arm: {"units": 2000, "mean": mean, "standard_error": error} for arm, mean in pairs}

    return {
        "value": 60.0,
        "share_capped": share,
        "share_of_nonzero": share,
        "raw": by_arm(raw),
        "capped": by_arm(capped),
    }


def profiled(features=FEATURES, **changes):
    return {
        "cutoff": "2026-03-01",
        "last_metrics_day": "2026-02-28",
        "tables": {table: {"files": 1, "rows": 10_000} for table in ("assignments", "metrics", "features")},
        "features": {name: {"kind": "numeric", "levels": 0, "missing": 0.0, "reasons": []} for name in features},
        "units_without_features": 0,
        "units_without_metrics": 0,
        "caps": {"minutes": applied_cap()},
        "periods": [],
        "duplicate_rows": {"assignments": 0, "metrics": 0, "features": 0},
        "transitions": {},
        "exposure_day_elapsed": 0.6,
        "other_experiments": {},
        "unknown_id_formats": {"metrics": {}, "features": {}},
        "filled_outcomes": {},
        "dropped_metrics_rows": {"outside_cohort_or_windows": 0, "repeated": 0},
        **changes,
    }


EVEN = {"control": 2000, "new": 2000}


def prepared_run(tmp_path, experiment, users, flow, profile):
    """A run folder in which ``prepare`` has been committed, and the address of its manifest."""
    run = RunFolder.open(experiment, Settings(lake=f"file://{tmp_path}"))
    attempt = run.begin("prepare", None, "0" * 64)
    half = len(users) // 2
    outputs = {
        "users": f"{attempt.folder}/users",
        "waterfall": run.storage.write_json(f"{attempt.folder}/waterfall.json", flow),
        "profile": run.storage.write_json(f"{attempt.folder}/profile.json", profile),
    }
    for part, rows in enumerate((users[:half], users[half:])):
        run.storage.write_table(f"{outputs['users']}/part-{part}.parquet", rows)
    attempt.commit(outputs, {})
    return run, run.manifest_uri("prepare", None, "0" * 64)


def read_outputs(run, result):
    manifest = run.read_manifest(result.manifest)
    return {name: run.storage.read_json(f"{run.uri}/{output.path}") for name, output in manifest.outputs.items()}
