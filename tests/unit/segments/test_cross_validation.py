"""Penalties are chosen by people who were left out, and nothing is found where there is nothing."""

import numpy as np
import pytest
from sklearn.base import clone

from causal_tasks.data.creative_problems import creative_problem
from causal_tasks.errors import InputError
from causal_tasks.segments import CreativeSegmentsCV, cross_validation
from causal_tasks.segments.cross_validation import PathGrid, _standard_error, cross_validate, dealt_folds
from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.fitted_paths import Search
from causal_tasks.segments.path import PenaltyForm
from causal_tasks.segments.separate import SeparateCreativesCV
from tests.unit.segments.test_creative_segments import SEGMENT, experiment


@pytest.fixture(scope="module")
def chosen():
    X, response, creative = experiment()
    return CreativeSegmentsCV((0.1, 0.2), n_lams=20).fit(X, response, creative=creative, segment=SEGMENT)


def test_the_structure_is_found_without_being_told_a_penalty(chosen):
    found = {summary.segment: summary for summary in chosen.summary()}
    assert found["dreamers"].verdict == "together"
    assert found["dreamers"].shared[0].term.column == "x0"
    assert found["dreamers"].shared_terms <= 2
    assert found["savers"].differs[0].terms[0].term.column == "x2"
    assert found["others"].verdict == "flat"


def test_results_are_told_for_every_penalty_and_the_choice_is_among_them(chosen):
    results = chosen.cv_results_
    best, row = results.iloc[chosen.best_row_], results.iloc[chosen.chosen_row_]
    assert results["log_likelihood"].max() == best["log_likelihood"]
    assert (best["difference"], best["difference_se"]) == (0, 0)
    assert (row["alpha"], row["lam"]) == (chosen.alpha_, chosen.lam_)
    assert row["alpha"] == best["alpha"]
    assert row["lam"] >= best["lam"]
    assert row["log_likelihood"] >= best["log_likelihood"] - best["standard_error"]
    assert row["lam_share"] == pytest.approx(chosen.lam_ / chosen.lam_max_)


def test_held_out_likelihood_is_that_of_a_model_fitted_without_the_fold():
    X, response, creative = experiment(rows=1_500)
    folds = np.arange(len(X)) % 3
    whole = Exposures.checked(X, response, creative=creative, segment=SEGMENT, dtype=np.float64, fold=folds)
    groups = [whole.creatives.of_segment(at) for at in range(3)]
    found = cross_validate(whole, groups, PathGrid((PenaltyForm(0.1),), 4, 0.1), Search(1e-10))
    lam, expected = found.results["lam"].iloc[2], []
    for fold in range(3):
        out = folds == fold
        fitted = [next(iter(_path(whole, group, fold).solve([lam * (~out).sum() / len(X)]))).point for group in groups]
        loss = 0.0
        for group, point in zip(groups, fitted, strict=True):
            for position, at in enumerate(group):
                own = out & (creative == whole.creatives.names[at])
                standard = (X[own] - whole.centre) / whole.scale
                eta = point.intercept[position] + standard @ point.beta[position]
                loss += float((np.logaddexp(0, eta) - response[own] * eta).sum())
        expected.append(-loss)
    assert found.results["log_likelihood"].iloc[2] == pytest.approx(sum(expected) / len(X), rel=1e-4)


def _path(exposures, group, fold):
    from causal_tasks.segments.path import SegmentPath

    rows = exposures.rows(group, fold=fold)
    return SegmentPath(rows, PenaltyForm(0.1), tol=1e-10, max_passes=10_000)


def test_nothing_is_found_where_covariates_tell_nothing():
    found = []
    for seed in range(4):
        random = np.random.default_rng(seed)
        X, _, creative = experiment(rows=2_000, seed=seed)
        response = (random.random(len(X)) < 0.3).astype(float)
        model = CreativeSegmentsCV((0.1,), n_lams=8).fit(X, response, creative=creative, segment=SEGMENT)
        found.append(model.gamma_.any() or model.delta_.any())
    assert sum(found) <= 1


def test_the_same_seed_gives_the_same_folds_and_each_fold_the_same_mix():
    _, response, creative = experiment(rows=2_000)
    names = creative.astype(object)
    one, same, other = (dealt_folds(names, response.astype(float), 5, seed) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    for name in SEGMENT:
        for value in (0, 1):
            in_folds = np.bincount(one[(creative == name) & (response == value)], minlength=5)
            assert in_folds.max() - in_folds.min() <= 1


def test_penalties_are_chosen_for_every_creative_by_itself_where_each_has_its_model():
    X, response, creative = experiment(rows=2_000)
    model = SeparateCreativesCV(n_lams=8).fit(X, response, creative=creative, segment=SEGMENT)
    assert set(model.cv_results_["creative"]) == set(SEGMENT)
    assert len(set(model.lams_)) == 5
    assert not model.beta_[list(model.creatives_).index("letter")].any()


@pytest.mark.parametrize("model", [CreativeSegmentsCV((0.1,), n_lams=5), SeparateCreativesCV(n_lams=5)])
def test_a_fold_in_which_nobody_was_shown_a_segment_counts_for_the_others(model):
    X, response, creative = experiment(rows=1_200)
    fold = np.arange(len(X)) % 3
    fold[(creative == "letter") & (fold == 2)] = 0
    model.fit(X, response, creative=creative, segment=SEGMENT, fold=fold)
    assert np.isfinite(model.cv_results_["log_likelihood"]).all()
    fold[creative == "letter"] = 1
    with pytest.raises(InputError, match="letter"):
        CreativeSegmentsCV().fit(X, response, creative=creative, segment=SEGMENT, fold=fold)


def test_a_fold_that_is_best_early_does_not_end_the_comparison_for_all(monkeypatch):
    shared = creative_problem(1_500, 20, 2, 2, shared=4, strength=0.5, base_rate=0.1, seed=10)
    given = {"creative": np.array(shared.creatives)[shared.creative], "segment": shared.segment}
    model = CreativeSegmentsCV((0.1,), n_lams=40, rule="best", tol=1e-6)
    patient = clone(model).fit(shared.X, shared.response, **given).cv_results_
    monkeypatch.setattr(cross_validation, "PATIENCE", 3)
    hasty = model.fit(shared.X, shared.response, **given)
    assert hasty.best_row_ + 3 < len(hasty.cv_results_) < len(patient)
    alike = patient.iloc[: len(hasty.cv_results_)]
    np.testing.assert_allclose(hasty.cv_results_["log_likelihood"], alike["log_likelihood"], rtol=1e-5)


def test_folds_of_many_different_responses_are_left_to_chance():
    response, names = np.random.default_rng(0).normal(size=1_000), np.full(1_000, "a", dtype=object)
    one, other = (dealt_folds(names, response, 5, seed) for seed in (0, 1))
    assert 0.1 < (one == other).mean() < 0.3
    upper = np.bincount(one[response > np.median(response)], minlength=5)
    assert upper.max() - upper.min() <= 1


def test_standard_errors_count_a_fold_as_its_people_do():
    of_fold, equal = np.array([[0.0, 1.0, 4.0, 5.0]]), np.full(4, 30.0)
    assert _standard_error(of_fold, equal) == pytest.approx(of_fold.std(ddof=1) / 2)
    # One person who responds against all expectation.
    of_fold = np.array([[1.0, 1.01, 0.99, 9.0]])
    assert _standard_error(of_fold, np.array([1_000.0, 1_000.0, 1_000.0, 1.0])) < 0.01


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alphas": ()}, "alphas are"),
        ({"alphas": (0.1, 0.1)}, "alphas are"),
        ({"alphas": (2.0,)}, "alpha is 2.0"),
        ({"lam_ratio": 1.0}, "lam_ratio is 1.0"),
        ({"rule": "two"}, "rule 'two' is unknown"),
        ({"folds": 1}, "folds is 1"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    X, response, creative = experiment(rows=300)
    with pytest.raises(InputError) as caught:
        CreativeSegmentsCV(**parameters).fit(X, response, creative=creative, segment=SEGMENT)
    assert message in str(caught.value)


def test_a_response_that_does_not_vary_outside_of_a_fold_is_named():
    X, response, creative = experiment(rows=900)
    response[creative == "film"] = 0
    response[np.flatnonzero(creative == "film")[:3]] = 1
    fold = np.arange(len(X)) % 3
    fold[np.flatnonzero(creative == "film")[:3]] = 2
    with pytest.raises(InputError, match="film outside of fold 2"):
        CreativeSegmentsCV().fit(X, response, creative=creative, segment=SEGMENT, fold=fold)


def test_the_smallest_penalty_of_separate_models_is_a_share_of_the_largest():
    X, response, creative = experiment(rows=300)
    with pytest.raises(InputError, match="lam_ratio is 2"):
        SeparateCreativesCV(lam_ratio=2.0).fit(X, response, creative=creative, segment=SEGMENT)
