import json
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from causal_tasks.errors import InputError
from causal_tasks.segments.creative_segments import CreativeSegments
from causal_tasks.segments.creative_segments_cv import CreativeSegmentsCV
from causal_tasks.segments.response_models import CreativeResponses
from causal_tasks.segments.saved_segments import MODELS, load
from causal_tasks.segments.separate import SeparateCreatives, SeparateCreativesCV
from tests.unit.segments.test_mapped_exposures import SEGMENT, shown_people

ESTIMATORS = [
    CreativeSegments(lam=np.float64(0.2), relative=True, tol=1e-4, count_intercepts=True),
    CreativeSegmentsCV(alphas=(0.1, 0.2), n_lams=4, folds=2, tol=1e-4),
    SeparateCreatives(lam=0.2, relative=True, tol=1e-4),
    SeparateCreativesCV(n_lams=4, folds=2, tol=1e-4),
]


@pytest.fixture(scope="module")
def people():
    covariates, shown = shown_people(600)
    country, age = covariates["country"] == "JP", covariates["age"].fillna(40) / 20
    rng = np.random.default_rng(1)
    liked = np.where(shown["creative"] == "cheap", country, age - 2)
    return covariates, {
        "response": (rng.random(600) < 1 / (1 + np.exp(-liked))).astype(float),
        "creative": shown["creative"],
        "segment": SEGMENT,
    }


@pytest.fixture(scope="module", params=ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def fitted(request, people):
    covariates, shown = people
    return clone(request.param).fit(covariates, **shown)


def test_every_model_can_be_saved():
    assert {type(estimator) for estimator in ESTIMATORS} == {*MODELS.values()}


def test_what_was_learned_comes_back_to_the_last_digit(fitted, people, tmp_path):
    fitted.save(tmp_path / "new" / "model")
    read = type(fitted).load(tmp_path / "new" / "model")
    assert read.get_params() == fitted.get_params()
    assert vars(read).keys() == vars(fitted).keys()
    for name, value in vars(fitted).items():
        found = getattr(read, name)
        assert type(found) is type(value) or isinstance(value, np.generic), name
        if isinstance(value, np.ndarray):
            assert found.dtype == value.dtype
            assert_array_equal(found, value)
        elif isinstance(value, pd.DataFrame):
            assert_frame_equal(found, value)
        else:
            assert found == value, name
    covariates, _ = people
    assert_array_equal(read.predict(covariates), fitted.predict(covariates))
    assert_array_equal(read.predict_response(covariates), fitted.predict_response(covariates))
    assert fitted.beta_.any()


def test_any_model_can_be_asked_for_but_no_other_than_the_saved_one_is_given(fitted, tmp_path):
    fitted.save(tmp_path)
    assert type(load(tmp_path, CreativeResponses)) is type(fitted)
    other = SeparateCreatives if isinstance(fitted, CreativeSegments) else CreativeSegments
    with pytest.raises(
        InputError, match=f"holds a {type(fitted).__name__}; load one of {other.__name__}, {other.__name__}CV"
    ):
        other.load(tmp_path)


def test_a_gap_without_bound_comes_back(people, tmp_path):
    covariates, shown = people
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = CreativeSegments(lam=0.2, relative=True, max_iter=1).fit(covariates, **shown)
    fitted.duality_gap_ = np.inf
    fitted.save(tmp_path)
    read = CreativeSegments.load(tmp_path)
    assert read.duality_gap_ == np.inf
    assert read.converged_ is False
    assert read.notes_ == fitted.notes_


def test_a_model_of_sparse_covariates_reads_sparse_ones_again(people, tmp_path):
    X = sparse.random(600, 40, density=0.05, random_state=1, format="csr")
    fitted = CreativeSegments(lam=0.3, relative=True, tol=1e-3).fit(X, **people[1])
    fitted.save(tmp_path)
    assert_array_equal(CreativeSegments.load(tmp_path).segment_scores(X), fitted.segment_scores(X))


def test_a_model_that_was_not_fitted_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        CreativeSegments().save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_an_attribute_without_a_form_is_not_lost_in_silence(fitted, tmp_path):
    fitted.other_ = object()
    try:
        with pytest.raises(TypeError, match="other_ is a object"):
            fitted.save(tmp_path)
    finally:
        del fitted.other_


@pytest.mark.parametrize("file", ["model.safetensors", "model.json"])
def test_a_changed_folder_is_refused(fitted, tmp_path, file):
    fitted.save(tmp_path)
    path = tmp_path / file
    if file == "model.json":
        described = json.loads(path.read_text())
        described["learner"] = "os.system"
        path.write_text(json.dumps(described))
    else:
        path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    with pytest.raises(InputError, match="holds a os.system" if file == "model.json" else "has changed since"):
        load(tmp_path, CreativeResponses)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no model\.json"):
        load(tmp_path, CreativeResponses)
