"""Public data sets as their files look, drawn at random: what is imported, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from causal_tasks import cli
from causal_tasks.data.public import import_public
from causal_tasks.data.public_layouts import LAYOUTS
from causal_tasks.errors import InputError
from causal_tasks.settings import Settings


def starbucks(n=60):
    rng = np.random.default_rng(0)
    codes = {f"V{i}": rng.integers(1, 5, n) for i in (1, 4, 5, 6, 7)}
    values = {"V2": rng.normal(30, 5, n), "V3": rng.normal(0, 1, n)}
    first = {"ID": np.arange(n) * 2 + 1, "Promotion": np.resize(["Yes", "No"], n), "purchase": rng.integers(0, 2, n)}
    return pd.DataFrame(first | codes | values)[list(LAYOUTS["starbucks"].columns)]


def lazada(counts):
    treated = np.repeat([int(arm) for arm in counts], list(counts.values()))
    features = dict.fromkeys([f"f{i}" for i in range(83)], 0.5)
    return pd.DataFrame({"data_id": 7, "label": np.resize([0, 1], len(treated)), "is_treat": treated, **features})


@pytest.fixture
def imported(tmp_path):
    """Write a frame as a file and import it."""

    def imported(layout, frame, *, file="file.csv", **options):
        if file.endswith(".csv"):
            frame.to_csv(tmp_path / file, index=False)
        else:
            frame.to_parquet(tmp_path / file, index=False)
        return import_public(layout, f"file://{tmp_path}/{file}", Settings(lake=f"file://{tmp_path}"), **options)

    return imported


def test_the_columns_of_a_layout_are_copied_and_codes_become_text(imported, tmp_path):
    frame = starbucks()
    made = imported("starbucks", frame.assign(note="x"))
    copied = pq.read_table(tmp_path / "datasets" / "starbucks" / "part-0.parquet")
    assert copied.column_names == list(frame.columns)
    assert copied["V4"].to_pylist() == frame["V4"].astype(str).tolist()
    assert copied["V2"].to_pylist() == frame["V2"].tolist()
    stated = json.loads((tmp_path / "experiments" / "starbucks.json").read_text())
    assert stated == made.experiment.model_dump(mode="json", by_alias=True)
    assert (made.rows, stated["unit"], stated["control"], stated["treatments"]) == (60, "ID", "No", ["Yes"])
    assert stated["mining"]["costs"] == {"Yes": 0.15 / 10}


def test_importing_again_changes_nothing_and_another_id_is_another_experiment(imported, tmp_path):
    def files():
        return {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.suffix in {".parquet", ".json"}}

    imported("starbucks", starbucks())
    first = files()
    imported("starbucks", starbucks())
    assert files() == first
    assert imported("starbucks", starbucks(), experiment_id="promo").experiment.experiment_id == "promo"
    assert (tmp_path / "datasets" / "promo" / "part-0.parquet").is_file()


def test_the_experiment_of_somebody_else_is_not_overwritten(imported, tmp_path):
    imported("starbucks", starbucks())
    path = tmp_path / "experiments" / "starbucks.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"control": "Other"}))
    before = path.read_bytes(), (tmp_path / "datasets" / "starbucks" / "part-0.parquet").read_bytes()
    with pytest.raises(InputError, match=r"experiments/starbucks\.json states another experiment.*--experiment-id"):
        imported("starbucks", starbucks(80))
    assert (path.read_bytes(), (tmp_path / "datasets" / "starbucks" / "part-0.parquet").read_bytes()) == before


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (starbucks().drop(columns="V3"), r"column 'V3' is missing .*take the file as it was published: https://"),
        (starbucks().assign(purchase=3), "column 'purchase' holds 3, but metric 'purchase' has aggregate 'any'"),
        (starbucks().assign(Promotion="maybe"), "unknown arm: 'maybe'"),
        (starbucks().assign(ID=1), "column 'ID' repeats an id in 59 of 60 rows"),
        (starbucks().assign(V5=0.5), "column 'V5' is double .*write the codes as integers or as text"),
    ],
)
def test_a_file_that_breaks_its_layout_is_refused_before_anything_is_written(imported, tmp_path, frame, message):
    with pytest.raises(InputError, match=message):
        imported("starbucks", frame)
    assert [path.name for path in tmp_path.iterdir()] == ["file.csv"]


def test_an_unknown_layout_is_refused_with_the_known_ones(imported):
    with pytest.raises(InputError, match="no layout 'x5'; use one of hillstrom, criteo, lazada, starbucks"):
        imported("x5", starbucks())


def test_only_the_randomised_lazada_file_is_taken_for_an_experiment(imported):
    counts = dict(LAYOUTS["lazada"].randomised_arms)
    randomised = imported("lazada", lazada(counts), file="file.parquet")
    assert randomised.experiment.randomized
    assert randomised.experiment.expected_shares["1"] == pytest.approx(94_682 / 181_669)
    other = imported("lazada", lazada({"0": 70, "1": 20}), experiment_id="lazada_train")
    assert not other.experiment.randomized
    assert "treatment depended on the user" in other.remarks[-1]
    assert "data_id" not in pq.read_schema(other.dataset_uri.removeprefix("file://")).names


def test_the_command_says_where_things_are_and_what_comes_next(tmp_path):
    starbucks().to_csv(tmp_path / "training.csv.gz", index=False)
    arguments = ["import", "starbucks", str(tmp_path / "training.csv.gz"), "--lake", str(tmp_path)]
    done = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    said = dict(line.split(maxsplit=1) for line in done.output.splitlines())
    assert said["dataset:"] == f"file://{tmp_path}/datasets/starbucks/part-0.parquet (60 users)"
    assert Path(said["experiment:"].removeprefix("file://")).is_file()
    assert said["next:"] == f"causal-tasks run starbucks --lake {tmp_path}"
    assert "taken for categories" in said["note:"]
