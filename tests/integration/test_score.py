"""Scoring as a person uses it: a run that was mined, real processes, files too large for a bound on memory, S3."""

import json
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from causal_tasks import Settings, cli, run_experiment
from causal_tasks.cli import terminal
from causal_tasks.data.simulate import simulate_experiment
from causal_tasks.errors import InputError
from causal_tasks.experiment import Mining
from causal_tasks.rule import Rule
from causal_tasks.storage import Storage
from causal_tasks.uplift import candidate, score_table

LIGHT = Mining(candidates=("t_lightgbm",), finalists=1, trials=1, stability_trees=0, placebos=0)
PROGRAM = [str(Path(sys.executable).with_name("causal-tasks")), "score"]

# What a process has held at most, from its start on: other counters begin with what its parent held.
MEASURED = """
import re, sys
from pathlib import Path
from causal_tasks.cli import app
try:
    app(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code, ended
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
print(sorted({"causal_tasks", "lightgbm", "xgboost", "torch", "optuna", "dask", "altair"} & sys.modules.keys()))
"""


def program(*arguments, check=True):
    done = subprocess.run([*PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def command(*arguments):
    """What the command prints, run in this process."""
    return CliRunner().invoke(cli.app, ["score", *map(str, arguments)], catch_exceptions=False).output


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake with one experiment that was mined."""
    lake = tmp_path_factory.mktemp("lake")
    settings = Settings(lake=f"file://{lake}")
    run_experiment(
        simulate_experiment(settings, experiment_id="music", users=5_000, seed=5, effect=2.0, mining=LIGHT), settings
    )
    return lake


@pytest.fixture(scope="module")
def analysed(lake):
    """The users of the run, as ``prepare`` wrote them."""
    (folder,) = lake.glob("runs/music/r1/stages/prepare/*/*/users")
    return folder


def test_the_users_of_the_run_get_the_scores_and_rules_of_its_result(lake, analysed, tmp_path):
    done = program("music.r1", analysed, tmp_path / "out.parquet", "--unit", "unit", "--lake", lake)
    users, scored = pd.read_parquet(analysed), pd.read_parquet(tmp_path / "out.parquet")
    (selected,) = lake.glob("runs/music/r1/stages/select/*/*/predictions.parquet")
    unseen = (users["part"] == "estimation").to_numpy()
    predicted = pd.read_parquet(selected)
    pd.testing.assert_frame_equal(scored.loc[unseen, predicted.columns], predicted[unseen])
    result = json.loads((lake / "runs/music/r1/result.json").read_text())
    assert result["subpopulations"]
    for number, row in enumerate(result["subpopulations"], start=1):
        members = Rule.model_validate(row["rule"]).mask(users)
        assert (scored[f"rule_{number}"] == members).all()
        assert re.search(rf"^rule_{number}: .* \({row['id']}, .*\): {members.sum():,} rows", done.stdout, re.MULTILINE)
    assert re.fullmatch(rf"{len(users):,} rows in \d+\.\d s: file://.*/out.parquet", done.stdout.splitlines()[-1])
    assert done.stderr == ""


def test_a_new_category_stops_the_command_unless_it_may_count_as_missing(lake, analysed, tmp_path):
    users = pd.read_parquet(analysed).astype({"device": object})
    users.loc[:6, "device"] = "toaster"
    users.to_parquet(tmp_path / "new.parquet")
    arguments = ("music", tmp_path / "new.parquet", tmp_path / "out.parquet", "--unit", "unit", "--lake", lake)
    refused = program(*arguments, check=False)
    assert refused.returncode == 2
    said = " ".join(refused.stderr.split())
    assert f"'device' holds values that the model has not learned from in 7 of {len(users):,} rows: 'toaster'" in said
    assert "--new-levels missing" in said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["new.parquet"]
    assert "device has new values in 7 rows" in command(*arguments, "--new-levels", "missing")


def test_a_column_that_is_missing_or_a_model_that_was_changed_stops_the_command(model, tmp_path):
    rows(50).drop(columns="x1").to_parquet(tmp_path / "narrow.parquet")
    with pytest.raises(InputError, match="column 'x1' is missing"):
        command(model, tmp_path / "narrow.parquet", tmp_path / "out.parquet", "--unit", "id")
    changed = tmp_path / "model"
    changed.mkdir()
    for file in model.iterdir():
        (changed / file.name).write_bytes(file.read_bytes() + b" " * (file.suffix == ".txt"))
    rows(50).to_parquet(tmp_path / "table.parquet")
    refused = program(changed, tmp_path / "table.parquet", tmp_path / "out.parquet", "--unit", "id", check=False)
    assert (refused.returncode, "has changed since it was saved" in " ".join(refused.stderr.split())) == (2, True)


def rows(n, seed=0):
    random = np.random.default_rng(seed)
    numbers = {f"x{number}": random.normal(size=n) for number in range(4)}
    return pd.DataFrame({"id": np.arange(n), **numbers, "city": random.choice(["a", "b", "c"], n)})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A saved T-learner of four numbers and a category."""
    folder, frame, random = tmp_path_factory.mktemp("model"), rows(4_000, seed=1), np.random.default_rng(2)
    arm = random.integers(0, 2, len(frame))
    outcome = frame["x0"] + arm * frame["x1"] + random.normal(size=len(frame))
    features = frame.drop(columns="id").astype({"city": "category"})
    candidate("t_lightgbm", parameters={"n_estimators": 5}).fit(features, outcome, arm).save(folder)
    return folder


def measured(*arguments):
    """Megabytes that a process which scores has held at most, and which libraries it has imported."""
    scoring = [sys.executable, "-c", MEASURED, "score", *map(str, arguments)]
    done = subprocess.run(scoring, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *_, peak, modules = done.stdout.splitlines()
    return int(peak) / 1024, modules


def test_memory_does_not_grow_with_rows_and_no_other_trainer_is_imported(model, tmp_path):
    rows(100_000).to_parquet(tmp_path / "small.parquet", row_group_size=100_000)
    # One row group, so that reading it whole would show: rows and scores take 60 MB as plain arrays.
    rows(1_000_000).to_parquet(tmp_path / "large.parquet", row_group_size=1_000_000)
    small, modules = measured(model, tmp_path / "small.parquet", tmp_path / "a.parquet", "--unit", "id")
    large, _ = measured(model, tmp_path / "large.parquet", tmp_path / "b.parquet", "--unit", "id")
    assert pq.read_metadata(tmp_path / "b.parquet").num_rows == 1_000_000
    assert large < small + 25
    assert modules == "['causal_tasks', 'lightgbm']"


def test_the_command_line_itself_imports_nothing_heavy():
    heavy = {"pandas", "pyarrow", "sklearn", "scipy", "lightgbm", "xgboost", "torch"}
    code = f"import sys, causal_tasks.cli; print(sorted({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_progress_is_drawn_on_a_terminal_only(model, tmp_path, monkeypatch):
    rows(1_000).to_parquet(tmp_path / "table.parquet")

    def drawn(terminal_there):
        with (tmp_path / f"drawn-{terminal_there}").open("w+") as screen:
            monkeypatch.setattr(terminal, "errors", Console(file=screen, force_terminal=terminal_there))
            target = tmp_path / f"out-{terminal_there}.parquet"
            command(model, tmp_path / "table.parquet", target, "--unit", "id")
            screen.seek(0)
            return screen.read()

    assert "1000/1000" in drawn(True)
    assert drawn(False) == ""


def test_models_table_and_scores_may_lie_in_a_store(model, object_store, tmp_path):
    storage, folder = Storage(object_store), f"s3://lake/score-{uuid4().hex}"
    for file in model.iterdir():
        storage.write_bytes(f"{folder}/model/{file.name}", file.read_bytes())
    frame = rows(3_000)
    frame.to_parquet(tmp_path / "table.parquet")
    for number, part in enumerate((frame[:1_000], frame[1_000:])):
        storage.write_table(f"{folder}/table/{number}.parquet", part)
    score_table(model, tmp_path / "table.parquet", tmp_path / "out.parquet", unit="id")
    arguments = {"unit": "id", "settings": object_store}
    done = score_table(f"{folder}/model", f"{folder}/table", f"{folder}/out.parquet", **arguments)
    assert done.rows == 3_000
    stored = pq.read_table(pa.BufferReader(storage.read_bytes(done.uri)))
    assert stored.equals(pq.read_table(tmp_path / "out.parquet"))
    with pytest.raises(InputError, match="exists"):
        score_table(f"{folder}/model", f"{folder}/table", done.uri, **arguments)

    def write_first(_done, _total):
        storage.write_bytes(f"{folder}/contested.parquet", b"of somebody else")

    with pytest.raises(InputError, match="somebody else meanwhile"):
        score_table(
            f"{folder}/model", f"{folder}/table", f"{folder}/contested.parquet", progress=write_first, **arguments
        )
    assert storage.read_bytes(f"{folder}/contested.parquet") == b"of somebody else"
