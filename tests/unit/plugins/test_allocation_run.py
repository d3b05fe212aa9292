"""A run of ``allocate_budget`` task by task: what its params change, whom it tells, and what mining is spared."""

import json
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from causal_airflow.notify_task import NotifyOperator
from causal_airflow.results import results_of_pipeline
from causal_airflow.stage_task import StageOperator
from causal_airflow.wecom import delivery

from causal_tasks.data.coupon_experiment import simulate_coupons
from causal_tasks.pipelines import ALLOCATE, MINE
from causal_tasks.settings import Settings
from local_stack.wecom_robot import Robot
from tests.unit.plugins.airflow_run import AirflowRun
from tests.unit.plugins.conftest import ConnectTo
from tests.unit.plugins.small_run import wire

METHODS = ["two_stage_s_lightgbm", "two_stage_t_lightgbm"]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake that holds the experiment ``coupons``, small, and no bound that would refuse it for that."""
    monkeypatch.setenv("CAUSAL_LAKE", f"file://{tmp_path}")
    monkeypatch.setattr(delivery, "SPACING", 0.0)
    simulate_coupons(Settings(lake=f"file://{tmp_path}"), users=1_500, arms=3, methods=METHODS)
    file = tmp_path / "experiments/coupons.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"thresholds": {"units_per_arm": 100}}))
    return tmp_path


def started(**params: object) -> AirflowRun:
    asked = dict.fromkeys(("revision", "budgets", "methods", "prices", "logs", "languages"))
    return AirflowRun({"experiment": "coupons", "notify": True} | asked | params, run_id="coupons.r1")


def run_until(run: AirflowRun, last: str) -> None:
    with DAG("small", schedule=None):
        wired = wire(ALLOCATE)
    for stage in ALLOCATE.stages:
        arguments = {
            "task_id": stage.name,
            "pipeline": ALLOCATE.name,
            "trigger_rule": wired[stage.name].partial_kwargs["trigger_rule"]
            if stage.over
            else wired[stage.name].trigger_rule,
            "outlets": [] if stage.over else wired[stage.name].outlets,
        }
        batches = run.xcoms[stage.over, -1, "return_value"] if stage.over else [(None,)]
        for index, batch in enumerate(batches):
            run.execute(StageOperator(items=batch, **arguments), index if stage.over else -1)
        if stage.name == last:
            return


def planned(lake: Path) -> list[dict]:
    return [json.loads(file.read_text()) for file in lake.glob("runs/coupons/r1/stages/plan/*/*/plan.json")]


def test_a_run_ends_with_an_allocation_an_announcement_and_one_message(
    lake: Path, robot: Robot, connect_to: ConnectTo
) -> None:
    connect_to(robot.url)
    run = started()
    run_until(run, "report_allocation")
    for _ in range(2):
        states = run.execute(NotifyOperator(task_id="notify", pipeline=ALLOCATE.name))
        assert set(states) == {"sent"}
    root = lake / "runs/coupons/r1"
    assert list(root.glob("stages/assign/*/*/allocation.parquet"))
    assert run.asset_events[results_of_pipeline(ALLOCATE)]["report"] == f"file://{root}/allocation.html"
    texts = [message for message in robot.messages if message["msgtype"] == "markdown_v2"]
    assert len(texts) == 1
    assert "allocation.html" in texts[0]["markdown_v2"]["content"]
    assert list((root / "notify-allocation").glob("*.json"))
    assert not (root / "notify").exists()
    assert not (root / "run.json").exists()


def test_what_a_run_asks_for_reaches_every_later_task(lake: Path) -> None:
    run = started(budgets=[0.25], methods=METHODS[:1], prices={"coupon_100": 2.0})
    run_until(run, "plan")
    (plan,) = planned(lake)
    assert (plan["budgets"], plan["methods"], plan["spend_range"]) == ([0.25], METHODS[:1], [0.0, 2.0])
    run_until(started(budgets=[0.5]), "plan")
    assert sorted(plan["budgets"] for plan in planned(lake)) == [[0.25], [0.5]]


def test_params_that_do_not_fit_the_experiment_fail_at_once(lake: Path) -> None:
    with pytest.raises(AirflowFailException, match="unknown arms"):
        run_until(started(prices={"nobody": 1.0}), "prepare")
    with pytest.raises(AirflowFailException, match="'magic' is unknown"):
        run_until(started(methods=["magic"]), "plan")


def test_methods_of_one_class_share_a_task(lake: Path) -> None:
    run = started()
    run_until(run, "plan")
    assert run.xcoms["plan", -1, "return_value"] == [METHODS]


def test_the_same_failure_of_both_jobs_is_told_twice(lake: Path, robot: Robot, connect_to: ConnectTo) -> None:
    connect_to(robot.url)
    (lake / "datasets/coupons/part-0.parquet").unlink()
    run = started()
    with pytest.raises(AirflowFailException):
        run_until(run, "prepare")
    for pipeline in (ALLOCATE, MINE, ALLOCATE):
        run.execute(NotifyOperator(task_id="notify", pipeline=pipeline.name))
    assert len(robot.messages) == 2
