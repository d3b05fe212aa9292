"""Mapped tasks that run several items: what they tell the others, however far they came."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout
from causal_airflow.notify_task import failures_of

from causal_tasks.errors import ConfigurationError, StorageError
from tests.unit.plugins.airflow_run import AirflowRun
from tests.unit.plugins.small_pipeline import BEHAVIOUR, CALLS, SMALL, STORE_BUSY, WRONG_INPUT
from tests.unit.plugins.small_run import operator, run_until, started, wire


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the task runs after it."""


@pytest.fixture
def run(lake: Path) -> AirflowRun:
    """A run whose candidates a, b and c come as one batch."""
    BEHAVIOUR.update(items=["a", "b", "c"], alike=True)
    run = started()
    run_until(run, "measure")
    CALLS.clear()
    return run


def train(run: AirflowRun) -> None:
    run.execute(operator("train", "a", "b", "c"), 0)


def trained(run: AirflowRun) -> list[str]:
    return [result["item"] for result in run.xcoms.get(("train", 0, "stage"), [])]


def failed(run: AirflowRun) -> dict[str, str]:
    return {failure["item"]: failure["error"] for failure in run.xcoms.get(("train", 0, "failure"), [])}


def selection(lake: Path) -> dict[str, list[str]]:
    (file,) = (lake / "runs/demo/r1/stages/select").rglob("selection.json")
    found: dict[str, list[str]] = json.loads(file.read_text())
    return found


def test_the_stage_before_hands_on_batches_and_every_item_has_its_own_folder(run: AirflowRun, lake: Path) -> None:
    assert run.xcoms["validate", -1, "return_value"] == [["a", "b", "c"]]
    train(run)
    assert CALLS == ["train/a", "train/b", "train/c"]
    assert trained(run) == ["a", "b", "c"]
    assert ("train", 0, "failure") not in run.xcoms
    assert len(list((lake / "runs/demo/r1/stages/train").glob("?/*/stage.json"))) == 3


def test_a_run_in_batches_gives_the_result_of_a_run_by_items(run: AirflowRun, lake: Path) -> None:
    run_until(run, "report")
    assert run.xcoms["select", -1, "return_value"] == [["seed_1", "permuted_1"]]
    together = {file.relative_to(lake) for file in lake.rglob("stage.json")}
    CALLS.clear()
    BEHAVIOUR["alike"] = False
    by_items = started()
    run_until(by_items, "report")
    assert by_items.xcoms["validate", -1, "return_value"] == [["a"], ["b"], ["c"]]
    assert CALLS == []
    assert {file.relative_to(lake) for file in lake.rglob("stage.json")} == together


def test_the_others_of_a_batch_are_used_where_one_item_failed(run: AirflowRun, lake: Path) -> None:
    BEHAVIOUR["fails"] = {"train/b": WRONG_INPUT}
    with pytest.raises(AirflowFailException, match="1 of 3 items failed: b"):
        train(run)
    assert (trained(run), failed(run)) == (["a", "c"], {"b": "InputError"})
    run_until(run, "report")
    assert selection(lake) == {"trained": ["a", "c"], "tuned": ["a", "c"], "failed": ["train/b"]}


def test_a_batch_is_tried_again_where_one_of_its_errors_may_pass(run: AirflowRun) -> None:
    BEHAVIOUR["fails"] = {"train/a": WRONG_INPUT, "train/c": STORE_BUSY}
    with pytest.raises(StorageError) as caught:
        train(run)
    assert caught.value.__notes__ == ["2 of 3 items failed: a, c"]
    assert failed(run) == {"a": "InputError", "c": "StorageError"}
    BEHAVIOUR["fails"] = {}
    CALLS.clear()
    train(run)
    assert sorted(CALLS) == ["train/a", "train/c"]
    assert (trained(run), failed(run)) == (["a", "b", "c"], {})


def test_an_item_that_kills_its_process_each_time_takes_no_other_with_it(run: AirflowRun, lake: Path) -> None:
    BEHAVIOUR["fails"] = {"train/b": Killed()}
    for number, known in ((1, ["a"]), (2, ["c"]), (3, ["a"])):
        run.try_number = number
        with pytest.raises(Killed):
            train(run)
        assert trained(run) == known
    assert CALLS == ["train/a", "train/b", "train/c", "train/b", "train/b"]
    assert {file.parts[-3] for file in (lake / "runs/demo/r1/stages/train").glob("?/*/stage.json")} == {"a", "c"}


def test_what_a_killed_task_had_finished_reaches_the_gate(run: AirflowRun, lake: Path) -> None:
    BEHAVIOUR["fails"] = {"train/b": Killed()}
    with pytest.raises(Killed):
        train(run)
    assert failures_of(SMALL, run.context("notify", -1)) == {"train/b": None, "train/c": None}
    run.execute(operator("shortlist"))
    assert run.xcoms["shortlist", -1, "return_value"] == [["a"]]


def test_items_that_a_time_limit_cut_off_have_it_as_their_reason(run: AirflowRun) -> None:
    BEHAVIOUR["fails"] = {"train/a": WRONG_INPUT, "train/b": AirflowTaskTimeout("180 minutes")}
    with pytest.raises(AirflowTaskTimeout):
        train(run)
    assert failed(run) == {"a": "InputError", "b": "AirflowTaskTimeout", "c": "AirflowTaskTimeout"}


def test_where_no_item_could_begin_all_have_the_reason(run: AirflowRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSAL_RUNNER", "mainframe")
    with pytest.raises(AirflowFailException, match="mainframe"):
        train(run)
    assert failed(run) == dict.fromkeys("abc", ConfigurationError.__name__)


def test_the_message_names_the_failed_items_of_a_batch_and_no_other(run: AirflowRun) -> None:
    BEHAVIOUR["fails"] = {"train/b": WRONG_INPUT}
    with pytest.raises(AirflowFailException):
        train(run)
    failures = failures_of(SMALL, run.context("notify", -1))
    assert list(failures) == ["train/b"]
    assert failures["train/b"] is not None
    assert failures["train/b"]["message"] == "column 'arm' is missing"


def test_airflow_names_an_instance_by_its_items_and_gives_time_for_each() -> None:
    with DAG("small", schedule=None) as dag:
        mapped = wire(SMALL)["tune"]
    template = dag.get_template_env().from_string(mapped.map_index_template)
    task = mapped.unmap({"items": ["s_lightgbm", "t_lightgbm", "x_lightgbm"]})
    assert template.render(task=task) == "s_lightgbm, t_lightgbm, x_lightgbm"
    assert (mapped.execution_timeout, task.execution_timeout) == (timedelta(minutes=30), timedelta(minutes=90))
    many = template.render(task=mapped.unmap({"items": [f"permuted_{number}" for number in range(100)]}))
    assert len(many) <= 200
    assert many.endswith("...")
