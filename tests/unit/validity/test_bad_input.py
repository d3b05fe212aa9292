"""Data that breaks formulas: every check says something about it or is left out, and none says NaN."""

import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.validity.stage import judge, run_checks
from tests.unit.data.prepared import EVEN, N, applied_cap, healthy_users, profiled, stated, waterfall

DROPPED = [
    {"name": "minutes", "role": "primary", "aggregate": "mean"},
    {"name": "ctr", "numerator": "a", "denominator": "b"},
]


def first(n):
    return lambda users: users[:n]


def setting(**columns):
    return lambda users: users.assign(**columns)


EVERYBODY = {f"{kind}__minutes": np.nan for kind in ("y", "pre")} | {f"{kind}__ctr": np.nan for kind in ("num", "den")}

SPOILED = {
    "nobody has an outcome": (setting(**EVERYBODY), {"metrics": DROPPED}),
    "every outcome is zero": (setting(y__minutes=0.0, num__ctr=0.0, den__ctr=0.0), {}),
    "every outcome is the same": (setting(y__minutes=5.0, pre__minutes=5.0), {}),
    "one arm has only zeros": (lambda u: u.assign(y__minutes=u["y__minutes"] * (u["arm"] == "new")), {}),
    "one arm has no outcome": (
        lambda u: u.assign(y__minutes=u["y__minutes"].where(u["arm"] == "new")),
        {"metrics": DROPPED},
    ),
    "outcomes that cancel out": (setting(y__minutes=np.resize([1.0, 1.0, -1.0, -1.0], N)), {}),
    "outcomes below zero": (setting(y__minutes=-np.arange(N, dtype=float)), {}),
    "outcomes near the end of floats": (setting(y__minutes=np.linspace(1, 1e150, N)), {}),
    "no feature has a value": (
        setting(tenure=np.nan, vip=np.nan, city=pd.Categorical([None] * N, categories=["a"])),
        {},
    ),
    "features near the end of floats": (setting(tenure=np.linspace(1, 1e30, N).astype("float32")), {}),
    "one unit in each arm": (first(2), {}),
    "three units": (first(3), {}),
    "one cluster": (setting(cluster="team"), {"cluster": "team"}),
    "one cluster in each arm": (lambda u: u.assign(cluster=u["arm"].astype(str)), {"cluster": "team"}),
    "no pre-window": (setting(), {"window": {"days": 7, "pre_days": 0}}),
    "not randomised": (first(3), {"randomized": False}),
}


@pytest.mark.parametrize("name", SPOILED)
def test_whatever_comes_in_the_checks_are_json_without_nan_and_come_to_a_verdict(name):
    spoil, statement = SPOILED[name]
    caps = {"minutes": applied_cap()}
    caps["minutes"]["raw"]["new"] = {"units": 0, "mean": None, "standard_error": None}
    with np.errstate(all="raise"):
        checks, _ = run_checks(spoil(healthy_users()), waterfall(EVEN), profiled(caps=caps), stated(**statement))
    records = [check.to_dict() for check in checks]
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    assert judge(checks).status in {"valid", "warning", "invalid"}


@pytest.mark.parametrize(
    "name",
    [
        "nobody has an outcome",
        "every outcome is zero",
        "every outcome is the same",
        "one arm has only zeros",
        "one arm has no outcome",
    ],
)
def test_an_outcome_that_tells_nothing_is_invalid_and_not_mined(name):
    spoil, statement = SPOILED[name]
    checks, _ = run_checks(spoil(healthy_users()), waterfall(EVEN), profiled(), stated(**statement))
    verdict = judge(checks)
    assert (verdict.status, verdict.mining) == ("invalid", False)
