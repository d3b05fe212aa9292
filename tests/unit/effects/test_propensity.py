import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import cross_val_predict

from causal_tasks.base_models import LightGBM
from causal_tasks.effects import cross_fitted_propensity
from causal_tasks.effects.covariates import LinearTerms, read_covariates
from causal_tasks.effects.propensity import told_apart
from causal_tasks.errors import InputError
from tests.unit.effects.confounded import bent, linear


@pytest.mark.parametrize("design", [linear, bent])
def test_stacking_is_about_as_good_as_the_better_of_its_classifiers(design):
    sample = design(3000, seed=1)
    fold = np.arange(3000) % 5
    found = cross_fitted_propensity(sample.covariates, sample.treated, folds=fold)
    logistic = cross_val_predict(LogisticRegression(), sample.covariates, sample.treated, method="predict_proba", cv=5)[
        :, 1
    ]
    trees = np.empty(3000)
    for number in range(5):
        out = fold == number
        model = LightGBM(min_child_samples=50).fit(sample.covariates[~out], sample.treated[~out].astype(float))
        trees[out] = model.predict(sample.covariates[out])
    alone = [log_loss(sample.treated, p) for p in (logistic, trees)]
    stacked = log_loss(sample.treated, found.values)
    assert stacked < min(alone) + 0.003
    assert stacked < max(alone) - 0.004


def test_probabilities_are_calibrated():
    sample = bent(6000, seed=2)
    values = cross_fitted_propensity(sample.covariates, sample.treated).values
    decile = pd.qcut(values, 10, labels=False)
    predicted, observed = (pd.Series(v).groupby(decile).mean() for v in (values, sample.treated))
    assert np.abs(predicted - observed).max() < 0.06
    assert np.corrcoef(values, sample.propensity)[0, 1] > 0.85


def test_no_model_has_seen_the_fold_that_it_predicts():
    sample = linear(1000, seed=3)
    fold = np.arange(1000) % 4
    first = cross_fitted_propensity(sample.covariates, sample.treated, folds=fold)
    flipped = np.where(fold == 0, ~sample.treated, sample.treated)
    second = cross_fitted_propensity(sample.covariates, flipped, folds=fold)
    held_out = read_covariates(sample.covariates, rows=1000)[fold == 0]
    np.testing.assert_array_equal(first.models[0].log_odds(held_out), second.models[0].log_odds(held_out))
    assert not np.array_equal(first.models[1].log_odds(held_out), second.models[1].log_odds(held_out))


def test_users_outside_are_predicted_by_all_models_and_as_well():
    sample, others = linear(3000, seed=4), linear(3000, seed=5)
    found = cross_fitted_propensity(sample.covariates, sample.treated)
    predicted = found.predict(others.covariates)
    assert log_loss(others.treated, predicted) < log_loss(sample.treated, found.values) + 0.03
    assert np.abs(predicted - others.propensity).mean() < 0.03


def test_missing_values_and_levels_may_decide_about_the_treatment():
    random = np.random.default_rng(6)
    n = 3000
    missing, city = random.random(n) < 0.4, random.choice(["north", "south", "west"], n)
    treated = random.random(n) < np.where(missing, 0.7, 0.3) * np.where(city == "west", 0.5, 1.0)
    frame = pd.DataFrame({"age": np.where(missing, np.nan, random.normal(size=n)), "city": city})
    for covariates in (frame, frame.astype({"city": "category"})):
        values = cross_fitted_propensity(covariates, treated).values
        assert values[missing & (city == "north")].mean() == pytest.approx(0.7, abs=0.06)
        assert values[~missing & (city == "west")].mean() == pytest.approx(0.15, abs=0.06)


def test_a_level_that_nobody_had_before_counts_as_none():
    covariates = pd.DataFrame({"city": pd.Categorical(["a", "b"] * 100), "age": np.arange(200.0)})
    found = cross_fitted_propensity(covariates, np.arange(200) % 3 == 0)
    strange = pd.DataFrame({"city": pd.Categorical(["z"]), "age": [10.0]})
    assert 0 < found.predict(strange)[0] < 1


@pytest.mark.parametrize("rare", ["levels", "one fold"])
def test_covariates_that_make_no_linear_term_leave_the_trees_to_decide(rare):
    rng = np.random.default_rng(0)
    fold = np.arange(2000) % 5
    if rare == "levels":
        covariate = pd.Series(pd.Categorical(np.arange(2000) // 5 % 200))
    else:
        covariate = pd.Series(np.where(fold == 3, rng.normal(size=2000), 0.0))
    found = cross_fitted_propensity(pd.DataFrame({"city": covariate}), rng.random(2000) < 0.3, folds=fold)
    assert found.values.mean() == pytest.approx(0.3, abs=0.03)


def test_arms_that_can_be_told_apart_give_finite_values_and_a_flag():
    treated = np.arange(400) % 2 == 1
    found = cross_fitted_propensity(treated.astype(float), treated)
    assert found.notes == ("separated",)
    assert np.isfinite(found.values).all()
    assert found.values[treated].min() > 0.95
    assert found.values[~treated].max() < 0.05


def test_constant_covariates_are_left_out_and_counted():
    sample = linear(500, seed=7)
    more = sample.covariates.assign(same=1.0, empty=np.nan, level=pd.Categorical(["a"] * 500))
    found = cross_fitted_propensity(more, sample.treated)
    assert found.notes == ("constant_covariates: 3",)
    np.testing.assert_array_equal(found.values, cross_fitted_propensity(sample.covariates, sample.treated).values)


def test_a_covariate_that_is_there_twice_changes_nearly_nothing():
    sample = linear(1500, seed=8)
    twice = sample.covariates.assign(copy=sample.covariates["x0"], sum=sample.covariates.sum(axis=1))
    once = cross_fitted_propensity(sample.covariates, sample.treated).values
    assert np.abs(cross_fitted_propensity(twice, sample.treated).values - once).mean() < 0.02


def test_neither_threads_nor_a_second_run_change_a_digit():
    sample = linear(2000, seed=9)
    one, two = (cross_fitted_propensity(sample.covariates, sample.treated, n_jobs=jobs).values for jobs in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_a_cluster_stays_in_one_fold():
    """Units of a cluster are copies of each other: folds that cut through it would know the treatment by heart."""
    random = np.random.default_rng(10)
    cluster = np.repeat(np.arange(150), 10)
    noise = random.normal(size=(150, 3))[cluster]
    treated = (random.random(150) < 0.5)[cluster]
    whole = cross_fitted_propensity(noise, treated, clusters=cluster).values
    torn = cross_fitted_propensity(noise, treated).values
    assert roc_auc_score(treated, torn) > 0.75
    assert roc_auc_score(treated, whole) < 0.65


def test_pairs_told_apart_are_the_area_under_the_roc_curve():
    random = np.random.default_rng(11)
    score, treated = np.round(random.random(300), 1), random.random(300) < 0.3
    assert told_apart(score, treated) == pytest.approx(roc_auc_score(treated, score))


@pytest.mark.parametrize(
    ("covariates", "treated", "options", "message"),
    [
        (np.ones(100), np.arange(100) % 2, {}, "none of the 1 covariates varies"),
        (np.arange(100.0), np.zeros(100), {}, "every row is in the control arm"),
        (np.arange(100.0), np.arange(100) < 5, {}, r"without fold \d there are \d treated and"),
        (np.arange(100.0), np.arange(100) % 2, {"folds": 1}, "folds: there are 1"),
        (np.arange(100.0), np.arange(100) % 2, {"folds": np.arange(50)}, "folds has 50 rows"),
        (np.arange(90.0), np.arange(100) % 2, {}, "covariates have 90 rows, the treatment 100"),
        (np.where(np.arange(100) == 3, np.inf, 1.0), np.arange(100) % 2, {}, "'x0' has 1 infinite value"),
        (pd.DataFrame({"day": pd.date_range("2026-01-01", periods=100)}), np.arange(100) % 2, {}, "'day' is of type"),
        (pd.DataFrame(index=range(100)), np.arange(100) % 2, {}, "covariates have 0 columns"),
    ],
)
def test_what_cannot_be_modelled_is_refused_by_name(covariates, treated, options, message):
    with pytest.raises(InputError, match=message):
        cross_fitted_propensity(covariates, treated, **options)


def test_linear_terms_are_standardised_cut_and_never_missing():
    frame = pd.DataFrame(
        {
            "spend": [1.0, 2.0, 3.0, np.nan] * 50,
            "city": pd.Categorical(["a", "b", None, "a"] * 50),
            "flag": [True, False] * 100,
        }
    )
    frame.loc[0, "spend"] = 1e6
    known = read_covariates(frame, rows=200)
    matrix = LinearTerms(known).matrix(known)
    assert matrix.shape == (200, 6)
    assert np.isfinite(matrix).all()
    assert matrix[0, 0] == 5.0
    np.testing.assert_array_equal(matrix[:4, 2:], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0]])
