import doctest
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from causal_tasks.effects.covariates import COMMON_SHARE, MAX_COLUMNS
from causal_tasks.errors import InputError
from causal_tasks.segments import covariates
from causal_tasks.segments.covariate_counts import CovariateCounts
from causal_tasks.segments.covariate_rows import BLOCK_ROWS, CovariateRows
from causal_tasks.segments.covariates import CovariateTerms, Term


def people(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Covariates of every kind."""
    rng = np.random.default_rng(seed)
    minutes = rng.lognormal(3, 1, rows)
    minutes[rng.random(rows) < 0.2] = np.nan
    country = rng.choice(["DE", "FR", "JP", None], rows, p=[0.5, 0.3, 0.1, 0.1])
    return pd.DataFrame(
        {
            "minutes": minutes,
            "country": country,
            "plays": rng.poisson(4, rows),
            "tier": pd.Categorical(rng.choice([1, 2, 3], rows)),
            "premium": rng.random(rows) < 0.3,
        }
    )


def test_every_kind_of_column_has_its_terms_beside_each_other():
    terms = CovariateTerms.fit(people())
    assert terms.terms == (
        Term("minutes", "number"),
        Term("minutes", "missing"),
        Term("country", "level", "DE"),
        Term("country", "level", "FR"),
        Term("country", "level", "JP"),
        Term("country", "missing"),
        Term("plays", "number"),
        *(Term("tier", "level", level) for level in terms.columns[3].levels),
        Term("premium", "number"),
    )
    assert {*terms.columns[3].levels} == {"1", "2", "3"}
    assert [str(term) for term in terms.terms[:3]] == ["minutes", "minutes missing", "country = DE"]


def test_the_matrix_holds_what_the_terms_say():
    frame = people()
    terms = CovariateTerms.fit(frame)
    matrix = dict(zip(map(str, terms.terms), terms.matrix(frame, np.float64).T, strict=True))
    minutes = frame["minutes"]
    reach = 5 * minutes.std(ddof=0)
    expected = minutes.clip(minutes.mean() - reach, minutes.mean() + reach).fillna(minutes.mean())
    assert (minutes > minutes.mean() + reach).any()
    assert_allclose(matrix["minutes"][minutes.notna()], expected[minutes.notna()], rtol=1e-13)
    assert_allclose(matrix["minutes"], expected, rtol=1e-7)
    assert_array_equal(matrix["minutes missing"], minutes.isna())
    assert_array_equal(matrix["country = FR"], frame["country"] == "FR")
    assert_array_equal(matrix["country missing"], frame["country"].isna())
    assert_array_equal(matrix["tier = 2"], frame["tier"] == 2)
    assert_array_equal(matrix["premium"], frame["premium"])
    assert terms.matrix(frame).dtype == np.float32
    assert terms.matrix(frame).flags.c_contiguous


def test_other_people_get_the_same_terms():
    terms = CovariateTerms.fit(people())
    others = pd.DataFrame(
        {
            "premium": [True, False],
            "tier": pd.Categorical([3.0, None], categories=[3.0, 9.0]),
            "plays": [2, 10_000],
            "country": ["BR", None],
            "minutes": [np.nan, -1e9],
        }
    )
    matrix = pd.DataFrame(terms.matrix(others, np.float64), columns=[*map(str, terms.terms)])
    plays, minutes = (next(column for column in terms.columns if column.name == name) for name in ("plays", "minutes"))
    # A level that is new is none of those that are known, and one that was an integer is still itself as a float.
    assert matrix.filter(like="country").to_numpy().tolist() == [[0, 0, 0, 0], [0, 0, 0, 1]]
    assert matrix["tier = 3"].tolist() == [1, 0]
    assert matrix.filter(like="tier").sum(axis=1).tolist() == [1, 0]
    assert matrix["plays"].tolist() == [2, plays.high]
    assert matrix["minutes"].tolist() == [minutes.mean, minutes.low]
    assert matrix["minutes missing"].tolist() == [1, 0]


def test_rare_levels_and_those_beyond_the_most_frequent_have_no_term():
    names = ["common"] * 700 + ["second"] * 295 + ["rare"] * 5
    kept = CovariateTerms.fit(pd.DataFrame({"x": names}), common_share=0.01).terms
    assert kept == (Term("x", "level", "common"), Term("x", "level", "second"))
    assert CovariateTerms.fit(pd.DataFrame({"x": names}), max_levels=1).terms == kept[:1]
    assert CovariateTerms.fit(pd.DataFrame({"x": names}), max_levels=1).features.levels == {
        "x": ("common", "rare", "second")
    }
    many = pd.DataFrame({"x": [f"level {number % 90}" for number in range(9_000)]})
    assert COMMON_SHARE < 1 / 90
    assert len(CovariateTerms.fit(many).terms) == MAX_COLUMNS


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", "a", "b"], [Term("x", "level", "b")]),
        (["a", "a", None], [Term("x", "missing")]),
        (["a", "b", None], [Term("x", "level", "a"), Term("x", "level", "b"), Term("x", "missing")]),
        (["a", "a", "a"], []),
        ([None, None, None], []),
    ],
)
def test_no_two_indicators_are_complements_and_none_is_constant(values, expected):
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object), "age": [1.0, 2.0, 3.0]})
    terms = CovariateTerms.fit(frame)
    assert terms.terms == (*expected, Term("age", "number"))
    # What tells nobody apart need not be passed.
    if not expected:
        assert_array_equal(terms.matrix(frame[["age"]]), [[1], [2], [3]])


def test_a_rare_value_is_not_extreme_and_a_wild_one_is_cut():
    plays = np.zeros(1_000)
    plays[:20] = np.tile([3.0, 5.0], 10)
    wild = plays.copy()
    wild[:40] = 4.0
    wild[0] = 1e6
    minutes = np.random.default_rng(1).normal(100, 10, 1_000)
    minutes[7] = 1e4
    X = np.column_stack([plays, wild, minutes])
    terms = CovariateTerms.fit(X)
    matrix = np.asarray(terms.matrix(X, np.float64).todense() if terms.sparse else terms.matrix(X, np.float64))
    assert_array_equal(matrix[:, 0], plays)
    others = wild[wild != 0]
    assert_allclose(matrix[0, 1], others.mean() + 5 * others.std())
    assert_array_equal(matrix[1:, 1], wild[1:])
    assert_allclose(matrix[7, 2], minutes.mean() + 5 * minutes.std())
    assert_array_equal(np.delete(matrix[:, 2], 7), np.delete(minutes, 7))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.02, 1), st.integers(1, 6))
def test_sparse_and_dense_covariates_have_the_same_terms_and_values(seed, density, columns):
    rng = np.random.default_rng(seed)
    X = sparse.random(60, columns, density=density, format="coo", random_state=rng, data_rvs=rng.standard_cauchy)
    from_sparse, from_dense = CovariateTerms.fit(X), CovariateTerms.fit(X.toarray())
    assert from_sparse.sparse
    assert from_sparse.terms == from_dense.terms
    matrix = from_sparse.matrix(X, np.float64)
    other = from_dense.matrix(X.toarray(), np.float64)
    assert sparse.isspmatrix_csr(matrix)
    assert_allclose(matrix.toarray(), other.toarray() if from_dense.sparse else other, rtol=1e-12, atol=1e-12)
    # Either takes the other's form of the same people.
    assert_array_equal(from_sparse.matrix(X.toarray(), np.float64).toarray(), matrix.toarray())


def test_many_levels_give_a_sparse_matrix_of_the_same_numbers():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"age": rng.normal(40, 9, 3_000), "city": rng.choice([f"c{number}" for number in range(40)], 3_000)}
    )
    frame.loc[::7, "age"] = np.nan
    frame.loc[::5, "city"] = None
    terms = CovariateTerms.fit(frame)
    assert terms.sparse
    assert not CovariateTerms.fit(frame[["age"]]).sparse
    dense = CovariateTerms(terms.columns, terms.names, terms.named, sparse=False)
    assert_array_equal(terms.matrix(frame).toarray(), dense.matrix(frame))
    assert terms.matrix(frame).nnz < 0.1 * len(frame) * len(terms.terms)


def test_some_people_in_any_order():
    frame = people(BLOCK_ROWS + 500)
    terms = CovariateTerms.fit(frame)
    chosen = np.random.default_rng(0).permutation(len(frame))[: BLOCK_ROWS + 7]
    whole = terms.matrix(frame)
    assert_array_equal(terms.matrix(frame, rows=chosen), whole[chosen])
    assert_array_equal(terms.matrix(terms.read(frame), rows=slice(30, 40)), whole[30:40])


def test_counting_in_parts_gives_the_terms_of_all():
    frame = people(3_000)
    counts = CovariateCounts(CovariateRows.of(frame[:100]))
    for begin, end in ((100, 101), (101, 1_500), (1_500, 3_000)):
        counts.add(CovariateRows.of(frame[begin:end]))
    whole, parts = CovariateTerms.fit(frame), CovariateTerms.of_counts(counts)
    assert whole.terms == parts.terms
    assert_allclose(whole.matrix(frame, np.float64), parts.matrix(frame, np.float64), rtol=1e-13)


def test_the_example_in_the_docstring_gives_what_it_shows():
    outcome = doctest.testmod(covariates)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_terms_survive_json():
    terms = CovariateTerms.fit(people())
    assert CovariateTerms.from_json(json.loads(json.dumps(terms.to_json()))) == terms


def test_names_of_an_array_are_given_or_made():
    X = np.arange(12.0).reshape(6, 2)
    assert [*map(str, CovariateTerms.fit(X).terms)] == ["x0", "x1"]
    named = CovariateTerms.fit(sparse.csr_array(X), names=["age", "plays"])
    assert [*map(str, named.terms)] == ["age", "plays"]
    assert_array_equal(named.matrix(X).toarray(), X)


def without(column: str) -> pd.DataFrame:
    return people().drop(columns=column)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (without("plays"), r"lack the columns \['plays'\]"),
        (people().assign(playz=1), r"\['playz'\].*did you mean 'plays'"),
        (people().assign(plays="many"), "'plays' is a category, it was a number in fit"),
        (people().assign(country=1.0), "'country' is a number, it was a category in fit"),
        (people().assign(plays=np.inf), "'plays' has 400 infinite values"),
        (people().assign(plays=1e39), "'plays' has values that are infinite or too large for 32 bits"),
        (np.ones((3, 5)), "lack the columns"),
    ],
)
def test_people_of_another_kind_are_refused(X, message):
    with pytest.raises(InputError, match=message):
        CovariateTerms.fit(people()).matrix(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (sparse.csr_matrix([[0.0, np.nan]]), "'x1' has the value nan in a sparse matrix"),
        (sparse.csr_matrix([[np.inf, 1.0]]), "'x0' has the value inf"),
        (np.array([[1.0, -np.inf]]), "'x1' has values that are infinite"),
        (np.ones((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.array([["a"]]), "type <U1"),
        (np.ones((0, 3)), "0 rows and 3 columns"),
        (np.ones((3, 0)), "3 rows and 0 columns"),
        (pd.DataFrame({"when": pd.to_datetime(["2026-01-01"])}), "'when' is of type datetime64"),
        (pd.DataFrame({"x": ["a", "a"]}), "none of the 1 covariates"),
    ],
)
def test_what_cannot_be_covariates_is_refused(X, message):
    with pytest.raises(InputError, match=message):
        CovariateTerms.fit(X)


def test_names_must_fit_the_columns():
    with pytest.raises(InputError, match="3 names, 2 of them different, for 2 columns"):
        CovariateTerms.fit(np.ones((4, 2)), names=["a", "b", "a"])
    with pytest.raises(InputError, match="3 columns, there were 2 in fit"):
        CovariateTerms.fit(np.ones((4, 2))).matrix(np.ones((4, 3)))


def test_a_column_must_be_of_one_kind_in_all_parts():
    counts = CovariateCounts(CovariateRows.of(pd.DataFrame({"x": [1.0, 2.0]})))
    with pytest.raises(InputError, match="'x' is a category in some rows and a number in others"):
        counts.add(CovariateRows.of(pd.DataFrame({"x": ["a", "b"]})))
