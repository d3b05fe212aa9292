"""The benchmark of accuracy: known truths are true, scores and their errors are the ones it names."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy import (
    CANDIDATES,
    SAME,
    Part,
    differences_table,
    error_of_draws,
    error_of_folds,
    errors,
    ranking,
    same_for_everybody,
    scores_table,
    solve,
)
from benchmarks.problems import DESIGNS, FOLDS, KnownTruth, Problem, Ranked, ihdp, starbucks, twins


def problem(new=2):
    arm, outcome = np.array([0, 0, 1, 1, 2, 2]), np.array([0.0, 2.0, 2.0, 4.0, 6.0, 6.0])
    return Problem(np.zeros((6, 1)), arm, outcome, None, np.zeros((new, 1)))


def pairs(count=50):
    random = np.random.default_rng(0)
    table = pd.DataFrame({"pair_id": range(count), "mother": random.normal(size=count)})
    return table.assign(
        weight_lighter_g=1000,
        weight_heavier_g=1100,
        y0_death_lighter=random.integers(0, 2, count),
        y1_death_heavier=random.integers(0, 2, count),
    )


@pytest.mark.parametrize("name", DESIGNS)
def test_arms_of_a_design_have_its_shares_and_its_outcomes_its_effects(name):
    drawn = DESIGNS[name].draw(40_000, seed=0)
    given = drawn.problem
    if given.shares is None:
        assert abs(same_for_everybody(given)[0] - drawn.effect.mean(axis=0)) > 0.3
        return
    np.testing.assert_allclose(np.bincount(given.arm) / len(given.arm), given.shares, atol=0.01)
    np.testing.assert_allclose(same_for_everybody(given)[0], drawn.effect.mean(axis=0), atol=0.06)


def test_a_draw_follows_from_its_seed():
    first, again, other = (DESIGNS["linear"].draw(100, seed=seed).problem.outcome for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_everybody_gets_the_difference_in_means():
    np.testing.assert_array_equal(same_for_everybody(problem()), [[2.0, 5.0], [2.0, 5.0]])


def test_errors_of_effects_by_hand():
    truth = KnownTruth(problem(), np.array([[1.0], [3.0]]))
    found = errors(truth, np.array([[2.0], [5.0]]))
    assert found["pehe"] == pytest.approx(np.sqrt((1 + 4) / 2))
    assert found["ate_error"] == pytest.approx(1.5)
    assert found["ate_error_by_spread"] == pytest.approx(1.5)


def test_means_of_two_treatments_cannot_make_up_for_each_other():
    truth = KnownTruth(problem(), np.zeros((2, 2)))
    assert errors(truth, np.array([[1.0, -1.0], [1.0, -1.0]]))["ate_error"] == 1.0


def test_the_error_over_folds_is_the_corrected_one():
    """Nadeau and Bengio (2003): for folds of a fifth, variance times (1/J + 1/4)."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert error_of_folds(values) == pytest.approx(np.sqrt(2.5 * (1 / 5 + 1 / 4)))
    assert error_of_draws(values) == pytest.approx(np.sqrt(2.5 / 5))


def test_both_twins_of_a_pair_are_scored_once_and_one_is_learned_from():
    table = pairs()
    found = list(twins(table, repeats=2))
    assert len(found) == 2 * FOLDS
    for one in found:
        assert len(one.problem.arm) + len(one.problem.new) == 50
        assert one.problem.features.shape[1] == 1
        assert len(one.outcome) == 2 * len(one.problem.new)
        np.testing.assert_array_equal(np.bincount(one.user), 2)
    survived = sum(one.outcome[one.arm == 1].sum() for one in found[:FOLDS])
    assert survived == 50 - table["y1_death_heavier"].sum()


def test_users_of_the_promotion_are_scored_once_by_what_they_did():
    sent = np.array(["Yes", "No"] * 50)
    table = pd.DataFrame({"ID": range(100), "Promotion": sent, "purchase": (sent == "Yes").astype(int)})
    found = list(starbucks(table.assign(V1=np.arange(100.0)), repeats=1))
    assert sorted(np.concatenate([one.problem.new[:, 0] for one in found])) == list(range(100))
    for one in found:
        np.testing.assert_array_equal(one.outcome, one.arm)


def test_units_of_ihdp_are_learned_from_or_predicted_with_their_own_truth():
    random = np.random.default_rng(0)
    table = pd.DataFrame({"realization": np.repeat([1, 2], 100), "treatment": np.tile([0, 0, 0, 1], 50)})
    table = table.assign(y_factual=0.0, y_cfactual=0.0, mu0=0.0, x1=random.normal(size=200), x2=1.0)
    found = list(ihdp(table.assign(mu1=table["x1"])))
    assert [len(one.problem.new) for one in found] == [20, 20]
    assert [int(one.problem.arm.sum()) for one in found] == [20, 20]
    np.testing.assert_array_equal(found[0].effect[:, 0], found[0].problem.new[:, 0])


def test_a_right_ranking_is_better_than_its_reverse_and_nobody_ranked_scores_half_the_effect():
    gains = np.repeat([1.0, 0.0], 100)
    users = np.tile(np.arange(200), 2)
    arm = np.repeat([0, 1], 200)
    ranked = Ranked(problem(200), users, arm, np.where(arm == 1, gains[users], 0.0))
    right, wrong, flat = (ranking(ranked, scores[:, None]) for scores in (gains, -gains, np.zeros(200)))
    assert right["uplift_at_30"] == pytest.approx(100)
    assert flat["auuc"] == pytest.approx(25)
    assert wrong["auuc"] < flat["auuc"] < right["auuc"]
    assert wrong["qini"] < 0 < right["qini"]


def part(**changed):
    drawn = [DESIGNS["two treatments"].draw(600, seed) for seed in (0, 1)]
    fields = {"peers": {}, "error": error_of_draws, "measures": {"pehe": ("PEHE", 3)}, "parameters": {}}
    return Part(**({"problems": drawn, "score": errors} | fields | changed))


def test_candidates_are_solved_in_a_process_of_their_own_and_scored_on_every_problem():
    records, told = solve(part(), ["t_random_forest"])
    assert set(records) == {SAME, "t_random_forest"}
    assert len(records["t_random_forest"]["causal_tasks"]["pehe"]) == 2
    assert told["causal_tasks"]["cpu_seconds"]["t_random_forest"] > 0


def test_tables_hold_means_with_errors_and_differences_on_the_same_draws():
    kind = part(peers={"causalml": ("t",)})
    records = {
        "t_lightgbm": {"causal_tasks": {"pehe": [1.0, 3.0]}, "causalml": {"pehe": [2.0, 4.0]}},
        "dual_head": {"causal_tasks": {"pehe": [1.0, 1.0]}},
    }
    assert "| t_lightgbm | 2.000 ± 1.000 | 3.000 ± 1.000 |" in scores_table(kind, records)
    assert "| dual_head | 1.000 ± 0.000 |  |" in scores_table(kind, records)
    assert differences_table(kind, records).splitlines()[2:] == ["| t_lightgbm | -1.000 ± 0.000 |"]


def test_every_candidate_has_a_name_of_its_own():
    assert len(set(CANDIDATES)) == 17
