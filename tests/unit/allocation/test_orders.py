"""Standing orders: filled once a day, whatever happens in between."""

import json

import pyarrow.parquet as pq
import pytest

from causal_tasks.allocation.orders import BudgetOrder, fill_order, standing_orders
from causal_tasks.errors import InputError
from causal_tasks.lake import ALLOCATION_RECORD
from causal_tasks.settings import Settings
from tests.unit.allocation.budget_runs import METHODS, Prepared, budgeting, prepared, statement

DAY = "2026-10-31"


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = tmp_path_factory.mktemp("lake")
    experiment = statement(budgeting=budgeting(methods=METHODS[:1]))
    made = Prepared(lake, experiment, prepared(experiment)).until("choose")
    stages = [made.run.read_manifest(uri) for several in made.manifests.values() for uri in several]
    made.run.publish({}, stages, record=ALLOCATION_RECORD)
    users = prepared(experiment, seed=5).drop(columns=["arm", "y__orders", "y__spent", "part", "fold"])
    users.rename(columns={"unit": "user_id"}).head(500).to_parquet(lake / f"users-{DAY}.parquet")
    return lake


@pytest.fixture
def settings(lake):
    return Settings(lake=f"file://{lake}")


def order(lake, name, **changes):
    (lake / "budgets").mkdir(exist_ok=True)
    stated = {"run": "coupons.r1", "table": f"file://{lake}/users-{{date}}.parquet", "budget": 100.0} | changes
    (lake / f"budgets/{name}.json").write_text(json.dumps(stated))


def test_an_order_is_filled_with_the_users_of_its_day(lake, settings):
    order(lake, "nightly", per_user=True, budget=0.2, capacity={"large": 50})
    summary = fill_order("nightly", DAY, settings)
    assert (summary["order"], summary["date"], summary["rows"]) == ("nightly", DAY, 500)
    assert summary["spending"]["arm"]["budget"] == pytest.approx(100)
    assert json.loads((lake / f"allocations/nightly/{DAY}.json").read_text()) == summary
    counts = pq.read_table(lake / f"allocations/nightly/{DAY}.parquet")["arm"].to_pylist().count("large")
    assert counts <= 50


def test_a_day_is_filled_once_whatever_the_order_says_meanwhile(lake, settings):
    order(lake, "changing")
    first = fill_order("changing", DAY, settings)
    file = lake / f"allocations/changing/{DAY}.parquet"
    before = file.read_bytes()
    order(lake, "changing", budget=7.0)
    assert fill_order("changing", DAY, settings) == first
    assert file.read_bytes() == before


def test_a_summary_that_a_kill_prevented_is_made_from_the_allocation(lake, settings):
    order(lake, "killed")
    summary = fill_order("killed", DAY, settings)
    (lake / f"allocations/killed/{DAY}.json").unlink()
    assert fill_order("killed", DAY, settings) == summary
    assert (lake / f"allocations/killed/{DAY}.json").exists()


def test_nothing_is_spent_while_an_order_is_paused(lake, settings):
    order(lake, "paused", status="paused")
    assert fill_order("paused", DAY, settings) is None
    assert not (lake / "allocations/paused").exists()


def test_all_orders_are_listed_and_nothing_else(tmp_path):
    settings = Settings(lake=f"file://{tmp_path}")
    assert standing_orders(settings) == []
    order(tmp_path, "b")
    order(tmp_path, "a")
    (tmp_path / "budgets/notes.txt").write_text("")
    (tmp_path / "budgets/old").mkdir()
    (tmp_path / "budgets/old/c.json").write_text("{}")
    assert standing_orders(settings) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "broken.json"),
        ("[]", "broken.json"),
        ('{"run": "coupons.r1", "table": "s3://lake/t"}', "budget"),
        ('{"run": "coupons.r1", "table": "s3://lake/t", "budget": 0}', "budget"),
        ('{"run": "coupons.r1", "table": "s3://lake/t", "budget": 1, "capacity": {"large": -1}}', "capacity"),
        ('{"run": "coupons.r1", "table": "s3://lake/t", "budget": 1, "tabel": 1}', "tabel"),
    ],
)
def test_a_broken_order_is_refused_by_name(content, complaint, tmp_path):
    (tmp_path / "budgets").mkdir()
    (tmp_path / "budgets/broken.json").write_text(content)
    with pytest.raises(InputError, match=complaint):
        BudgetOrder.read("broken", Settings(lake=f"file://{tmp_path}"))


def test_an_order_that_is_gone_is_told_by_its_address(tmp_path):
    with pytest.raises(InputError, match=r"budgets/gone\.json"):
        BudgetOrder.read("gone", Settings(lake=f"file://{tmp_path}"))


def test_a_day_without_users_is_refused_and_leaves_nothing(lake, settings):
    order(lake, "early")
    with pytest.raises(InputError, match=r"users-2026-10-30\.parquet"):
        fill_order("early", "2026-10-30", settings)
    assert not (lake / "allocations/early").exists()
