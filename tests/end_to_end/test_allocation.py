"""A budget through the real scheduler: a request in, an allocation and a message out, and anew the night after."""

import json
import time
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from causal_tasks.data.coupon_experiment import simulate_coupons
from causal_tasks.pipelines import ALLOCATE
from causal_tasks.storage import Storage
from local_stack.airflow_api import FINISHED_RUN

pytestmark = pytest.mark.stack

NIGHTLY = "reallocate_budgets"
METHODS = ["two_stage_s_lightgbm", "two_stage_t_lightgbm"]
RUN = "coupons.r1"


@pytest.fixture(scope="module")
def airflow(stack):
    api = stack.airflow()
    deadline = time.monotonic() + 90
    while {ALLOCATE.name, NIGHTLY} - api.dags().keys():
        assert not api.import_errors()
        assert time.monotonic() < deadline
        time.sleep(1)
    return api


@pytest.fixture(scope="module")
def storage(stack):
    return Storage(stack.settings)


@pytest.fixture(scope="module")
def states(stack, airflow):
    """States of the tasks of a finished run; its experiment lies where no watcher looks."""
    aside = stack.settings.model_copy(update={"lake": f"{stack.settings.lake}/aside"})
    simulate_coupons(aside, users=4_000, arms=3, budgets=(0.2, 0.4), methods=METHODS)
    address = f"{aside.lake}/experiments/coupons.json"
    airflow.trigger(ALLOCATE.name, run_id=RUN, conf={"experiment": address, "budgets": [0.3], "languages": ["en"]})
    await_end(airflow, ALLOCATE.name, RUN)
    return airflow.task_states(ALLOCATE.name, RUN)


def await_end(airflow, dag_id, run_id):
    deadline = time.monotonic() + 240
    while airflow.run_state(dag_id, run_id) not in FINISHED_RUN:
        assert time.monotonic() < deadline, airflow.task_states(dag_id, run_id)
        time.sleep(1)


def table(storage, uri):
    filesystem, path = storage.filesystem(uri)
    return pq.read_table(path, filesystem=filesystem).to_pandas()


def test_a_request_becomes_an_allocation_at_the_budget_asked_for(stack, storage, states):
    assert set(states.values()) == {"success"}, states
    assert {f"fit[{method}]" for method in METHODS} <= states.keys()
    root = f"{stack.settings.lake}/runs/coupons/r1"
    result = storage.read_json(f"{root}/allocation.json")
    assert [row["budget"] for row in result["budgets"]] == [0.3]
    allocation = table(storage, f"{root}/{result['run']['allocation']}")
    assert len(allocation) == result["users"]["allocated"] == 4_000
    assert set(allocation["arm__0.3"]) <= set(result["arms"])


def test_the_group_is_told_once(stack, states):
    texts = [json.dumps(message) for message in stack.messages() if message["msgtype"] == "markdown_v2"]
    (told,) = [text for text in texts if RUN in text]
    assert "allocation.html" in told


def test_a_standing_order_is_filled_for_its_day_and_a_broken_one_harms_nobody(stack, storage, airflow, states):
    lake = stack.settings.lake
    order = {"run": RUN, "table": f"{lake}/aside/datasets/coupons", "budget": 0.3, "per_user": True}
    storage.write_json(f"{lake}/budgets/nightly.json", order)
    storage.write_json(f"{lake}/budgets/broken.json", order | {"run": "nobody.r1"})
    day = datetime(2026, 10, 31, tzinfo=UTC)
    backfill = airflow.backfill(NIGHTLY, day - timedelta(hours=12), day + timedelta(hours=12))
    deadline = time.monotonic() + 180
    while not airflow.request("GET", f"/backfills/{backfill}")["completed_at"]:
        assert time.monotonic() < deadline
        time.sleep(1)
    (run,) = [run for run in airflow.runs(NIGHTLY) if run.startswith("backfill")]
    filled = airflow.task_states(NIGHTLY, run)
    assert {name: filled[name] for name in ("fill[nightly]", "fill[broken]")} == {
        "fill[nightly]": "success",
        "fill[broken]": "failed",
    }
    allocated = table(storage, f"{lake}/allocations/nightly/2026-10-31.parquet")
    result = storage.read_json(f"{lake}/runs/coupons/r1/allocation.json")
    before = table(storage, f"{lake}/runs/coupons/r1/{result['run']['allocation']}")
    assert list(allocated["arm"]) == list(before["arm__0.3"])
    summary = storage.read_json(f"{lake}/allocations/nightly/2026-10-31.json")
    assert (summary["order"], summary["rows"]) == ("nightly", 4_000)
