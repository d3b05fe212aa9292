import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import SquareTable

from causal_tasks.errors import InputError
from causal_tasks.validity.arms import Arms, goodness_of_fit, homogeneity, symmetry


@pytest.mark.parametrize(
    ("observed", "shares"), [([500, 480], [0.5, 0.5]), ([100, 300, 250], [0.2, 0.4, 0.4]), ([9000, 1210], [0.9, 0.1])]
)
def test_goodness_of_fit_is_pearsons_test(observed, shares):
    expected = stats.chisquare(observed, np.array(shares) * sum(observed)).pvalue
    assert goodness_of_fit(observed, shares) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("dropped", "kept"), [([30, 55], [970, 945]), ([5, 7, 20], [100, 110, 90])])
def test_homogeneity_is_pearsons_test_of_the_table_of_dropped_and_kept(dropped, kept):
    expected = stats.chi2_contingency([dropped, kept], correction=False).pvalue
    assert homogeneity(dropped, np.add(dropped, kept)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("dropped", "reached"), [([0, 0], [10, 10]), ([10, 9], [10, 9]), ([3, 0], [9, 0])])
def test_dropping_none_or_all_or_in_a_single_arm_gives_no_evidence(dropped, reached):
    assert homogeneity(dropped, reached) == 1.0


def test_symmetry_of_two_arms_is_mcnemars_statistic_by_hand():
    # (30 - 10)^2 / (30 + 10) = 10 with one degree of freedom
    assert symmetry({"a": {"b": 30}, "b": {"a": 10}}) == pytest.approx(stats.chi2.sf(10, 1), rel=1e-10)


def test_symmetry_of_three_arms_is_bowkers_test():
    table = np.array([[0, 20, 35], [28, 0, 12], [15, 19, 0]])
    transitions = {a: {b: int(table[i, j]) for j, b in enumerate("xyz") if i != j} for i, a in enumerate("xyz")}
    assert symmetry(transitions) == pytest.approx(SquareTable(table, shift_zeros=False).symmetry().pvalue, rel=1e-10)


def test_without_a_transition_nothing_speaks_against_symmetry():
    assert symmetry({}) == 1.0
    assert symmetry({"a": {"b": 0}}) == 1.0


def frame(arms, clusters=None):
    return pd.DataFrame({"arm": pd.Categorical(arms)} | ({} if clusters is None else {"cluster": clusters}))


def test_the_difference_between_arms_is_welchs_statistic_against_the_normal():
    rng = np.random.default_rng(0)
    labels = rng.choice(["control", "a", "b"], 900)
    values = rng.normal(size=900) * np.where(labels == "a", 3, 1) + 0.2 * (labels == "b")
    holes = np.where(rng.random(900) < 0.1, np.nan, values)
    found = Arms.of(frame(labels), ("control", "a", "b")).difference_p_values(holes)
    known = ~np.isnan(holes)
    for arm in ("a", "b"):
        control, treated = holes[known & (labels == "control")], holes[known & (labels == arm)]
        welch = stats.ttest_ind(treated, control, equal_var=False).statistic
        assert found[arm] == pytest.approx(2 * stats.norm.sf(abs(welch)), rel=1e-9)


def test_rows_that_repeat_within_a_cluster_add_no_evidence():
    rng = np.random.default_rng(1)
    labels = np.array(["control", "a"] * 200)
    values = rng.normal(size=400) + 0.2 * (labels == "a")
    once = Arms.of(frame(labels), ("control", "a")).difference_p_values(values)
    ids = [f"c{i}" for i in range(400)] * 5
    five = Arms.of(frame(np.tile(labels, 5), ids), ("control", "a"))
    assert five.difference_p_values(np.tile(values, 5)) == pytest.approx(once, rel=1e-9)
    assert five.units == {"control": 1000, "a": 1000}
    assert five.independent_units == {"control": 200, "a": 200}


def test_an_arm_without_two_values_gives_no_evidence_and_constants_give_all():
    arms = Arms.of(frame(["control", "control", "a", "a"]), ("control", "a"))
    assert arms.difference_p_values(np.array([1.0, 2.0, 9.0, np.nan])) == {"a": 1.0}
    assert arms.difference_p_values(np.array([1.0, 1.0, 1.0, 1.0])) == {"a": 1.0}
    assert arms.difference_p_values(np.array([1.0, 1.0, 2.0, 2.0])) == {"a": 0.0}


def test_a_unit_without_a_cluster_is_refused_with_the_count():
    with pytest.raises(InputError, match="1 of 3 analysed units have no cluster"):
        Arms.of(frame(["control", "a", "a"], ["x", None, "y"]), ("control", "a"))
