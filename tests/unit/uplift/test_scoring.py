import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from causal_tasks.errors import ConfigurationError, InputError
from causal_tasks.rule import Rule
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from causal_tasks.uplift import candidate, feature_table, load_learner, score_table
from tests.unit.uplift.learning_runs import DOWN, Mined, output, prepared, settings, statement

FEW = {"n_estimators": 8, "min_child_samples": 20}
SHORT = {"hidden": 8, "head": 4, "max_steps": 20}


def users(n=400, seed=0):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": np.arange(n) + 1000,
            "age": random.integers(18, 70, n).astype(float),
            "active": random.random(n) < 0.5,
            "city": random.choice(["a", "b", "c"], n),
            "note": "never read",
        }
    )
    frame.loc[::9, "age"] = np.nan
    frame.loc[::7, "city"] = None
    return frame


def features(frame, levels=("a", "b", "c")):
    return frame[["age", "active", "city"]].assign(city=pd.Categorical(frame["city"], categories=list(levels)))


def fitted(name="t_lightgbm", arms=("off", "on"), parameters=FEW):
    frame = users(3_000, seed=1)
    arm = np.random.default_rng(2).integers(0, len(arms), len(frame))
    effect = 3 * (frame["age"].fillna(0) > 40) - 2 * (frame["city"] == "b")
    outcome = frame["active"] + effect * arm + np.random.default_rng(3).normal(size=len(frame))
    labels = np.array(arms, dtype=object)[arm]
    return candidate(name, parameters=parameters).fit(features(frame), outcome, labels, control=arms[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    fitted().save(folder)
    return folder


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(feature_table, "CHUNK_ROWS", 64)


def written(tmp_path, rows, **options):
    rows = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
    pq.write_table(rows, tmp_path / "users.parquet", **options)
    return tmp_path / "users.parquet"


def scores(model, table, tmp_path, **options):
    score_table(model, table, tmp_path / "scores.parquet", **({"unit": "id"} | options))
    return pq.read_table(tmp_path / "scores.parquet").to_pandas()


def require_equal(scored, learner, X):
    means = learner.predict_outcomes(X)
    for position, arm in enumerate(learner.arms_):
        np.testing.assert_array_equal(scored[f"mean__{arm}"], means[:, position])
        if position:
            np.testing.assert_array_equal(scored[f"uplift__{arm}"], means[:, position] - means[:, 0])


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("rows", [1, 50, 1_000])
def test_however_the_rows_are_cut_their_scores_are_those_of_the_frame_in_its_order(folder, tmp_path, rows):
    (tmp_path / "table").mkdir()
    frame = users()
    for number, part in enumerate((frame[:130], frame[130:])):
        part.to_parquet(tmp_path / f"table/{number}.parquet", row_group_size=rows)
    seen = []
    scored = scores(folder, tmp_path / "table", tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert list(scored.columns) == ["id", "uplift__on", "mean__off", "mean__on"]
    assert list(scored["id"]) == list(frame["id"])
    require_equal(scored, load_learner(folder), features(frame))
    assert seen[-1] == (400, 400)
    assert len(seen) > 2


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("s_lightgbm", FEW), ("x_xgboost", FEW), ("t_random_forest", FEW), ("dr_lightgbm", FEW), ("dragon_net", SHORT)],
)
def test_every_kind_of_learner_scores_as_it_predicts(tmp_path, name, parameters):
    learner = fitted(name, arms=("off", "mild", "strong"), parameters=parameters)
    learner.save(tmp_path / "model")
    frame = users()
    scored = scores(tmp_path / "model", written(tmp_path, frame), tmp_path)
    assert list(scored.columns[1:3]) == ["uplift__mild", "uplift__strong"]
    require_equal(scored, load_learner(tmp_path / "model"), features(frame))


def test_numbers_and_text_may_be_stored_in_any_type(folder, tmp_path):
    frame = users()
    rows = pa.table(
        {
            "id": pa.array(frame["id"].astype(str), pa.large_string()),
            "age": [None if np.isnan(age) else Decimal(int(age)) for age in frame["age"]],
            "active": frame["active"].astype("int8"),
            "city": pa.array(frame["city"], from_pandas=True).dictionary_encode(),
        }
    )
    scored = scores(folder, written(tmp_path, rows, row_group_size=90), tmp_path)
    assert list(scored["id"]) == list(frame["id"].astype(str))
    require_equal(scored, load_learner(folder), features(frame))


def test_levels_that_are_numbers_are_read_from_a_column_of_numbers(tmp_path):
    random = np.random.default_rng(4)
    frame = pd.DataFrame({"id": np.arange(600), "store": random.choice([7, 20, 31], 600)})
    X = frame[["store"]].astype("category")
    arm = random.integers(0, 2, 600)
    learner = candidate("t_lightgbm", parameters=FEW).fit(X, (frame["store"] == 20) * arm * 2.0, arm)
    learner.save(tmp_path / "model")
    require_equal(scores(tmp_path / "model", written(tmp_path, frame), tmp_path), learner, X)


def test_a_folder_that_names_a_value_gives_it_to_all_its_rows(folder, tmp_path):
    frame = users().assign(city="b")
    (tmp_path / "table/city=b").mkdir(parents=True)
    frame.drop(columns="city").to_parquet(tmp_path / "table/city=b/0.parquet")
    require_equal(scores(folder, tmp_path / "table", tmp_path), load_learner(folder), features(frame))


def test_columns_that_no_model_needs_are_not_read(folder, tmp_path):
    frame = users()
    path = written(tmp_path, frame, compression="none", use_dictionary=False)
    column = pq.read_metadata(path).row_group(0).column(frame.columns.get_loc("note"))
    content = bytearray(path.read_bytes())
    begin = column.data_page_offset
    content[begin : begin + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"."):
        pq.read_table(path)
    require_equal(scores(folder, path, tmp_path), load_learner(folder), features(frame))


@pytest.mark.usefixtures("small_batches")
def test_a_new_level_is_an_error_that_counts_its_rows_in_the_whole_table(folder, tmp_path):
    frame = users()
    frame.loc[[3, 150, 399], "city"] = "z"
    frame.loc[20, "city"] = "y"
    with pytest.raises(InputError) as error:
        scores(folder, written(tmp_path, frame), tmp_path)
    assert "'city'" in error.value.message
    assert "4 of 400 rows: 'z' (3 rows), 'y' (1 rows)" in error.value.message
    assert "missing" in error.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["users.parquet"]


@pytest.mark.usefixtures("small_batches")
def test_new_levels_can_count_as_missing_and_are_told(folder, tmp_path):
    frame = users()
    frame.loc[[3, 150, 399], "city"] = "z"
    done = score_table(folder, written(tmp_path, frame), tmp_path / "scores.parquet", unit="id", new_levels="missing")
    assert done.new_levels == {"city": 3}
    missing = frame.assign(city=frame["city"].where(frame["city"] != "z"))
    require_equal(pq.read_table(done.uri[7:]).to_pandas(), load_learner(folder), features(missing))


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.drop(columns="age"), "'age' is missing"),
        (lambda frame: frame.assign(age="old"), "'age' is text"),
        (lambda frame: frame.assign(city=1.5), "'city' is double"),
        (lambda frame: frame.assign(id=[None, *frame["id"][1:].astype(str)]), "'id' has no value in 1 of 400"),
        (lambda frame: frame.drop(columns="id"), "'id' is missing"),
        (lambda frame: frame.assign(age=np.where(frame.index == 399, np.inf, 1.0)), "'age' holds 1 values"),
        (lambda frame: frame.assign(age=(2**53 + 1)), "'age'.*cannot be read"),
        (lambda frame: frame[:0], "no row"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_and_nothing_is_written(folder, tmp_path, change, words):
    with pytest.raises(InputError, match=words) as error:
        scores(folder, written(tmp_path, change(users())), tmp_path)
    assert error.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["users.parquet"]


def test_ids_that_are_named_like_a_score_are_refused_before_anything_is_written(folder, tmp_path):
    table = written(tmp_path, users().rename(columns={"id": "mean__on"}))
    with pytest.raises(InputError, match="the column of ids 'mean__on' is named like a result"):
        scores(folder, table, tmp_path, unit="mean__on")
    assert [path.name for path in tmp_path.iterdir()] == ["users.parquet"]


def test_what_is_missing_is_named(folder, tmp_path):
    table = written(tmp_path, users())
    with pytest.raises(InputError, match="name it"):
        scores(folder, table, tmp_path, unit=None)
    with pytest.raises(InputError, match="feature, not an id"):
        scores(folder, table, tmp_path, unit="age")
    with pytest.raises(InputError, match=r"no file \*.parquet"):
        scores(folder, tmp_path / "nothing", tmp_path)
    with pytest.raises(InputError, match=r"neither a run .* nor a saved learner"):
        scores(tmp_path, table, tmp_path)
    with pytest.raises(InputError, match="names no run"):
        scores("nobody", table, tmp_path, settings=Settings(lake=f"file://{tmp_path}"))


def test_a_file_that_is_there_is_never_replaced(folder, tmp_path):
    table, target = written(tmp_path, users()), tmp_path / "scores.parquet"

    def write_first(_done, _total):
        target.write_text("of somebody else")

    with pytest.raises(InputError, match="somebody else meanwhile"):
        scores(folder, table, tmp_path, progress=write_first)
    with pytest.raises(InputError, match="exists"):
        scores(folder, table, tmp_path)
    assert target.read_text() == "of somebody else"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores.parquet", "users.parquet"]


def test_a_folder_that_cannot_be_written_is_a_matter_of_configuration(folder, tmp_path):
    table = written(tmp_path, users())
    with pytest.raises(ConfigurationError, match=r"/proc/nothing cannot be written"):
        score_table(folder, table, "/proc/nothing/scores.parquet", unit="id")


def changed_description(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_models_that_were_changed_or_are_too_new_are_refused_under_their_own_address(tmp_path):
    model, table = tmp_path / "model", written(tmp_path, users())
    fitted().save(model)
    changed_description(model, library={"name": "lightgbm", "version": "99.0"})
    with pytest.raises(InputError, match=r"saved with lightgbm 99.0"):
        scores(model, table, tmp_path)
    changed_description(model, format=99)
    with pytest.raises(InputError, match=r"has format 99") as error:
        scores(model, table, tmp_path)
    assert f"{model}/model.json" in error.value.message
    fitted().save(model)
    trees = next(model.glob("*.txt"))
    trees.write_text(trees.read_text() + " ")
    with pytest.raises(InputError, match="has changed since it was saved") as error:
        scores(model, table, tmp_path)
    assert f"{model}/{trees.name}" in error.value.message


HOT = {
    "all": [
        {"feature": "x0", "op": ">", "value": 0.5, "missing": True},
        {"feature": "city", "op": "in", "value": ["a", "b"]},
    ]
}
KNOWN = {"all": [{"feature": "city", "op": "present"}]}


class Run:
    """A finished run whose primary metric is better when it is lower, and what it predicted."""

    def __init__(self, folder):
        self.experiment = statement(metrics=[DOWN], eligible={"all": [{"feature": "x0", "op": "<=", "value": 2.0}]})
        self.users, _ = prepared(self.experiment)
        mined = Mined(folder, self.experiment, self.users, items=["t_lightgbm"])
        self.folder = mined.run
        selected = mined.select()
        records = [
            {"id": "s1", "treatment": "on", "kind": "positive", "grade": "confirmed", "rule": HOT},
            {"id": "s2", "treatment": "on", "kind": "negative", "grade": "promising", "rule": KNOWN},
        ]
        result = {"subpopulations": records, "verdict": {"status": "pass"}}
        uri = self.folder.storage.write_json(f"{folder.as_uri()}/result.json", result)
        self.folder.publish({"result.json": uri}, [self.folder.read_manifest(selected.manifest)])
        self.predictions = self.folder.storage.read_table(output(self.folder, selected, "predictions"))

    def score(self, tmp_path, frame, **options):
        table = written(tmp_path, frame.rename(columns={"unit": "user_id"}))
        return score_table(self.folder.uri, table, tmp_path / "scores.parquet", **options)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("run"))


def test_users_that_no_model_has_seen_are_scored_as_the_run_predicted_them(run, tmp_path):
    done = run.score(tmp_path, run.users)
    unseen = (run.users["part"] == "estimation").to_numpy()
    scored = pq.read_table(tmp_path / "scores.parquet").to_pandas()
    assert done.rows == len(scored) == len(run.users)
    assert list(scored.columns) == ["user_id", "uplift__on", "mean__off", "mean__on", "rule_1", "rule_2"]
    for column in ("uplift__on", "mean__off", "mean__on"):
        np.testing.assert_array_equal(scored[column][unseen], run.predictions[column][unseen])
    # Fewer minutes are better here.
    np.testing.assert_array_equal(scored["uplift__on"], scored["mean__off"] - scored["mean__on"])


def test_membership_is_what_rules_say_of_eligible_users(run, tmp_path):
    frame = run.users.assign(city=run.users["city"].astype(object))
    frame.loc[5:9, "city"] = "new"
    frame.loc[10:14, "city"] = None
    frame.loc[10:11, "x0"] = 0.0
    done = run.score(tmp_path, frame, new_levels="missing")
    scored = pq.read_table(tmp_path / "scores.parquet")
    eligible = frame["x0"] <= 2
    for column, rule in zip(done.rules, (HOT, KNOWN), strict=True):
        expected = Rule.model_validate(rule).mask(frame) & eligible
        assert scored[column.name].to_pylist() == expected.tolist()
        assert column.members == expected.sum() > 0
    # A value that the models do not know is a value all the same.
    assert scored["rule_2"].to_pylist()[5:12] == [*(frame["x0"][5:10] <= 2), False, False]


def test_the_metadata_of_the_file_say_what_its_rules_are(run, tmp_path):
    done = run.score(tmp_path, run.users)
    metadata = pq.read_schema(tmp_path / "scores.parquet").metadata
    rules = json.loads(metadata[b"causal_tasks.rules"])
    assert json.loads(metadata[b"causal_tasks.model"]) == {"uri": run.folder.uri, "learner": "TLearner"}
    assert list(rules) == ["rule_1", "rule_2"]
    assert rules["rule_1"]["id"] == "s1"
    assert rules["rule_1"]["sql"].startswith('"x0" <= 2 AND ')
    assert rules["rule_1"]["words"] == done.rules[0].mined.words
    assert Rule.model_validate(rules["rule_2"]["rule"]) == done.rules[1].mined.rule


def test_a_run_is_found_by_its_id_and_by_the_id_of_its_experiment(run, tmp_path):
    table = written(tmp_path, run.users.rename(columns={"unit": "user_id"}))
    here = run.folder.settings
    assert score_table("music.r1", table, tmp_path / "a.parquet", settings=here).rows == len(run.users)
    stated = run.experiment.model_dump(mode="json", by_alias=True)
    run.folder.storage.write_json(f"{here.lake}/experiments/music.json", stated)
    assert score_table("music", table, tmp_path / "b.parquet", settings=here).rows == len(run.users)


def test_a_run_that_has_not_finished_or_trained_nothing_says_so(tmp_path):
    run, table = RunFolder.open(statement(), settings(tmp_path)), written(tmp_path, users())
    with pytest.raises(InputError, match="has no result"):
        scores(run.uri, table, tmp_path)
    uri = run.storage.write_json(f"{tmp_path.as_uri()}/result.json", {"verdict": {"status": "fail"}})
    run.publish({"result.json": uri}, [])
    with pytest.raises(InputError, match="trained no model: its verdict is 'fail'"):
        scores(run.uri, table, tmp_path)
