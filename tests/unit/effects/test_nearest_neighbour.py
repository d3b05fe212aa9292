import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.effects.nearest_neighbour import nearest_pairs


def by_search(score, treated, caliper):
    """The definition: from the highest treated score down, the nearest control that is still free; n squared."""
    free = set(np.flatnonzero(~treated))
    distances = {}
    for unit in sorted(np.flatnonzero(treated), key=lambda unit: -score[unit]):
        nearest = min(free, key=lambda control: abs(score[control] - score[unit]), default=None)
        if nearest is not None and abs(score[nearest] - score[unit]) <= caliper:
            free.remove(nearest)
            distances[int(unit)] = abs(score[nearest] - score[unit])
    return distances


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.integers(2, 80), st.floats(0.05, 0.95), st.sampled_from([0.01, 0.1, 0.5, np.inf]))
def test_pairs_are_those_of_a_search_through_all_free_controls(seed, n, share, caliper):
    random = np.random.default_rng(seed)
    score, treated = random.normal(size=n), random.random(n) < share
    units, controls = nearest_pairs(score, treated, caliper=caliper)
    found = dict(zip(units.tolist(), np.abs(score[units] - score[controls]).tolist(), strict=True))
    assert found == pytest.approx(by_search(score, treated, caliper))


def test_no_unit_is_in_two_pairs_and_none_is_beyond_the_caliper():
    random = np.random.default_rng(1)
    score, treated = np.round(random.normal(size=20_000), 2), random.random(20_000) < 0.4
    units, controls = nearest_pairs(score, treated, caliper=0.05)
    assert treated[units].all()
    assert not treated[controls].any()
    assert len(set(units.tolist())) == len(set(controls.tolist())) == len(units)
    assert np.abs(score[units] - score[controls]).max() <= 0.05 + 1e-12


def test_the_order_of_rows_says_nothing():
    random = np.random.default_rng(2)
    score, treated, order = random.normal(size=500), random.random(500) < 0.3, random.permutation(500)
    units, controls = nearest_pairs(score, treated, caliper=0.2)
    moved_units, moved_controls = nearest_pairs(score[order], treated[order], caliper=0.2)
    assert set(zip(units, controls, strict=True)) == set(zip(order[moved_units], order[moved_controls], strict=True))


def test_equal_scores_are_drawn_by_the_seed_not_by_the_row():
    """Of 1,000 controls with one score the 100 that are taken must not be the first."""
    treated = np.arange(1100) < 100
    taken = [set(nearest_pairs(np.zeros(1100), treated, caliper=0, seed=seed)[1].tolist()) for seed in (0, 0, 1)]
    assert taken[0] == taken[1] != taken[2]
    assert 400 < np.mean(list(taken[0])) - 100 < 600


@pytest.mark.parametrize("treated", [np.zeros(5, dtype=bool), np.ones(5, dtype=bool)])
def test_one_arm_makes_no_pairs(treated):
    units, controls = nearest_pairs(np.arange(5.0), treated, caliper=9)
    assert len(units) == len(controls) == 0
