"""Observational rows are read by the experiment's contract, and bounded as its outcomes are."""

import numpy as np
import pytest

from causal_tasks.errors import InputError
from tests.unit.allocation.budget_runs import METHODS, Prepared, budgeting, prepared, statement


def logged(**changes):
    """Rows whose large coupons went to users with a high x0."""
    rows = prepared(statement(), seed=9)
    random = np.random.default_rng(3)
    rows["arm"] = np.where(random.random(len(rows)) < 1 / (1 + np.exp(-2 * rows["x0"])), "large", rows["arm"])
    rows = rows.rename(columns={"y__orders": "orders", "y__spent": "spent", "unit": "user_id"})
    return rows[["user_id", "arm", "x0", "city", "orders", "spent"]].assign(**changes)


def run(tmp_path, rows, caps=None, **changes):
    rows.to_parquet(tmp_path / "logs.parquet")
    stated = budgeting(methods=[METHODS[1], "pooled"], logs={"uri": f"file://{tmp_path}/logs.parquet"}) | changes
    experiment = statement(budgeting=stated)
    made = Prepared(tmp_path, experiment, prepared(experiment))
    if caps:
        made.run.storage.write_json(made.uri("prepare", "profile"), {"caps": caps})
    made.stage("plan")
    made.stage("fit", "pooled")
    return made


def test_a_method_that_reads_logs_learns_from_them(tmp_path):
    with_logs, with_others = (run(tmp_path / name, rows) for name, rows in _two_kinds(tmp_path).items())
    first, second = (made.table("fit", "forecast") for made in (with_logs, with_others))
    assert abs(first["outcome__large"] - second["outcome__large"]).mean() > 0.5


def _two_kinds(tmp_path):
    for name in ("as_they_are", "higher"):
        (tmp_path / name).mkdir()
    rows = logged()
    return {"as_they_are": rows, "higher": rows.assign(orders=rows["orders"] + 3 * (rows["arm"] == "large"))}


def test_outcomes_of_logs_are_bounded_like_those_of_the_experiment(tmp_path):
    rows = logged()
    rows.loc[:20, "orders"] = 1e6
    forecast = run(tmp_path, rows, caps={"orders": {"value": 5.0}}).table("fit", "forecast")
    assert forecast[["outcome__none", "outcome__small", "outcome__large"]].to_numpy().max() < 10


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"x0": None}, r"lacks the features \['x0'\]"),
        ({"arm": "huge"}, "huge"),
        ({"spent": "much"}, "spent"),
        ({"spent": -1.0}, "cost is negative"),
        ({"arm": "none"}, "small"),
    ],
)
def test_logs_that_break_the_contract_fail_the_method_by_name(changes, complaint, tmp_path):
    rows = logged(**changes) if changes != {"x0": None} else logged().drop(columns="x0")
    with pytest.raises(InputError, match=rf"budgeting\.logs: .*{complaint}"):
        run(tmp_path, rows)
