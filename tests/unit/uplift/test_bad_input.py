"""What learners refuse, and that the message names what was found and what to do about it."""

import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.base_models import DesignMatrix, LightGBM, StoredDesign
from causal_tasks.errors import CausalTasksError, InputError
from causal_tasks.uplift import DRLearner, RLearner, SLearner, TLearner, XLearner, load_learner

LEARNERS = [SLearner, TLearner, XLearner, RLearner, DRLearner]

every_learner = pytest.mark.parametrize("learner", LEARNERS)


def experiment(n=300):
    random = np.random.default_rng(0)
    X = pd.DataFrame({"minutes": random.normal(size=n), "city": pd.Categorical(random.choice(["a", "b"], n))})
    arm = np.array(["old", "new", "newer"])[np.arange(n) % 3]
    return X, random.normal(size=n), arm


def unfitted(learner=TLearner):
    return learner(LightGBM(n_estimators=2, min_child_samples=5))


def fitted(learner=TLearner):
    X, outcome, arm = experiment()
    return unfitted(learner).fit(X, outcome, arm, control="old")


def refused(*words):
    """An InputError, also for those who know scikit-learn's ValueError alone, whose message has all the words."""
    pattern = "".join(f"(?=.*{word})" for word in words)
    return pytest.raises(InputError, match=f"(?s){pattern}")


def test_bad_input_is_a_value_error_and_keeps_its_remedy():
    error = InputError("found", remedy="do this")
    assert isinstance(error, ValueError)
    assert isinstance(error, CausalTasksError)
    assert (str(error), error.remedy) == ("found; do this", "do this")


@every_learner
def test_a_control_arm_that_is_not_there_is_named_beside_those_that_are(learner):
    X, outcome, arm = experiment()
    with refused("control arm 'placebo' has no unit", r"\['new', 'newer', 'old'\]", "; name the control arm's label"):
        unfitted(learner).fit(X, outcome, arm, control="placebo")


@every_learner
@pytest.mark.parametrize(
    ("shares", "named"),
    [
        ({"old": 0.4, "new": 0.3, "newer": 0.2, "oldest": 0.1}, "oldest"),
        ({"old": 0.5, "new": 0.5}, "newer"),
        ({0: 0.5, 1: 0.3, 2: 0.2}, r"\[0, 1, 2\]"),
    ],
)
def test_shares_of_other_arms_than_those_of_the_users_are_refused(learner, shares, named):
    X, outcome, arm = experiment()
    with refused("propensity names the arms", named, "'newer'", "; give the share of every arm that has users"):
        unfitted(learner).fit(X, outcome, arm, control="old", propensity=shares)


@every_learner
@pytest.mark.parametrize("share", [0.0, 1.0, -0.2, 1.5, np.nan, np.inf])
def test_a_share_that_is_no_probability_is_named(learner, share):
    X, outcome, arm = experiment()
    shares = {"old": 0.5, "new": share, "newer": 0.2}
    with refused("propensity has the shares", str(share), "between 0 and 1"):
        unfitted(learner).fit(X, outcome, arm, control="old", propensity=shares)


@every_learner
def test_an_arm_of_one_row_is_named(learner):
    X, outcome, arm = experiment()
    arm[arm == "new"] = "old"
    arm[7] = "new"
    with refused(r"treatment: arm 'new' has 1 row\(s\)", "; leave out arms with fewer than two rows"):
        unfitted(learner).fit(X, outcome, arm, control="old")


@every_learner
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_outcome_without_a_value_is_counted_and_its_row_named(learner, value):
    X, outcome, arm = experiment()
    outcome[[5, 9]] = value
    with refused(r"outcome has 2 missing or infinite of 300 values \(first: row 5\)", "; leave those units out"):
        unfitted(learner).fit(X, outcome, arm, control="old")


def test_an_outcome_that_is_text_or_not_there_is_refused():
    X, outcome, arm = experiment()
    with refused("outcome is not numeric", "'much'", "; pass numbers only"):
        unfitted().fit(X, ["much"] * 300, arm, control="old")
    with refused("the target y is None", "; pass one outcome per row"):
        unfitted().fit(X, None, arm, control="old")
    with refused(r"outcome has shape \(300, 2\)", "one row per unit"):
        unfitted().fit(X, np.column_stack([outcome, outcome]), arm, control="old")


def test_a_label_that_is_missing_is_counted():
    X, outcome, arm = experiment()
    labels = pd.Series(arm, dtype=object)
    labels[:4] = None
    with refused("treatment is missing for 4 of 300 units", "; leave those units out"):
        unfitted().fit(X, outcome, labels, control="old")


@every_learner
@pytest.mark.parametrize("kind", ["frame", "matrix", "file"])
def test_a_feature_without_any_value_is_named(learner, kind, tmp_path):
    X, outcome, arm = experiment()
    X = X.assign(nothing=np.nan, nowhere=pd.Categorical([None] * 300, categories=["a"]))
    X.to_parquet(tmp_path / "x.parquet")
    features = {"frame": X, "matrix": DesignMatrix(X), "file": StoredDesign(tmp_path / "x.parquet")}[kind]
    with refused(r"the features \['nothing', 'nowhere'\] have no value in any row", "; leave them out"):
        unfitted(learner).fit(features, outcome, arm, control="old")


@every_learner
def test_a_feature_without_a_value_in_one_arm_is_learned_from(learner):
    X, outcome, arm = experiment()
    X.loc[arm == "new", "minutes"] = np.nan
    assert np.isfinite(unfitted(learner).fit(X, outcome, arm, control="old").predict(X)).all()


@every_learner
def test_a_new_level_is_named_with_its_column_and_its_rows(learner):
    X, _, _ = experiment()
    strange = X.assign(city=X["city"].cat.add_categories(["c"]))
    strange.loc[:2, "city"] = "c"
    with refused(r"feature 'city' has 1 levels that were not there in fit \('c'\) in 3 rows", "; make them missing"):
        fitted(learner).predict(strange)


@every_learner
def test_a_missing_column_is_named(learner):
    X, _, _ = experiment()
    with refused("X has 1 features", "is expecting 2", r"X lacks the columns \['city'\]", "; pass every column"):
        fitted(learner).predict(X[["minutes"]])
    with refused(r"X lacks the columns \['minutes', 'city'\]"):
        fitted(learner).predict(X.assign(city=0.0).to_numpy())


@every_learner
def test_a_column_that_has_changed_its_kind_is_named(learner):
    X, _, _ = experiment()
    with refused("feature 'city' is of type float64", "fitted on a category", "; pass columns of the same kind"):
        fitted(learner).predict(X.assign(city=1.0))


@every_learner
def test_text_and_infinite_values_are_named_with_their_column(learner):
    X, outcome, arm = experiment()
    with refused("feature 'city' is of type", "; cast it to a number or to a pandas category"):
        unfitted(learner).fit(X.assign(city=X["city"].astype(str)), outcome, arm, control="old")
    with refused("feature 'minutes' holds 1 values that are infinite", "; make them missing"):
        unfitted(learner).fit(X.assign(minutes=X["minutes"].where(X.index != 3, np.inf)), outcome, arm, control="old")
    with refused("feature 'minutes' is of type complex128", "; cast it to a number"):
        unfitted(learner).fit(X.assign(minutes=X["minutes"] + 1j), outcome, arm, control="old")


def test_a_column_called_like_the_learners_own_is_named():
    X, outcome, arm = experiment()
    with refused(r"X has the columns \['treatment:1'\], which stand for the treatment", "; rename them"):
        unfitted(SLearner).fit(X.rename(columns={"minutes": "treatment:1"}), outcome, arm, control="old")


@every_learner
def test_weights_that_leave_nothing_to_learn_are_refused(learner):
    X, outcome, arm = experiment()
    weight = np.ones(300)
    with refused("sample_weight is zero in all rows of arm 'newer'", "; leave the arm out"):
        unfitted(learner).fit(X, outcome, arm, control="old", sample_weight=weight * (arm != "newer"))
    weight[[4, 6]] = -1
    with refused(r"sample_weight is negative in 2 rows \(first: row 4\)", "; give every row a weight of zero or more"):
        unfitted(learner).fit(X, outcome, arm, control="old", sample_weight=weight)
    weight[4] = np.nan
    with refused("sample_weight has 1 missing"):
        unfitted(learner).fit(X, outcome, arm, control="old", sample_weight=weight)


@pytest.mark.parametrize("argument", ["outcome", "treatment", "sample_weight", "clusters"])
def test_an_argument_of_another_length_is_refused(argument):
    X, outcome, arm = experiment()
    given = {"outcome": outcome, "treatment": arm, "sample_weight": np.ones(300), "clusters": np.arange(300)}
    with refused("299", "300", "; (align|pass one row)"):
        unfitted().fit(X, **given | {argument: given[argument][:-1]}, control="old")


@every_learner
def test_an_outcome_whose_differences_32_bits_cannot_tell_is_refused(learner):
    X, outcome, arm = experiment()
    with refused(r"outcome: the mean 1e\+07 is 1e\+07 times the standard deviation 1", "; subtract a constant"):
        unfitted(learner).fit(X, outcome / outcome.std() + 1e7, arm, control="old")
    unfitted(learner).fit(X, outcome + 1e4, arm, control="old")
    unfitted(learner).fit(X, np.full(300, 0.1), arm, control="old")


def test_a_feature_that_is_there_twice_is_refused_by_its_name():
    X, outcome, arm = experiment()
    with refused(r"there twice: \['minutes'\]", "; pass at least one column, and give each a name of its own"):
        unfitted().fit(X[["minutes", "city", "minutes"]], outcome, arm, control="old")


@pytest.mark.parametrize(
    ("labels", "kind"), [(pd.to_datetime(["2026-01-01", "2026-01-02"]), "Timestamp"), ([b"old", b"new"], "bytes")]
)
def test_arms_that_json_would_turn_into_others_are_not_saved(labels, kind, tmp_path):
    X, outcome, arm = experiment()
    labelled = pd.Series(labels)[(arm == "new").astype(int)].to_numpy(dtype=object)
    learner = unfitted().fit(X, outcome, labelled, control=labels[0])
    with refused(f"the arms .* are of type {kind}", "; label arms by text or numbers"):
        learner.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_model_may_be_saved_beside_folders(tmp_path):
    (tmp_path / "other").mkdir()
    fitted().save(tmp_path)
    assert load_learner(tmp_path).arms_ == ("old", "new", "newer")


@pytest.fixture
def saved(tmp_path):
    fitted().save(tmp_path)
    return tmp_path


def change(folder, **entries):
    description = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(description | entries))


def test_a_model_of_another_version_is_refused(saved):
    change(saved, format=1)
    with refused(r"model\.json has format 1, this version reads 2", "; load it with the version that saved it"):
        load_learner(saved)


def test_a_model_of_a_newer_library_is_refused(saved):
    change(saved, library={"name": "lightgbm", "version": "99.0.1"})
    with refused(r"saved with lightgbm 99\.0\.1, \S+ is installed", r"; install lightgbm 99\.0\.1 or newer"):
        load_learner(saved)


@pytest.mark.parametrize("fault", ["changed", "cut", "gone"])
def test_a_model_whose_file_is_not_the_one_that_was_saved_is_refused(saved, fault):
    file = saved / "outcome-1.txt"
    content = file.read_bytes()
    if fault == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-10] if fault == "cut" else content.replace(b"leaf_value=", b"leaf_value=1", 1))
    found = "is missing" if fault == "gone" else "has changed since it was saved"
    with refused(rf"outcome-1\.txt {found}", "; restore the folder as it was saved, or fit and save the model again"):
        load_learner(saved)


def test_a_folder_without_a_model_and_one_that_is_no_model_are_refused(tmp_path):
    with refused(r"holds no model\.json", "; name the folder of a saved model"):
        load_learner(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with refused(r"model\.json is no JSON", "; save the model again"):
        load_learner(tmp_path)
    (tmp_path / "model.json").write_text('{"format": 2}')
    with refused(r"model\.json: .*learner", "; save the model again"):
        load_learner(tmp_path)


def test_a_model_of_another_learner_is_refused(saved):
    with refused("holds a TLearner, not a XLearner", "; load it with the class that saved it"):
        XLearner.load(saved)
    change(saved, learner="Oracle")
    with refused("holds a Oracle", "; load one of"):
        load_learner(saved)
