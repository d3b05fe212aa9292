"""The DAGs as the scheduler sees them: exactly these, wired like this, cheap to parse."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from causal_airflow.settings import Tag

from causal_tasks.pipelines.daily import DAILY

REPOSITORY = Path(__file__).parents[3]
DAGS = REPOSITORY / "dags"

TASKS = {
    "mine_subpopulations": [
        *("prepare", "validate", "measure", "train", "shortlist"),
        *("tune", "select", "replicate", "mine", "report", "notify"),
    ],
    "allocate_budget": [
        *("prepare", "validate", "plan", "fit", "choose", "assign", "evaluate", "report_allocation", "notify"),
    ],
    "reallocate_budgets": ["find", "fill"],
    "daily_uplift_scores": [
        *("find", "day.learn", "day.interest", "day.score", "day.evaluate", "day.publish", "day.report", "day.notify"),
    ],
    "segment_creatives": [
        *("prepare", "validate", "plan_segments", "learn_segments", "assign_segments"),
        *("value_segments", "report_segments", "notify"),
    ],
    "watch_experiments": ["find", "start"],
    "backfill_experiments": ["find", "start"],
}
TRIGGER_RULES = {
    "prepare": "all_success",
    "validate": "all_success",
    "measure": "all_success",
    "train": "all_success",
    "shortlist": "all_done",
    "tune": "all_success",
    "select": "all_done",
    "replicate": "all_success",
    "mine": "all_done",
    "report": "none_failed",
    "notify": "all_done_setup_success",
}
ALLOCATION_RULES = {
    "prepare": "all_success",
    "validate": "all_success",
    "plan": "all_success",
    "fit": "all_success",
    "choose": "all_done",
    "assign": "all_success",
    "evaluate": "all_success",
    "report_allocation": "none_failed",
    "notify": "all_done_setup_success",
}
SEGMENT_RULES = {
    "prepare": "all_success",
    "validate": "all_success",
    "plan_segments": "all_success",
    "learn_segments": "all_success",
    "assign_segments": "all_success",
    "value_segments": "all_success",
    "report_segments": "none_failed",
    "notify": "all_done_setup_success",
}
HEAVY = ("altair", "catboost", "cudf", "dask", "lightgbm", "numpy", "optuna", "pandas", "pyarrow", "s3fs", "scipy")
HEAVY += ("sklearn", "statsmodels", "torch", "vl_convert", "xgboost")


@pytest.fixture(scope="module")
def bag() -> DagBag:
    found = DagBag(str(DAGS))
    assert set(found.dags) == set(TASKS), found.import_errors
    return found


@pytest.fixture(scope="module")
def mine(bag: DagBag) -> DAG:
    return bag.dags["mine_subpopulations"]


def test_nothing_fails_to_import_and_the_tasks_are_exactly_these(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert {dag_id: dag.task_ids for dag_id, dag in bag.dags.items()} == TASKS


@pytest.fixture(scope="module")
def allocate(bag: DagBag) -> DAG:
    return bag.dags["allocate_budget"]


def test_the_allocation_skips_where_nothing_is_planned_and_outlives_a_failed_method(allocate: DAG) -> None:
    assert {task.task_id: task.trigger_rule.value for task in allocate.tasks} == ALLOCATION_RULES
    assert allocate.get_task("fit").downstream_task_ids == {"choose", "notify"}
    assert allocate.get_task("report_allocation").upstream_task_ids == {"choose", "assign", "evaluate"}
    assert [task.task_id for task in allocate.tasks if task.is_mapped] == ["fit"]


def test_an_allocation_is_announced_apart_from_what_was_mined(allocate: DAG) -> None:
    outlets = {task.task_id: [asset.uri for asset in task.outlets] for task in allocate.tasks if task.outlets}
    assert outlets == {"report_allocation": ["x-causal://allocations/results"]}


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("budgets", None, True),
        ("budgets", [0.5, 1], True),
        ("budgets", [], False),
        ("budgets", [0], False),
        ("budgets", 0.5, False),
        ("methods", ["two_stage_network"], True),
        ("methods", ["a", "a"], False),
        ("prices", {"coupon": 2.5}, True),
        ("prices", {"coupon": -1}, False),
        ("prices", [2.5], False),
        ("logs", "s3://lake/logs.parquet", True),
        ("logs", "", False),
    ],
)
def test_the_form_of_an_allocation_refuses_bad_values(name: str, value: Any, good: bool, allocate: DAG) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    param = allocate.params.get_param(name)
    if good:
        assert param.resolve(value) == value
    else:
        with pytest.raises(ParamValidationError):
            param.resolve(value)


@pytest.fixture(scope="module")
def segment(bag: DagBag) -> DAG:
    return bag.dags["segment_creatives"]


def test_segments_are_reported_also_where_nothing_is_learned(segment: DAG) -> None:
    assert {task.task_id: task.trigger_rule.value for task in segment.tasks} == SEGMENT_RULES
    assert [task.task_id for task in segment.tasks if task.is_mapped] == ["learn_segments"]
    assert segment.get_task("learn_segments").downstream_task_ids == {"assign_segments", "notify"}
    assert segment.get_task("report_segments").upstream_task_ids == {"value_segments"}


def test_segments_are_announced_apart_and_the_form_asks_what_that_of_mining_asks(segment: DAG, mine: DAG) -> None:
    outlets = {task.task_id: [asset.uri for asset in task.outlets] for task in segment.tasks if task.outlets}
    assert outlets == {"report_segments": ["x-causal://segments/results"]}
    assert list(segment.params) == list(mine.params)


def test_a_feeds_day_is_wired_as_declared_and_told_of_whatever_became_of_it(bag: DagBag) -> None:
    daily = bag.dags["daily_uplift_scores"]
    # What says which feed it is comes from find to each of them.
    assert {task.task_id: task.upstream_task_ids - {"find"} for task in daily.tasks} == {
        "find": set(),
        "day.learn": set(),
        "day.interest": set(),
        "day.score": {"day.learn", "day.interest"},
        "day.evaluate": {"day.score"},
        "day.publish": {"day.evaluate"},
        "day.report": {"day.publish"},
        "day.notify": {f"day.{stage.name}" for stage in DAILY.stages},
    }
    assert [task.task_id for task in daily.tasks if task.is_teardown] == ["day.notify"]
    assert daily.get_task("day.publish").max_active_tis_per_dag == 1
    assert daily.max_active_runs == 1


def test_the_main_job_starts_tasks_by_the_rules_of_the_design(mine: DAG) -> None:
    assert {task.task_id: task.trigger_rule.value for task in mine.tasks} == TRIGGER_RULES
    assert [task.task_id for task in mine.tasks if task.is_teardown] == ["notify"]


def test_instances_of_mapped_tasks_are_named_by_what_they_work_on(mine: DAG) -> None:
    mapped = {task.task_id: task.map_index_template for task in mine.tasks if task.is_mapped}
    label = "{{ task.items | join(', ') | truncate(200) }}"
    assert mapped == dict.fromkeys(("train", "tune", "replicate"), label)


def test_failed_instances_of_a_mapped_task_reach_a_gate_only(mine: DAG) -> None:
    assert mine.get_task("train").downstream_task_ids == {"shortlist", "notify"}
    assert mine.get_task("tune").downstream_task_ids == {"select", "notify"}
    assert mine.get_task("replicate").downstream_task_ids == {"mine", "notify"}
    assert mine.get_task("report").upstream_task_ids == {"measure", "shortlist", "select", "mine"}


def test_the_report_declares_the_results(mine: DAG) -> None:
    outlets = {task.task_id: [asset.uri for asset in task.outlets] for task in mine.tasks if task.outlets}
    assert outlets == {"report": ["x-causal://subpopulations/results"]}


def test_the_form_asks_for_an_experiment_and_offers_three_choices(mine: DAG) -> None:
    assert list(mine.params) == ["experiment", "revision", "notify", "languages"]
    schemas = {name: mine.params.get_param(name).schema for name in mine.params}
    assert {name: schema["type"] for name, schema in schemas.items()} == {
        "experiment": "string",
        "revision": ["integer", "null"],
        "notify": "boolean",
        "languages": ["array", "null"],
    }
    assert {name: mine.params.get_param(name).value for name in list(mine.params)[1:]} == {
        "revision": None,
        "notify": True,
        "languages": None,
    }


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("experiment", "demo", True),
        ("experiment", "", False),
        ("experiment", None, False),
        ("revision", 2, True),
        ("revision", 0, False),
        ("languages", ["en"], True),
        ("languages", [], False),
        ("languages", ["fr"], False),
        ("languages", ["zh", "zh"], False),
        ("notify", "no", False),
    ],
)
def test_the_form_refuses_bad_values(name: str, value: Any, good: bool, mine: DAG) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    param = mine.params.get_param(name)
    if good:
        assert param.resolve(value) == value
    else:
        with pytest.raises(ParamValidationError):
            param.resolve(value)


def test_every_pool_is_created_by_the_stack(bag: DagBag) -> None:
    pools = json.loads((REPOSITORY / "docker/pools.json").read_text())
    used = {task.pool for dag in bag.dags.values() for task in dag.tasks}
    assert used == {"cpu", "wecom", "default_pool"}
    assert set(pools) == {"cpu", "gpu", "wecom"}
    assert pools["wecom"]["slots"] == 1


def test_every_task_has_owner_retries_and_a_time_limit(bag: DagBag) -> None:
    for dag in bag.dags.values():
        for task in dag.tasks:
            assert task.retries >= 2, task
            assert task.retry_delay.total_seconds() > 0, task
            assert task.execution_timeout is not None, task
            assert task.owner == "causal-tasks", task


def test_every_dag_is_tagged_documented_with_triage_and_catches_nothing_up(bag: DagBag) -> None:
    for dag in bag.dags.values():
        assert dag.tags
        assert dag.tags <= set(Tag)
        assert "#### Triage" in dag.doc_md
        assert dag.catchup is False


def test_dispatchers_start_runs_that_need_no_date_and_never_twice(bag: DagBag) -> None:
    for dag_id in ("watch_experiments", "backfill_experiments"):
        dag = bag.dags[dag_id]
        assert dag.max_active_runs == 1
        start = dag.get_task("start").partial_kwargs
        assert start["trigger_dag_id"] in bag.dags
        assert start["logical_date"] is None
        assert start["skip_when_already_exists"] is True
        assert start["map_index_template"] == "{{ task.trigger_run_id }}"


def test_a_day_of_the_backfill_is_a_day_long_and_can_be_backfilled(bag: DagBag) -> None:
    from airflow.timetables.base import DataInterval
    from pendulum import datetime as moment

    for dag_id in ("backfill_experiments", "daily_uplift_scores", "reallocate_budgets"):
        scheduled = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags[dag_id]))
        interval = scheduled.timetable.infer_manual_data_interval(run_after=moment(2026, 1, 2, 12, tz="UTC"))
        assert interval == DataInterval(moment(2026, 1, 1, tz="UTC"), moment(2026, 1, 2, tz="UTC"))
        assert scheduled.timetable.periodic


def test_every_dag_survives_serialization(bag: DagBag) -> None:
    for dag in bag.dags.values():
        assert (
            DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag)))).task_ids == dag.task_ids
        )


def test_dag_files_stay_short_and_ask_for_nothing_outside(bag: DagBag) -> None:
    for file in DAGS.glob("*.py"):
        source = file.read_text()
        assert len(source.splitlines()) <= 150, file
        assert not re.search(r"Variable\.get|get_connection|datetime\.now\(\)", source), file


def test_the_plugin_loader_runs_the_registration_alone() -> None:
    from airflow._shared.module_loading.file_discovery import find_path_from_directory

    found = find_path_from_directory(str(REPOSITORY / "plugins"), ".airflowignore", "glob")
    assert [Path(file).name for file in found if file.endswith(".py")] == ["register_causal_airflow.py"]


def test_parsing_imports_nothing_heavy(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import runpy, sys, time, airflow.sdk\n"
        "from airflow.providers.standard.operators import trigger_dagrun\n"
        "sys.path.insert(0, 'plugins')\n"
        "for file in sys.argv[1:]:\n"
        "    began = time.perf_counter()\n"
        "    runpy.run_path(file)\n"
        "    print(f'{file}: parsed in {time.perf_counter() - began:.2f} s')\n"
        f"print('heavy:', *(name for name in {HEAVY!r} if name in sys.modules))\n"
    )
    files = [f"dags/{dag_id}.py" for dag_id in TASKS]
    done = subprocess.run(
        [sys.executable, "-c", code, *files], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{done.stdout}")
    assert done.stdout.splitlines()[-1].strip() == "heavy:"
