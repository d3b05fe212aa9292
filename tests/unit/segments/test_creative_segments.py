"""What a user of the estimators meets: what is learned, how people are assigned, what is refused and warned of."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from causal_tasks.errors import InputError
from causal_tasks.segments import CreativeSegments, SeparateCreatives
from causal_tasks.segments.balance import UnbalancedExposureWarning
from causal_tasks.segments.creative_segments import CollapsedPenaltyWarning

SEGMENT = {"film": "dreamers", "song": "dreamers", "coupon": "savers", "sale": "savers", "letter": "others"}
NAMES = np.array(list(SEGMENT))


def experiment(rows=6_000, seed=0, p=6):
    """Dreamers answer to x0, savers to x1, sale to x2 besides; nobody's covariates matter for the letter."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((rows, p))
    shown = random.integers(0, len(NAMES), rows)
    beta = np.zeros((len(NAMES), p))
    beta[:2, 0], beta[2:4, 1], beta[3, 2] = 0.9, 0.9, 0.8
    eta = -0.5 + (X * beta[shown]).sum(axis=1)
    return X, (random.random(rows) < 1 / (1 + np.exp(-eta))).astype(int), NAMES[shown]


@pytest.fixture(scope="module")
def fitted():
    X, response, creative = experiment()
    return CreativeSegments(0.11, 0.2, relative=True).fit(X, response, creative=creative, segment=SEGMENT)


def test_what_is_shared_is_found_and_what_departs_is_told(fitted):
    summaries = {summary.segment: summary for summary in fitted.summary()}
    assert summaries["dreamers"].shared[0].term.column == "x0"
    assert summaries["dreamers"].agrees == ("film", "song")
    assert summaries["dreamers"].verdict == "together"
    assert summaries["savers"].shared[0].term.column == "x1"
    assert summaries["savers"].verdict == "partly"
    assert summaries["savers"].differs[0].terms[0].term.column == "x2"
    assert summaries["others"].verdict == "flat"
    assert np.array_equal(fitted.delta_[0], np.zeros(6))


def test_gap_is_certified_and_the_path_ends_at_the_penalty_asked_for(fitted):
    assert 0 <= fitted.duality_gap_ <= 1e-8 * fitted.objective_
    assert fitted.path_["lam"].iloc[0] == pytest.approx(fitted.lam_max_)
    assert fitted.path_["lam"].iloc[-1] == pytest.approx(fitted.lam_) == 0.11 * fitted.lam_max_
    assert fitted.path_["shared"].iloc[0] == 0 < fitted.path_["shared"].iloc[-1]


def test_people_are_assigned_by_what_creatives_share_never_by_one_creative(fitted):
    X = np.zeros((3, 6))
    X[0, 0], X[1, 1], X[2, 2] = 4, 4, 4
    assert fitted.predict(X)[:2].tolist() == ["dreamers", "savers"]
    standard = (X - fitted.centre_) / fitted.scale_
    assert np.allclose(fitted.segment_scores(X), standard @ fitted.gamma_.T)


def test_a_creative_that_departs_decides_nothing(fitted):
    model = copy.copy(fitted)
    model.gamma_, model.delta_ = fitted.gamma_ * 0, fitted.delta_ + 5
    model.beta_ = model.delta_
    assert set(model.predict(np.ones((3, 6)))) == {model.segments_[0]}


def test_intercepts_count_where_asked_and_are_a_segments_mean():
    X, response, creative = experiment()
    response = np.where(creative == "letter", 1 - (np.arange(len(X)) % 10 == 0), response)
    plain = CreativeSegments(lam=0.2, relative=True).fit(X, response, creative=creative, segment=SEGMENT)
    counted = clone(plain).set_params(count_intercepts=True).fit(X, response, creative=creative, segment=SEGMENT)
    means = [plain.intercept_[plain.segment_of_ == at].mean() for at in range(3)]
    assert np.allclose(counted.segment_scores(X[:9]), plain.segment_scores(X[:9]) + means)
    assert (counted.predict(X) == "others").mean() > 0.9
    assert (plain.predict(X) == "others").mean() < 0.5


def test_expected_responses_are_those_of_the_linear_predictors(fitted):
    X, _, _ = experiment(rows=20, seed=5)
    eta = fitted.intercept_ + ((X - fitted.centre_) / fitted.scale_) @ fitted.beta_.T
    assert np.allclose(fitted.predict_response(X), 1 / (1 + np.exp(-eta)))


def test_frames_with_categories_and_gaps_are_read_and_other_people_get_the_same_columns():
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"plan": random.choice(["free", "paid"], 4_000), "age": random.normal(40, 10, 4_000)})
    frame.loc[random.random(4_000) < 0.2, "age"] = np.nan
    creative = random.choice(NAMES, 4_000)
    wanted = np.where(frame["plan"] == "paid", 0.8, 0.2)
    response = random.random(4_000) < np.where(np.isin(creative, ["film", "song"]), wanted, 0.5)
    model = CreativeSegments(lam=0.3, relative=True).fit(
        frame, response.astype(float), creative=creative, segment=SEGMENT
    )
    best = model.summary()[0].shared[0]
    assert (best.term.column, best.coefficient > 0) == ("plan", best.term.level == "paid")
    assert model.predict(frame.iloc[::-1])[::-1].tolist() == model.predict(frame).tolist()


def test_segment_can_be_given_for_every_row():
    X, response, creative = experiment(rows=2_000)
    by_row = np.array([SEGMENT[name] for name in creative])
    model = CreativeSegments(lam=0.3, relative=True).fit(X, response, creative=creative, segment=by_row)
    other = CreativeSegments(lam=0.3, relative=True).fit(X, response, creative=creative, segment=SEGMENT)
    assert set(model.creatives_) == set(other.creatives_)
    assert model.objective_ == pytest.approx(other.objective_, rel=1e-7)


def test_one_model_per_creative_is_a_lasso_and_picks_creatives():
    X, response, creative = experiment()
    model = SeparateCreatives(lam=0.2, relative=True).fit(X, response, creative=creative, segment=SEGMENT)
    assert set(model.predict(X)) <= set(NAMES)
    assert model.lams_.shape == (5,)
    assert (model.beta_[list(model.creatives_).index("film")] != 0).tolist() == [True] + [False] * 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segment": {**SEGMENT, "poster": "dreamers"}}, "'poster' of segment 'dreamers' was shown to nobody"),
        ({"segment": {name: its for name, its in SEGMENT.items() if name != "sale"}}, "'sale' was shown to"),
        ({"creative": "unseen"}, "creative 'unseen' was shown to 1 people and is in no segment"),
        ({"creative": None}, "creative is missing in 1 rows, such as row 0"),
        ({"response": 2}, "response 2 in 1 rows, such as row 0, is not 0 or 1"),
        ({"response": np.nan}, "1 values that are not finite"),
        ({"constant": "song"}, "response to creative 'song' is 1 for all of"),
        ({"rows": -1}, "has 600 rows, the response 599"),
        ({"by_row": True}, "creative 'film' is in segments ['dreamers', 'savers']"),
        ({"lam": -1.0}, "lam is -1.0"),
        ({"lam": np.inf}, "lam is inf"),
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"family": "gamma"}, "family 'gamma' is unknown"),
        ({"dtype": "float16"}, "dtype 'float16' is unknown"),
        ({"max_iter": 0}, "max_iter is 0"),
    ],
)
def test_bad_input_is_named(change, message):
    X, response, creative = experiment(rows=600)
    response, creative, segment = response.astype(float), creative.astype(object), dict(SEGMENT)
    parameters = {name: change[name] for name in ("lam", "alpha", "family", "dtype", "max_iter") if name in change}
    if "creative" in change:
        creative[0] = change["creative"]
    if "response" in change:
        response[0] = change["response"]
    if "constant" in change:
        response[creative == change["constant"]] = 1
    if "rows" in change:
        response = response[:-1]
    if "by_row" in change:
        segment = np.array([SEGMENT[name] for name in creative], dtype=object)
        segment[np.flatnonzero(creative == "film")[0]] = "savers"
    with pytest.raises(InputError) as caught:
        CreativeSegments(**parameters).fit(X, response, creative=creative, segment=change.get("segment", segment))
    assert message in str(caught.value)
    assert caught.value.remedy


def test_counts_and_numbers_are_refused_where_they_are_none():
    X, _, creative = experiment(rows=600)
    with pytest.raises(InputError, match=r"response 0\.5 .* is not a count"):
        CreativeSegments(family="poisson").fit(X, np.full(600, 0.5), creative=creative, segment=SEGMENT)


def test_exposure_that_depends_on_people_is_warned_of():
    X, response, creative = experiment()
    creative = np.where(X[:, 3] > 1, "film", creative)
    with pytest.warns(UnbalancedExposureWarning, match="'film' differ from the others"):
        model = CreativeSegments(lam=0.3, relative=True).fit(X, response, creative=creative, segment=SEGMENT)
    assert model.balance_.flagged
    assert "unbalanced_exposure" in model.notes_


def test_alpha_of_one_half_is_solved_and_warned_of():
    X, response, creative = experiment(rows=1_500)
    with pytest.warns(CollapsedPenaltyWarning, match="gamma is always 0"):
        model = CreativeSegments(0.2, 0.5, relative=True).fit(X, response, creative=creative, segment=SEGMENT)
    assert not model.gamma_.any()
    assert model.delta_.any()
    assert "nothing_shared" in model.notes_


def test_balanced_exposure_is_not_warned_of():
    X, response, creative = experiment()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = CreativeSegments(lam=0.3, relative=True).fit(X, response, creative=creative, segment=SEGMENT)
    assert not model.balance_.flagged
    assert model.notes_ == ()


def test_too_few_passes_are_warned_of_and_told():
    X, response, creative = experiment(rows=1_500)
    with pytest.warns(UserWarning, match="the duality gap is .* after 2 passes"):
        model = CreativeSegments(0.01, relative=True, max_iter=2, n_lams=1).fit(
            X, response, creative=creative, segment=SEGMENT
        )
    assert not model.converged_
    assert model.duality_gap_ > 1e-8 * model.objective_


@pytest.mark.parametrize("steps", [1, 5])
def test_no_penalty_is_one_too_and_every_model_finds_the_same_then(steps):
    X, response, creative = experiment(rows=1_500)
    models = [CreativeSegments(0.0, alpha, n_lams=steps) for alpha in (0.0, 0.1)]
    models.append(SeparateCreatives(0.0, n_lams=steps))
    found = [model.fit(X, response, creative=creative, segment=SEGMENT) for model in models]
    assert all(model.converged_ for model in found)
    assert [len(model.path_) for model in found[:2]] == [steps] * 2
    for model in found[1:]:
        assert model.objective_ == pytest.approx(found[0].objective_, rel=1e-7)
        assert np.allclose(model.beta_, found[0].beta_, atol=1e-2)
