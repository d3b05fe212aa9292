"""Who gets what in a run, and the same users allocated anew without training."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from causal_tasks.allocation import allocated_table
from causal_tasks.allocation.chosen_model import ChosenModel
from causal_tasks.allocation.knapsack import allocate
from causal_tasks.allocation.reallocation import reallocate
from causal_tasks.errors import InputError
from causal_tasks.lake import ALLOCATION_RECORD
from causal_tasks.settings import Settings
from tests.unit.allocation.budget_runs import Prepared, prepared, statement

ARMS = ["none", "small", "large"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def run(lake):
    made = Prepared(lake, statement(), prepared(statement())).until("assign")
    stages = [uri for several in made.manifests.values() for uri in several]
    made.run.publish({}, [made.run.read_manifest(uri) for uri in stages], record=ALLOCATION_RECORD)
    return made


@pytest.fixture
def settings(lake):
    return Settings(lake=f"file://{lake}")


def levels(table, what):
    return table[[f"{what}__{arm}" for arm in ARMS]].to_numpy()


def test_every_user_gets_one_arm_at_every_budget_and_the_budget_holds(run):
    allocation = run.table("assign", "allocation")
    users = run.table("prepare", "users")
    assert list(allocation["unit"]) == list(users["unit"])
    for budget in (0.2, 0.5):
        arm = allocation[f"arm__{budget}"].map(ARMS.index).to_numpy()
        spend = levels(allocation, "cost")[np.arange(len(arm)), arm].sum()
        assert 0.99 * budget * len(users) < spend <= budget * len(users) * (1 + 1e-6)


def test_the_arms_are_those_of_the_solver_on_the_written_forecast(run):
    allocation = run.table("assign", "allocation")
    outcome, cost = (levels(allocation, what) for what in ("outcome", "cost"))
    found = allocate(outcome, cost, budget=0.5 * len(allocation))
    assert list(allocation["arm__0.5"]) == [ARMS[arm] for arm in found.arm]
    spending = run.json("assign", "spending")["by_column"]["arm__0.5"]
    assert spending["shadow_price"] == pytest.approx(found.shadow_price)
    more = allocate(outcome, cost, budget=1.1 * 0.5 * len(allocation))
    assert spending["ten_percent_more"] == pytest.approx((more.value - found.value) / len(allocation))
    assert sum(spending["shares"].values()) == pytest.approx(1)


def test_coupons_go_to_those_who_order_more_by_them(run):
    allocation, users = run.table("assign", "allocation"), run.table("prepare", "users")
    given = allocation["arm__0.5"] != "none"
    assert given[users["x0"] > 0.1].mean() > 0.9
    assert given[users["x0"] < -0.1].mean() < 0.3


def test_reallocating_the_users_of_the_run_gives_what_the_run_gave(run, settings, tmp_path):
    output = f"file://{tmp_path}/out.parquet"
    done = reallocate(
        "coupons.r1", run.uri("prepare", "users"), output, budget=0.5, per_user=True, unit="unit", settings=settings
    )
    before, after = run.table("assign", "allocation"), run.run.storage.read_table(output)
    assert list(after["arm"]) == list(before["arm__0.5"])
    np.testing.assert_array_equal(levels(after, "outcome"), levels(before, "outcome"))
    assert done.rows == len(before)
    total = reallocate(
        "coupons.r1",
        run.uri("prepare", "users"),
        f"file://{tmp_path}/total.parquet",
        budget=0.5 * len(before),
        unit="unit",
        settings=settings,
    )
    assert total.spending == done.spending


def test_the_metadata_of_the_file_say_who_decided_and_what_was_spent(run, settings, tmp_path):
    reallocate(
        "coupons.r1", run.uri("prepare", "users"), f"file://{tmp_path}/o.parquet", budget=100, unit="unit",
        about={"order": "nightly"}, settings=settings,
    )  # fmt: skip
    told = json.loads(pq.read_schema(tmp_path / "o.parquet").metadata[allocated_table.METADATA.encode()])
    assert told["method"] == run.json("choose", "choice")["chosen"]
    assert (told["order"], told["rows"]) == ("nightly", 3000)
    assert told["spending"]["arm"]["spend"] <= 100


def test_an_arm_has_no_more_users_than_its_capacity(run, settings, tmp_path):
    output = f"file://{tmp_path}/o.parquet"
    reallocate(
        "coupons.r1", run.uri("prepare", "users"), output, budget=0.5, per_user=True, capacity={"large": 30},
        unit="unit", settings=settings,
    )  # fmt: skip
    counts = run.run.storage.read_table(output)["arm"].value_counts()
    assert 0 < counts["large"] <= 30


def test_small_batches_change_nothing(run, settings, tmp_path, monkeypatch):
    from causal_tasks.uplift import feature_table

    monkeypatch.setattr(feature_table, "CHUNK_ROWS", 700)
    output, seen = f"file://{tmp_path}/o.parquet", []
    reallocate(
        "coupons.r1", run.uri("prepare", "users"), output, budget=0.5, per_user=True, unit="unit", settings=settings,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen[0][0] < 3000
    assert seen[-1] == (3000, 3000)
    assert list(run.run.storage.read_table(output)["arm"]) == list(run.table("assign", "allocation")["arm__0.5"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"budget": 0}, "budget is 0"),
        ({"budget": float("inf")}, "budget is inf"),
        ({"run": "coupons.r9"}, "there is no run at"),
        ({"run": "coupons"}, "names no run"),
        ({"capacity": {"huge": 3}}, r"capacity names unknown arms \['huge'\]"),
        ({"unit": "nobody"}, "nobody"),
        ({"unit": "x0"}, "is a feature, not an id"),
        ({"table": "file:///nowhere"}, r"no file \*\.parquet"),
    ],
)
def test_what_cannot_be_spent_is_refused_with_its_cause(arguments, complaint, run, settings, tmp_path):
    usual = {"run": "coupons.r1", "table": run.uri("prepare", "users"), "budget": 100, "unit": "unit"}
    with pytest.raises(InputError, match=complaint):
        reallocate(output=f"file://{tmp_path}/o.parquet", settings=settings, **usual | arguments)
    assert not (tmp_path / "o.parquet").exists()


def test_a_new_level_is_an_error_unless_it_is_taken_for_missing(run, settings, tmp_path):
    users = prepared(statement()).head(100)
    users["city"] = users["city"].astype(object)
    users.loc[3, "city"] = "z"
    users.to_parquet(tmp_path / "users.parquet")
    table = f"file://{tmp_path}/users.parquet"
    usual = {"budget": 10, "unit": "unit", "settings": settings}
    with pytest.raises(InputError, match=r"'city' holds values .* 1 of 100 rows: 'z'"):
        reallocate("coupons.r1", table, f"file://{tmp_path}/o.parquet", **usual)
    done = reallocate("coupons.r1", table, f"file://{tmp_path}/o.parquet", new_levels="missing", **usual)
    assert done.new_levels == {"city": 1}


def test_an_allocation_is_never_replaced(run, settings, tmp_path):
    output = tmp_path / "o.parquet"
    output.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists"):
        reallocate(
            "coupons.r1", run.uri("prepare", "users"), f"file://{output}", budget=100, unit="unit", settings=settings
        )
    assert output.read_bytes() == b"mine"


def test_a_run_that_has_allocated_nothing_is_refused(tmp_path):
    made = Prepared(tmp_path, statement(), prepared(statement())).until("plan")
    settings = Settings(lake=f"file://{tmp_path}")
    with pytest.raises(InputError, match="has allocated nothing"):
        ChosenModel.read("coupons.r1", settings)
    made.run.publish({}, [made.run.read_manifest(made.manifests["plan"][0])], record=ALLOCATION_RECORD)
    with pytest.raises(InputError, match="has chosen no method"):
        ChosenModel.read("coupons.r1", settings)
