import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from causal_tasks.errors import InputError
from causal_tasks.segments.exposures import Exposures
from tests.unit.segments.test_mapped_exposures import SEGMENT, shown_people


def made(X, shown, **options) -> Exposures:
    return Exposures.checked(X, **shown, **({"segment": SEGMENT} | options))


def dense(exposures: Exposures) -> np.ndarray:
    """Standardised terms of everybody, creative by creative."""
    matrices = [its.matrix.toarray() if sparse.issparse(its.matrix) else its.matrix for its in exposures.people]
    return np.concatenate(matrices) - (0 if exposures.shift is None else exposures.shift)


def test_people_are_grouped_by_creative_and_fold_in_their_order():
    covariates, shown = shown_people()
    number = np.arange(len(covariates), dtype=float)
    exposures = made(pd.DataFrame({"number": number}), shown, standardize=False, dtype="float64")
    assert exposures.creatives.names == ("calm", "loud", "cheap")
    assert exposures.creatives.segments == ("mood", "price")
    assert_array_equal(exposures.creatives.segment_of, [0, 0, 1])
    for name, its in zip(exposures.creatives.names, exposures.people, strict=True):
        expected = pd.DataFrame(shown)[shown["creative"] == name].sort_values("fold", kind="stable")
        assert_array_equal(its.matrix[:, 0], number[expected.index])
        assert_array_equal(its.response, expected["response"])
        assert_array_equal(its.fold, expected["fold"])
    assert_array_equal(exposures.counts, [(shown["creative"] == name).sum() for name in exposures.creatives.names])


def test_terms_have_mean_zero_and_variance_one_among_everybody_and_missing_values_are_zero():
    covariates, shown = shown_people()
    exposures = made(covariates, shown, dtype="float64")
    terms = dense(exposures)
    # Centre and scale are rounded.
    assert_allclose(terms.mean(axis=0), 0, atol=1e-6)
    assert_allclose(terms.std(axis=0), 1, atol=1e-6)
    age, missing = ([*map(str, exposures.terms.terms)].index(name) for name in ("age", "age missing"))
    was_missing = terms[:, missing] > 0
    assert was_missing.sum() == covariates["age"].isna().sum()
    assert (terms[was_missing, age] == 0).all()


def test_a_sparse_matrix_is_what_the_dense_one_is():
    _, shown = shown_people()
    X = sparse.random(1_500, 30, density=0.1, format="csr", random_state=0)
    held = made(X, shown, dtype="float64")
    assert all(sparse.issparse(its.matrix) for its in held.people)
    assert_allclose(dense(held), dense(made(X.toarray(), shown, dtype="float64")), atol=1e-12)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("constant", [0.1, 3_000.7, -7e-9, 0.0])
def test_a_constant_column_is_zero_and_not_blown_up(form, constant):
    _, shown = shown_people()
    X = np.column_stack([np.full(1_500, constant), np.arange(1_500) % 7])
    exposures = made(form(X), shown)
    assert exposures.scale[0] == 1
    assert_allclose(dense(exposures)[:, 0], 0, atol=1e-6 * abs(constant))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_a_large_mean_does_not_drown_the_deviation(form):
    _, shown = shown_people()
    column = 2e6 + np.random.default_rng(0).normal(size=1_500)
    exposures = made(form(column[:, None]), shown)
    assert exposures.scale[0] == pytest.approx(column.std(), rel=1e-6)


def test_numbers_too_small_for_single_precision_are_scaled_like_others():
    _, shown = shown_people()
    column = np.random.default_rng(0).normal(size=(1_500, 1))
    assert_array_equal(dense(made(column * 2.0**-200, shown)), dense(made(column, shown)))


def test_the_order_of_people_and_their_folds_change_no_scale():
    covariates, shown = shown_people()
    order = np.random.default_rng(5).permutation(len(covariates))
    one = made(covariates, shown)
    other = made(covariates.iloc[order], {name: values[order] for name, values in shown.items()} | {"fold": None})
    assert_array_equal(one.centre, other.centre)
    assert_array_equal(one.scale, other.scale)


def test_the_segment_may_be_said_of_every_person():
    covariates, shown = shown_people()
    exposures = made(covariates, shown, segment=[SEGMENT[name] for name in shown["creative"]])
    assert dict(zip(exposures.creatives.names, exposures.creatives.segment_of, strict=True)) == {
        "calm": 0,
        "loud": 0,
        "cheap": 1,
    }


def first(values, *changed):
    """``values`` with the first ones changed."""
    return np.array([*changed, *values[len(changed) :]], dtype=object)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            lambda s: {"segment": {"calm": "mood", "loud": "mood"}},
            r"'cheap' was shown to \d+ people and is in no segment",
        ),
        (lambda s: {"segment": SEGMENT | {"quiet": "mood"}}, "'quiet' of segment 'mood' was shown to nobody"),
        (
            lambda s: {"segment": first([SEGMENT[name] for name in s["creative"]], "odd")},
            r"creative '(calm|loud|cheap)' is in segments \['(mood|price)', '(odd|price)'\]",
        ),
        (
            lambda s: {"creative": s["creative"] == "calm", "segment": {True: "a", False: "b", "True": "c"}},
            "in segments",
        ),
        (lambda s: {"segment": ["mood"] * 3}, "segment has 3 rows, creative 1500"),
        (lambda s: {"response": s["response"][:9]}, "creative has 1500 rows, the response 9"),
        (lambda s: {name: values[:900] for name, values in s.items()}, "response has 900 rows, X 1500"),
        (lambda s: {"response": first(s["response"], np.nan)}, "response has 1 values that are not finite"),
        (lambda s: {"response": first(s["response"], 2)}, "response 2 in 1 rows, such as row 0, is not 0 or 1"),
        (lambda s: {"response": s["creative"] == "calm"}, "response to creative 'calm' is 1 for all of"),
        (lambda s: {"creative": first(s["creative"], None)}, "creative is missing in 1 rows"),
        (lambda s: {"fold": s["fold"] + 0.5}, "fold has values that are no small whole numbers"),
        (lambda s: {"fold": s["fold"] + 200}, "fold has values that are no small whole numbers"),
        (lambda s: {"fold": s["creative"]}, "fold has values that are no small whole numbers"),
        (lambda s: {"family": "normal"}, "family 'normal' is unknown"),
    ],
)
def test_what_is_wrong_is_said(changed, message):
    covariates, shown = shown_people()
    with pytest.raises(InputError, match=message):
        Exposures.checked(covariates, **({**shown, "segment": SEGMENT} | changed(shown)))
