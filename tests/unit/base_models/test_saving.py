"""What every base model writes down, and what it takes over from there."""

import importlib.metadata

import numpy as np
import pandas as pd
import pytest

from causal_tasks.base_models import BASE_MODELS, library_version
from causal_tasks.errors import InputError
from tests.unit.base_models.listeners import MODELS, listeners, quick


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["continuous", "binary", "no category"])
def test_a_saved_model_predicts_the_same_and_knows_its_features(name, kind, tmp_path):
    X, mean = listeners()
    X = X.drop(columns="city") if kind == "no category" else X.assign(plan=pd.Categorical(np.arange(len(X)) % 3))
    outcome = mean > 2 if kind == "binary" else mean + 1e3
    model = quick(name).fit(X, outcome)
    model.save(tmp_path / f"model{model.suffix}")
    loaded = BASE_MODELS[name]().load(tmp_path / f"model{model.suffix}")
    new, _ = listeners(seed=3)
    new = new.assign(plan=pd.Categorical(np.arange(len(X)) % 2), city=new["city"].cat.set_categories(["e", "b", "z"]))
    np.testing.assert_array_equal(loaded.predict(new), model.predict(new))
    assert loaded.feature_names_in_.tolist() == list(X.columns)
    assert loaded.used_features() == model.used_features()


@pytest.mark.parametrize("name", MODELS)
def test_the_file_of_a_model_does_not_tell_how_many_threads_made_it(name, tmp_path):
    X, mean = listeners(800)
    for threads in (1, 2):
        quick(name, n_jobs=threads).fit(X, mean).save(tmp_path / str(threads))
    written = (tmp_path / "1").read_bytes()
    assert (tmp_path / "2").read_bytes() == written
    quick(name).load(tmp_path / "2").save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == written


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_refuses_columns_of_another_kind(name, tmp_path):
    X, mean = listeners(500)
    quick(name).fit(X, mean).save(tmp_path / "model")
    loaded = quick(name).load(tmp_path / "model")
    exchanged = X.assign(city=X["minutes"], minutes=X["city"])
    with pytest.raises(InputError, match="the model was fitted on a"):
        loaded.predict(exchanged)


@pytest.mark.parametrize("name", MODELS)
def test_files_are_in_the_native_format_of_the_library(name, tmp_path):
    X, mean = listeners(500)
    quick(name).fit(X, mean).save(tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    assert content.startswith(b"tree\n" if name == "LightGBM" else b"{L")
    assert BASE_MODELS[name].suffix == (".txt" if name == "LightGBM" else ".ubj")


def test_the_registry_names_every_class_as_it_is_called():
    assert {name: model.__name__ for name, model in BASE_MODELS.items()} == {
        name: name for name in ("XGBoost", "LightGBM", "RandomForest")
    }


@pytest.mark.parametrize("name", MODELS)
def test_the_version_of_every_library_is_known_whatever_its_distribution_is_called(name):
    library = BASE_MODELS[name].library
    (distribution,) = set(importlib.metadata.packages_distributions()[library])
    assert library_version(library) == importlib.metadata.version(distribution)


def test_no_other_module_is_imported_for_its_version():
    with pytest.raises(InputError, match="'antigravity' is no library of a model"):
        library_version("antigravity")
