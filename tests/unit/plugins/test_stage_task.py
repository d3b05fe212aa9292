import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, TriggerRule
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, AirflowTaskTimeout
from causal_airflow.results import results_of_pipeline
from causal_airflow.settings import read_settings

from causal_tasks.errors import ConfigurationError, StorageError
from causal_tasks.pipelines.declaration import Pipeline, Stage
from tests.unit.plugins.small_pipeline import BEHAVIOUR, CALLS, SMALL, STORE_BUSY, WRONG_INPUT
from tests.unit.plugins.small_run import operator, run_until, started, wire, write_experiment


def test_a_run_goes_from_an_id_to_published_results(lake: Path) -> None:
    run = started()
    run_until(run, "report")
    trained, tuned = ["train/a", "train/b"], ["tune/a", "tune/b"]
    replicated = ["replicate/seed_1", "replicate/permuted_1"]
    learned = [*trained, "shortlist", *tuned, "select", *replicated]
    assert ["prepare", "validate", "measure", *learned, "mine", "report"] == CALLS
    assert (lake / "runs/demo/r1/result.json").exists()
    assert run.asset_events[results_of_pipeline(SMALL)] == {
        "experiment_id": "demo",
        "revision": 1,
        "verdict": "found_positive",
        "report": f"file://{lake}/runs/demo/r1/report.html",
    }


def test_only_addresses_and_names_travel_between_tasks(lake: Path) -> None:
    run = started()
    run_until(run, "report")
    assert run.xcoms["validate", -1, "return_value"] == [["a"], ["b"]]
    assert run.xcoms["prepare", -1, "stage"][0]["run"] == f"file://{lake}/runs/demo/r1"
    assert all(len(json.dumps(value)) < 1000 for value in run.xcoms.values())


def test_another_run_of_the_same_revision_adopts_everything_and_says_so(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_until(started(), "report")
    CALLS.clear()
    by_hand = started()
    by_hand.run_id = "manual__2026-02-01T00:00:00"
    run_until(by_hand, "report")
    assert CALLS == []
    assert all(result["adopted"] for (_, _, key), value in by_hand.xcoms.items() if key == "stage" for result in value)
    assert "any run of demo.r1 has committed are adopted" in capsys.readouterr().out


def test_a_revision_given_to_the_run_replaces_the_stated_one(lake: Path) -> None:
    run_until(started(revision=3), "prepare")
    assert (lake / "runs/demo/r3/experiment.json").exists()


def test_languages_given_to_the_run_reach_the_report_and_nothing_else(lake: Path) -> None:
    run_until(started(), "report")
    CALLS.clear()
    run_until(started(languages=["en"]), "report")
    assert CALLS == ["report"]
    assert json.loads((lake / "runs/demo/r1/result.json").read_text())["language"] == "en"


def test_a_corrected_delivery_reaches_a_run_folder_that_was_frozen_before(lake: Path) -> None:
    run_until(started(), "report")
    write_experiment(lake, delivery={"languages": ["en"], "wecom": "wecom_growth"})
    run = started()
    run_until(run, "report")
    assert run.xcoms["prepare", -1, "presentation"]["delivery"]["wecom"] == "wecom_growth"
    assert json.loads((lake / "runs/demo/r1/result.json").read_text())["language"] == "en"


def test_a_failed_candidate_is_survived_and_recorded(lake: Path) -> None:
    BEHAVIOUR["fails"] = {"train/b": WRONG_INPUT}
    run = started()
    run_until(run, "report")
    assert run.xcoms["train", 1, "failure"][0]["message"] == "column 'arm' is missing"
    (selection,) = (lake / "runs/demo/r1/stages/select").rglob("selection.json")
    assert json.loads(selection.read_text()) == {"trained": ["a"], "tuned": ["a"], "failed": ["train/b"]}


@pytest.mark.parametrize("failing", [["tune/a"], ["tune/a", "tune/b"]])
def test_select_goes_on_with_whatever_tuning_there_is(failing: list[str], lake: Path) -> None:
    BEHAVIOUR["fails"] = dict.fromkeys(failing, WRONG_INPUT)
    run_until(started(), "report")
    (selection,) = (lake / "runs/demo/r1/stages/select").rglob("selection.json")
    tuned = [item for item in ("a", "b") if f"tune/{item}" not in failing]
    assert json.loads(selection.read_text()) == {"trained": ["a", "b"], "tuned": tuned, "failed": failing}
    assert (lake / "runs/demo/r1/result.json").exists()


def test_where_every_candidate_died_the_shortlist_fails_with_their_reasons_and_select_skips(lake: Path) -> None:
    BEHAVIOUR["fails"] = {"train/a": WRONG_INPUT, "train/b": MemoryError("large")}
    run = started()
    run_until(run, "measure")
    with pytest.raises(AirflowFailException):
        run.execute(operator("train", "a"), 0)
    with pytest.raises(MemoryError):
        run.execute(operator("train", "b"), 1)
    with pytest.raises(AirflowFailException, match=r"train/a: column 'arm' is missing; train/b: MemoryError: large"):
        run.execute(operator("shortlist"))
    with pytest.raises(AirflowSkipException, match="no result of shortlist"):
        run.execute(operator("select"))


def test_without_candidates_the_gates_skip_and_the_report_still_comes(lake: Path) -> None:
    BEHAVIOUR["items"] = []
    run = started()
    run_until(run, "measure")
    assert run.xcoms["validate", -1, "return_value"] == []
    for gate in ("shortlist", "select"):
        with pytest.raises(AirflowSkipException):
            run.execute(operator(gate))
    run.execute(operator("report"))
    assert (lake / "runs/demo/r1/result.json").exists()


def test_select_skips_where_an_earlier_stage_failed_because_that_failure_says_enough(lake: Path) -> None:
    BEHAVIOUR["fails"] = {"validate": WRONG_INPUT}
    run = started()
    with pytest.raises(AirflowFailException):
        run_until(run, "validate")
    with pytest.raises(AirflowSkipException, match="no result of validate"):
        run.execute(operator("select"))


def test_a_stage_whose_input_was_marked_as_success_by_hand_fails_with_the_remedy(lake: Path) -> None:
    run = started()
    run_until(run, "validate")
    with pytest.raises(AirflowFailException, match=r"no result of measure.*clear those tasks"):
        run.execute(operator("report"))


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (WRONG_INPUT, AirflowFailException),
        (ConfigurationError("no rights"), AirflowFailException),
        (STORE_BUSY, StorageError),
        (MemoryError("large"), MemoryError),
        (AirflowTaskTimeout("60 minutes"), AirflowTaskTimeout),
    ],
)
def test_an_error_is_recorded_and_tried_again_only_where_that_may_help(
    error: BaseException, raised: type[BaseException], lake: Path
) -> None:
    BEHAVIOUR["fails"] = {"prepare": error}
    run = started()
    with pytest.raises(raised) as caught:
        run_until(run, "prepare")
    assert type(caught.value) is raised
    (failure,) = run.xcoms["prepare", -1, "failure"]
    assert (failure["stage"], failure["item"], failure["error"]) == ("prepare", None, type(error).__name__)


@pytest.mark.parametrize(
    ("changes", "params", "complaint"),
    [
        ({"status": "running"}, {}, "has status 'running'"),
        ({"ended_at": "2999-01-01T00:00:00Z"}, {}, "late data settles"),
        ({"control": "strategy"}, {}, "repeat a label"),
        ({}, {"experiment": "unknown"}, "no experiment file"),
        ({}, {"experiment": "ftp://somewhere/demo.json"}, "is no address"),
    ],
)
def test_an_experiment_that_cannot_be_mined_fails_at_once(
    changes: dict[str, Any], params: dict[str, Any], complaint: str, lake: Path
) -> None:
    write_experiment(lake, **changes)
    run = started(**params)
    with pytest.raises(AirflowFailException, match=complaint):
        run_until(run, "prepare")
    assert CALLS == []
    assert ("prepare", -1, "failure") in run.xcoms


def test_an_unknown_runner_names_the_known_ones(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSAL_RUNNER", "mainframe")
    with pytest.raises(AirflowFailException, match=r"mainframe.*in_process"):
        run_until(started(), "prepare")


def test_gpu_stages_move_to_the_gpu_queue_only_where_the_device_is_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    def pools() -> dict[str, tuple[str, str]]:
        with DAG("small", schedule=None):
            return {name: (task.pool, task.queue) for name, task in wire(SMALL).items()}

    assert set(pools().values()) == {("cpu", "default")}
    monkeypatch.setenv("CAUSAL_DEVICE", "cuda")
    on_gpu = pools()
    assert [name for name, place in on_gpu.items() if place == ("gpu", "gpu")] == ["prepare", "train"]
    assert on_gpu["validate"] == ("cpu", "default")


def test_a_task_stops_after_the_minutes_its_stage_declares() -> None:
    with DAG("small", schedule=None):
        tasks = wire(SMALL)
    assert tasks["prepare"].execution_timeout.total_seconds() == 3600
    assert tasks["select"].execution_timeout.total_seconds() == 1800


def test_a_stage_waits_for_gates_and_for_inputs_that_nothing_else_waits_for() -> None:
    with DAG("small", schedule=None):
        tasks = wire(SMALL)
    upstream = {name: task.upstream_task_ids for name, task in tasks.items()}
    assert upstream == {
        "prepare": set(),
        "validate": {"prepare"},
        "measure": {"validate"},
        "train": {"validate"},
        "shortlist": {"train"},
        "tune": {"shortlist"},
        "select": {"shortlist", "tune"},
        "replicate": {"select"},
        "mine": {"replicate", "select"},
        "report": {"measure", "mine", "shortlist", "select"},
    }


def test_a_failed_gate_is_not_hidden_by_what_it_made_others_skip() -> None:
    """Were ``report`` to wait for ``mine`` alone, a run whose candidates all died would end green."""
    with DAG("small", schedule=None):
        tasks = wire(SMALL)
    rules = {name: task.trigger_rule for name, task in tasks.items()}
    assert rules["shortlist"] == rules["select"] == rules["mine"] == TriggerRule.ALL_DONE
    assert rules["report"] == TriggerRule.NONE_FAILED
    others = {rules[name] for name in ("prepare", "validate", "measure", "train", "tune", "replicate")}
    assert others == {TriggerRule.ALL_SUCCESS}


def test_an_unordered_declaration_is_no_key_error_in_disguise() -> None:
    pipeline = Pipeline("small", (Stage("late", "m:f", 1, needs=("early",)), Stage("early", "m:f", 1)), {})
    with DAG("small", schedule=None), pytest.raises(KeyError, match="early"):
        wire(pipeline)


def test_the_aws_connection_completes_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSAL_LAKE", "s3://lake")
    monkeypatch.setenv("CAUSAL_S3_PUBLIC_ENDPOINT", "https://files.example.com")
    extra = {"endpoint_url": "http://store:9000", "region_name": "cn-north-1"}
    connection = {"conn_type": "aws", "login": "id", "password": "hidden", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    settings = read_settings()
    assert settings.storage_options == {
        "use_listings_cache": False,
        "client_kwargs": {"endpoint_url": "http://store:9000", "region_name": "cn-north-1"},
        "key": "id",
        "secret": "hidden",
    }
    assert settings.s3_public_endpoint == "https://files.example.com"
    assert "hidden" not in repr(settings)


def test_without_an_aws_connection_the_machine_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSAL_LAKE", "s3://lake")
    monkeypatch.setenv("CAUSAL_AWS_CONNECTION", "aws_nowhere")
    assert "key" not in read_settings().storage_options


def test_a_role_in_the_aws_connection_is_refused_rather_than_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSAL_LAKE", "s3://lake")
    connection = {"conn_type": "aws", "extra": {"role_arn": "arn:aws:iam::1:role/x"}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    with pytest.raises(ConfigurationError, match="role_arn"):
        read_settings()
