"""What a machine without a GPU can prove of the join on one: every call it makes exists in cudf with those arguments.

``cudf_signatures.json`` holds the parameters of the public methods of cudf 26.10.2, taken from its source.
"""

import inspect
import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from pandas.core.groupby import DataFrameGroupBy, SeriesGroupBy

from causal_tasks import rule
from causal_tasks.data import join, periods
from tests.unit.data.lake import Lake, assignments, daily, day

SIGNATURES = json.loads((Path(__file__).parent / "cudf_signatures.json").read_text())
RECORDED = (pd.DataFrame, pd.Series, DataFrameGroupBy, SeriesGroupBy)
SHARED_FILES = {join.__file__, periods.__file__, rule.__file__}


@pytest.fixture
def calls(monkeypatch):
    """Positional counts and keywords of every public method that the join calls, by class and method."""
    seen: dict[tuple[str, str], set[tuple[int, frozenset[str]]]] = {}

    def recording(name, method, original):
        def call(self, *args, **kwargs):
            if sys._getframe(1).f_code.co_filename in SHARED_FILES:
                seen.setdefault((name, method), set()).add((len(args), frozenset(kwargs)))
            return original(self, *args, **kwargs)

        return call

    for cls in RECORDED:
        for method in dir(cls):
            original = inspect.getattr_static(cls, method)
            if not method.startswith("_") and inspect.isfunction(original):
                monkeypatch.setattr(cls, method, recording(cls.__name__, method, original))
    return seen


def _run_every_branch(tmp_path):
    lake = Lake(tmp_path)
    lake.write(
        "assignments", assignments((1, "control", "2026-03-03T10:00:00"), (2, "treatment", "2026-03-03T10:00:00"))
    )
    rows = [(u, day("2026-03-03"), v) for u in (1, 2) for v in (1.0, 1.0, 2.0)]
    lake.write("metrics", daily([*rows, (1, day("2026-03-02"), 5.0), (1, day("2026-03-20"), 0.0)], "plays"))
    lake.write("features", daily([(u, day("2026-03-02"), 20, "a") for u in (1, 2, 2)], "age", "city"))
    lake.prepare(
        {
            "metrics": [
                {"name": "plays", "role": "primary"},
                {"name": "average", "column": "plays", "aggregate": "mean"},
                {"name": "latest", "column": "plays", "aggregate": "last"},
                {"name": "active", "column": "plays", "aggregate": "any"},
                {"name": "rate", "numerator": "plays", "denominator": "plays"},
            ],
            "eligible": {
                "all": [
                    {"feature": "age", "op": "<=", "value": 30.0},
                    {"feature": "age", "op": ">", "value": 3.0},
                    {"feature": "city", "op": "in", "value": ["a"]},
                    {"feature": "city", "op": "present"},
                ]
            },
        }
    )


def test_every_call_of_the_join_exists_in_cudf_with_its_arguments(calls, tmp_path):
    _run_every_branch(tmp_path)
    missing = []
    for (cls, method), uses in calls.items():
        parameters = SIGNATURES[cls].get(method)
        if parameters is None:
            missing.append(f"{cls}.{method}")
            continue
        named = {p for p in parameters if not p.startswith("*")}
        for positional, keywords in uses:
            too_many = positional > len(named) and not any(p.startswith("*") for p in parameters)
            unknown = set() if any(p.startswith("**") for p in parameters) else keywords - named
            if too_many or unknown:
                missing.append(f"{cls}.{method}: {positional} positional, unknown {sorted(unknown)}")
    assert not missing
    assert {("DataFrame", "merge"), ("DataFrame", "drop_duplicates"), ("SeriesGroupBy", "transform")} <= set(calls)


@pytest.mark.gpu
def test_the_join_on_a_gpu_equals_the_join_on_the_processor(tmp_path):
    from causal_tasks.errors import ConfigurationError
    from causal_tasks.frames import require_gpu

    try:
        require_gpu()
    except ConfigurationError as error:
        pytest.skip(str(error))
    lake = Lake(tmp_path)
    lake.write(
        "assignments", assignments((1, "control", "2026-03-03T10:00:00"), (2, "treatment", "2026-03-03T10:00:00"))
    )
    lake.write("metrics", daily([(1, day("2026-03-03"), 1.0), (2, day("2026-03-19"), None)], "plays"))
    lake.write("features", daily([(1, day("2026-03-02"), 20, "a")], "age", "city"))
    assert lake.prepare(device="cuda").table.equals(lake.prepare().table)
