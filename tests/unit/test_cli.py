"""What the command line makes of its arguments, in this process; ``tests/integration`` runs it as a program."""

import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from causal_tasks import cli
from causal_tasks.cli import runs, terminal
from causal_tasks.errors import InputError, StorageError
from causal_tasks.experiment import Experiment
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from causal_tasks.subpopulations.confirmation import confirmation
from causal_tasks.subpopulations.ledger import record
from tests.unit.plugins.small_pipeline import BEHAVIOUR, SMALL

runner = CliRunner()

EXPERIMENT = {
    "experiment_id": "demo",
    "control": "off",
    "treatments": ["on"],
    "window": {"days": 7},
    "metrics": [{"name": "minutes", "role": "primary"}],
}


@pytest.fixture
def wide(monkeypatch):
    """A console that breaks no line."""
    monkeypatch.setattr(terminal, "console", Console(width=400))


def test_a_folder_with_blanks_and_chinese_letters_is_written_to_under_its_own_name(tmp_path):
    lake = tmp_path / "我的 数据 100%"
    done = runner.invoke(cli.app, ["simulate", "--users", "100", "--lake", str(lake)], catch_exceptions=False)
    assert done.exit_code == 0
    assert (lake / "experiments" / "music_autoplay.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [lake.name]


@pytest.mark.usefixtures("wide")
def test_names_in_brackets_are_shown_and_not_taken_for_colours(tmp_path):
    done = runner.invoke(cli.app, ["doctor", "--lake", str(tmp_path / "[red]lake[/]")], catch_exceptions=False)
    assert "[red]lake[/]" in done.output


@pytest.mark.usefixtures("wide")
def test_the_doctor_names_what_candidates_lack(tmp_path, monkeypatch):
    whole = runner.invoke(cli.app, ["doctor", "--lake", f"file://{tmp_path}"], catch_exceptions=False)
    assert "missing" not in whole.output
    monkeypatch.setitem(sys.modules, "torch", None)
    poorer = runner.invoke(cli.app, ["doctor", "--lake", f"file://{tmp_path}"], catch_exceptions=False)
    assert poorer.exit_code == 0
    assert "missing torch: candidates that need them fail" in poorer.output
    assert "causal-tasks[models,cpu]" in poorer.output


def mined(lake, *, follows=None):
    """The run folder of an experiment in which one rule was found, and a features table."""
    statement = {
        "experiment_id": "music",
        "control": "off",
        "treatments": ["on"],
        "window": {"days": 7},
        "metrics": [{"name": "minutes", "role": "primary"}],
        "eligible": {"all": [{"feature": "age", "op": ">", "value": 17.0}]},
        "delivery": {"languages": ["en"]},
        "follows": follows,
    }
    run = RunFolder.open(Experiment.parse(statement, source="test"), Settings(lake=f"file://{lake}"))
    young = {"all": [{"feature": "age", "op": "<=", "value": 30.0}]}
    found = [{"id": "s1", "rule": young, "grade": "confirmed"}]
    run.storage.write_json(f"{run.uri}/result.json", {"subpopulations": found})
    (lake / "tables" / "features").mkdir(parents=True)
    pq.write_table(pa.table({"user_id": [1, 2, 3, 4], "age": [15, 20, 30, 40]}), lake / "tables/features/0.parquet")
    return run


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("name", ["run id", "address", "folder"])
def test_audience_writes_ids_and_says_how_many(tmp_path, name):
    run = mined(tmp_path)
    named = {"run id": "music.r1", "address": run.uri, "folder": run.uri.removeprefix("file://")}[name]
    arguments = ["audience", named, "s1", "--output", str(tmp_path / "out.parquet"), "--lake", str(tmp_path)]
    done = runner.invoke(cli.app, arguments, catch_exceptions=False)
    assert pq.read_table(tmp_path / "out.parquet").to_pydict() == {"user_id": [2, 3]}
    assert "age > 17 and age ≤ 30 (confirmed)" in done.output
    assert "2 of 4 users (50.0%)" in done.output


@pytest.mark.parametrize("run", ["music", "music.r", ".r1", "music.rx"])
def test_audience_of_what_is_no_run_says_how_a_run_is_named(tmp_path, run):
    arguments = ["audience", run, "s1", "--output", str(tmp_path / "out.parquet"), "--lake", str(tmp_path)]
    with pytest.raises(InputError, match="names no run"):
        runner.invoke(cli.app, arguments, catch_exceptions=False)


@pytest.mark.usefixtures("wide")
def test_ledger_holds_realised_against_predicted_effects(tmp_path):
    arguments = ["ledger", "--lake", str(tmp_path)]
    assert "empty" in runner.invoke(cli.app, arguments, catch_exceptions=False).output
    predicted = {"estimate": 2.0, "interval": [0.5, 3.5]}
    follows = {"experiment_id": "first", "revision": 1, "rule": "s1", "treatment": "on", "kind": "positive"}
    run = mined(tmp_path, follows=follows | {"predicted": predicted})
    effect = {"estimate": 1.0, "interval": [0.25, 1.75]}
    found = confirmation(run.experiment.follows, effect, trusted=True)
    record(run.storage, run.settings, run.experiment, found)
    output = runner.invoke(cli.app, arguments, catch_exceptions=False).output
    for part in (
        "music.r1",
        "on: age > 17",
        "+2 [+0.5, +3.5]",
        "+1 [+0.25, +1.75]",
        "0.50",
        "confirmed: 1",
        "100% of 1",
    ):
        assert part in output


@pytest.fixture
def small_run(tmp_path, monkeypatch):
    """The small pipeline on offer, run up to the stage before ``train``; the arguments of ``train``."""
    monkeypatch.setattr(runs, "PIPELINES", {"small": SMALL})
    for name, value in {"items": ["a", "b", "c"], "fails": {"train/b": InputError("bad luck")}}.items():
        monkeypatch.setitem(BEHAVIOUR, name, value)
    experiment = Experiment.parse(EXPERIMENT, source="test")
    run = RunFolder.open(experiment, Settings(lake=f"file://{tmp_path}"))
    prepared = run_stage(SMALL, "prepare", run=run)
    validated = run_stage(SMALL, "validate", run=run, inputs=[prepared.manifest])
    inputs = ["--input", prepared.manifest, "--input", validated.manifest]
    return ["stage", "train", "--pipeline", "small", "--run", run.uri, *inputs]


def test_stage_prints_a_line_for_each_item_and_ends_with_the_error_of_one(small_run):
    done = runner.invoke(cli.app, [*small_run, "--item", "a", "--item", "b", "--item", "c"])
    assert [json.loads(line)["item"] for line in done.stdout.splitlines()] == ["a", "c"]
    assert str(done.exception) == "bad luck"
    assert "1 of 3 items failed: b" in done.stderr


def test_stage_prints_the_errors_that_it_does_not_raise_with_their_traceback(small_run, capfd):
    BEHAVIOUR["fails"]["train/a"] = StorageError("the store is busy")
    BEHAVIOUR["fails"]["train/c"] = MemoryError("large")
    done = runner.invoke(cli.app, [*small_run, "--item", "a", "--item", "b", "--item", "c"])
    assert str(done.exception) == "the store is busy"
    assert "bad luck" in done.stderr
    assert "MemoryError: large" in done.stderr + capfd.readouterr().err


def test_stage_writes_a_line_for_every_item_into_a_file_failures_too(small_run, tmp_path):
    lines = tmp_path / "lines"
    lines.write_text("of an earlier call")
    runner.invoke(cli.app, [*small_run, "--result", str(lines), "--item", "a", "--item", "b"])
    first, second = map(json.loads, lines.read_text().splitlines())
    assert (first["item"], first["adopted"]) == ("a", False)
    assert (second["item"], second["error"], second["message"]) == ("b", "InputError", "bad luck")


def test_stage_writes_for_every_item_why_none_could_begin(small_run, tmp_path):
    lines = tmp_path / "lines"
    absent = [argument.replace("demo/r1", "demo/r9") for argument in small_run]
    done = runner.invoke(cli.app, [*absent, "--result", str(lines), "--item", "a", "--item", "b"])
    assert isinstance(done.exception, InputError)
    failures = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [(failure["item"], failure["error"]) for failure in failures] == [("a", "InputError"), ("b", "InputError")]
