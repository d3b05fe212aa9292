"""Balance of exposure: Bennett's bound written out and against exact tails, false alarms, and what must be found."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import hypergeom

from causal_tasks.segments import balance
from causal_tasks.segments.balance import ColumnMoments, exposure_balance
from causal_tasks.segments.covariate_columns import Term


def rows_by_creative(matrix, shown):
    return [matrix[shown == creative] for creative in range(shown.max() + 1)]


def balance_of(rows, **options):
    terms = [Term(f"x{j}", "number") for j in range(rows[0].shape[1])]
    return exposure_balance(ColumnMoments.of(rows), creatives="abcdef"[: len(rows)], terms=terms, **options)


def indicator(ones, shown, people, people_shown):
    """One 0/1 column: ``ones`` of ``people``, of whom ``shown`` among the ``people_shown`` the first creative."""
    column = np.zeros((people, 1))
    column[:shown] = 1
    column[people_shown : people_shown + ones - shown] = 1
    return [column[:people_shown], column[people_shown:]]


def test_the_p_value_is_the_bound_written_out():
    """8 of 10 ones among half of 40 people: an excess of 3 with variance 10 x 3/4 x 1/4, each adds at most 3/8."""
    found = balance_of(indicator(10, 8, 40, 20))
    u = 3 * (3 / 8) / (40 * (1 / 4) * (3 / 4) * (1 / 4))
    tail = math.exp(-(40 * (1 / 4) * (3 / 4) * (1 / 4)) / (3 / 8) ** 2 * ((1 + u) * math.log(1 + u) - u))
    assert found.p_value == pytest.approx(4 * tail)
    assert found.largest_difference == pytest.approx((8 / 20 - 2 / 20) / math.sqrt(3 / 16))


@given(st.integers(4, 400), st.data())
def test_the_bound_holds_for_an_indicator_however_rare_and_a_creative_however_small(people, data):
    """Against the exact probability of drawing so many or more where the number of people shown it is fixed."""
    ones = data.draw(st.integers(1, people - 1))
    people_shown = data.draw(st.integers(1, people - 1))
    shown = data.draw(st.integers(max(0, ones + people_shown - people), min(ones, people_shown)))
    bounded = balance_of(indicator(ones, shown, people, people_shown)).p_value
    drawn = hypergeom(people, ones, people_shown)
    exact = drawn.sf(shown - 1) if shown > ones * people_shown / people else drawn.cdf(shown)
    assert bounded >= min(1, 4 * exact) - 1e-12


@pytest.mark.parametrize("fixed", [False, True], ids=["each person drawn", "numbers fixed"])
def test_random_exposure_is_not_flagged_even_with_rare_levels_and_small_creatives(fixed):
    """A chi-squared test of these columns flags most of these experiments."""
    shares, people = np.array([0.005, 0.01, 0.1, 0.2, 0.3, 0.385]), 2_000
    flagged = []
    for seed in range(150):
        random = np.random.default_rng(seed)
        rare = random.random((people, 40)) < random.uniform(3, 20, size=40) / people
        heavy = random.lognormal(sigma=1.5, size=(people, 10))
        shown = random.choice(6, size=people, p=shares)
        if fixed:
            shown = random.permutation(np.repeat(np.arange(6), np.round(shares * people).astype(int)))
        flagged.append(balance_of(rows_by_creative(np.hstack([rare, heavy]), shown), level=0.05).flagged)
    assert np.mean(flagged) <= 0.05


def test_exposure_that_depends_on_a_covariate_is_flagged_and_the_covariate_and_creative_named():
    random = np.random.default_rng(1)
    matrix = random.normal(size=(6_000, 20))
    shown = random.integers(0, 4, size=6_000)
    older = (matrix[:, 7] > 0) & (shown == 1) & (random.random(6_000) < 0.5)
    shown[older] = 2
    found = balance_of(rows_by_creative(matrix, shown))
    first = found.largest[0]
    assert found.flagged
    assert found.p_value == first.p_value < 1e-6
    assert (str(first.term), first.creative) in {("x7", "b"), ("x7", "c")}
    assert {(str(i.term), i.creative): i.difference > 0 for i in found.largest[:2]} == {
        ("x7", "b"): False,
        ("x7", "c"): True,
    }


def test_a_difference_is_that_of_means_in_standard_deviations():
    random = np.random.default_rng(2)
    matrix, shown = random.normal(size=(3_000, 2)), random.integers(0, 3, size=3_000)
    matrix[shown == 2, 1] += 0.5
    first = balance_of(rows_by_creative(matrix, shown)).largest[0]
    expected = (matrix[shown == 2, 1].mean() - matrix[shown != 2, 1].mean()) / matrix[:, 1].std()
    assert first.difference == pytest.approx(expected)


@given(st.integers(0, 1_000), st.floats(0.01, 100), st.floats(-100, 100))
def test_neither_unit_nor_origin_of_a_covariate_nor_the_order_of_people_counts(seed, factor, shift):
    random = np.random.default_rng(seed)
    matrix, shown = random.lognormal(size=(60, 3)), np.arange(60) % 3
    order = random.permutation(60)
    plain = balance_of(rows_by_creative(matrix, shown))
    changed = balance_of(rows_by_creative((matrix * factor + shift)[order], shown[order]))
    assert changed.p_value == pytest.approx(plain.p_value, rel=1e-6)
    assert changed.largest_difference == pytest.approx(plain.largest_difference, rel=1e-6)


def test_sparse_rows_and_rows_read_in_blocks_say_the_same_as_rows_in_memory(monkeypatch):
    random = np.random.default_rng(3)
    matrix = np.where(random.random((500, 6)) < 0.1, random.normal(size=(500, 6)), 0).astype(np.float32)
    shown = np.arange(500) % 3
    rows = rows_by_creative(matrix, shown)
    whole = ColumnMoments.of(rows)
    assert whole.means[1] == pytest.approx(matrix[shown == 1].astype(float).mean(axis=0))
    assert whole.deviation == pytest.approx(matrix.astype(float).std(axis=0))
    monkeypatch.setattr(balance, "BLOCK_VALUES", 100)
    for other in (rows, [sparse.csr_matrix(part) for part in rows]):
        moments = dataclasses.asdict(ColumnMoments.of(other))
        for name, values in dataclasses.asdict(whole).items():
            assert moments[name] == pytest.approx(values, rel=1e-12), name


def test_constant_columns_and_a_creative_by_itself_have_nothing_to_compare():
    constant = np.full((1_000, 2), 1 / 3)  # rounding leaves a variance that is not zero
    for rows in ([constant, constant], [np.random.default_rng(4).normal(size=(50, 2))]):
        found = balance_of(rows)
        assert (found.p_value, found.flagged, found.largest) == (1.0, False, ())


def test_a_constant_column_beside_others_is_not_named():
    matrix = np.random.default_rng(5).normal(size=(40, 2))
    matrix[:, 0] = 3
    found = balance_of([matrix[:20], matrix[20:]])
    assert {str(imbalance.term) for imbalance in found.largest} == {"x1"}
