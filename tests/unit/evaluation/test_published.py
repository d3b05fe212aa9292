import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc, published_scores, qini, uplift_at
from tests.unit.evaluation.test_curves import OUTCOME, TREATMENT, UPLIFT

SCORES = ("qini", "auuc", "lift_at_30", "lift_at_30_by_group")


def experiment(n=3_000, seed=0, treated=0.5):
    """Users whose effect is 10 % of their score."""
    random = np.random.default_rng(seed)
    treatment = (random.random(n) < treated).astype(int)
    score = random.random(n)
    return (random.random(n) < 0.2 + 0.1 * treatment * score).astype(int), score, treatment


def one_by_one(outcome, uplift, treatment):
    return [
        qini(outcome, uplift, treatment, definition="sklift"),
        auuc(outcome, uplift, treatment, definition="sklift"),
        uplift_at(outcome, uplift, treatment, share=0.3),
        uplift_at(outcome, uplift, treatment, share=0.3, strategy="by_group"),
    ]


def test_each_score_has_the_value_that_scikit_uplift_computed():
    # Ten of each user, all with that user's score: enough for the best 30 % of any order to hold both arms.
    found = published_scores(*(np.repeat(column, 10) for column in (OUTCOME, UPLIFT, TREATMENT)))
    assert found.qini.value == pytest.approx(0.52553, abs=5e-6)
    assert found.auuc.value == pytest.approx(0.46133, abs=5e-6)
    # 36 users: 20 treated who responded, ten of control who did not, six of the ten treated who did not.
    assert found.lift_at_30.value == pytest.approx(20 / 26)
    assert found.lift_at_30_by_group.value == 1.0


@pytest.mark.parametrize("levels", [3, 1_000_000])
def test_random_rankings_score_as_the_same_scores_given_to_users_in_any_order(levels):
    outcome, score, treatment = experiment(150, treated=0.4)
    uplift = np.floor(score * levels)
    found = published_scores(outcome, uplift, treatment, draws=1_500)
    random = np.random.default_rng(1)
    drawn = np.array([one_by_one(outcome, random.permutation(uplift), treatment) for _ in range(1_500)])
    for column, name in enumerate(SCORES):
        scored = getattr(found, name)
        expected = drawn[:, column]
        assert scored.null_sd == pytest.approx(expected.std(ddof=1), rel=0.1)
        assert scored.null_mean == pytest.approx(expected.mean(), abs=5 * expected.std() * np.sqrt(2 / 1_500))
        assert scored.z == pytest.approx((scored.value - scored.null_mean) / scored.null_sd)


@pytest.mark.parametrize("treated", [0.5, 0.85])
def test_the_spread_of_random_rankings_has_its_closed_form(treated):
    """Drawing without replacement for the top; the area under a Brownian bridge for Qini and AUUC."""
    outcome, score, treatment = experiment(4_000, treated=treated)
    found = published_scores(outcome, score, treatment, draws=1_000)
    arms = [outcome[treatment == arm] for arm in (0, 1)]
    drawn = [int(0.3 * len(arm)) for arm in arms]
    top = sum(arm.var(ddof=1) / k * (1 - k / len(arm)) for arm, k in zip(arms, drawn, strict=True))
    assert found.lift_at_30_by_group.null_sd == pytest.approx(np.sqrt(top), rel=0.1)
    assert found.lift_at_30.null_sd == pytest.approx(np.sqrt(top), rel=0.1)

    variance = sum(arm.var(ddof=1) / len(arm) for arm in arms)
    of_auuc = auuc(outcome, score, treatment, definition="sklift") / qini(outcome, score, treatment)
    assert found.auuc.null_sd == pytest.approx(of_auuc * np.sqrt(variance / 12), rel=0.1)
    # The Qini curve multiplies the effect of the top by how many of it are treated, which varies too.
    share, effect = treatment.mean(), arms[1].mean() - arms[0].mean()
    variance += (1 - share) / share * effect**2 / len(outcome)
    names = ("sklift", "pylift_adjusted")
    of_qini = np.divide(*(qini(outcome, score, treatment, definition=name) for name in names))
    assert found.qini.null_sd == pytest.approx(of_qini * np.sqrt(variance / 12), rel=0.1)


def test_a_ranking_that_knows_the_effects_stands_out_and_its_reverse_as_much_below():
    outcome, score, treatment = experiment(40_000)
    found = published_scores(outcome, score, treatment)
    reverse = published_scores(outcome, -score, treatment)
    for name in SCORES:
        assert getattr(found, name).z > 3
        assert getattr(reverse, name).z < -3
        assert abs(getattr(found, name).null_mean - (0 if "lift" not in name else 0.05)) < 0.01


def test_values_depend_on_the_ranking_alone_and_not_on_the_order_of_rows():
    outcome, score, treatment = experiment()
    labels = np.where(treatment == 1, "new", "old")
    found = published_scores(outcome, score, treatment, draws=20)
    assert published_scores(outcome, np.exp(9 * score), labels, control="old", draws=20) == found
    order = np.random.default_rng(2).permutation(len(outcome))
    shuffled = published_scores(outcome[order], score[order], treatment[order], draws=20)
    for name in SCORES:
        assert getattr(shuffled, name).value == pytest.approx(getattr(found, name).value)


def test_the_seed_decides_the_random_rankings():
    data = experiment()
    assert published_scores(*data, draws=5, seed=3) == published_scores(*data, draws=5, seed=3)
    assert published_scores(*data, draws=5, seed=3) != published_scores(*data, draws=5, seed=4)


def test_one_score_for_everybody_is_no_better_than_any_and_has_no_z():
    outcome, score, treatment = experiment()
    found = published_scores(outcome, 0 * score, treatment, draws=5)
    effect = outcome[treatment == 1].mean() - outcome[treatment == 0].mean()
    for name, value in zip(SCORES, (0, 0, effect, effect), strict=True):
        scored = getattr(found, name)
        assert (scored.value, scored.null_mean) == (pytest.approx(value), pytest.approx(value))
        assert (scored.null_sd, scored.z) == (0, None)


def test_the_record_is_json():
    told = json.loads(json.dumps(published_scores(*experiment(), draws=2).to_dict()))
    assert list(told) == [*SCORES, "users", "draws"]
    assert (told["users"], told["draws"]) == (3_000, 2)
    assert list(told["qini"]) == ["value", "null_mean", "null_sd", "z"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outcome": [0.0, 0.5, 1.0, 0.0]}, "outcomes 0 and 1 only"),
        ({"treatment": [0, 1, 2, 0], "uplift": [[0.0, 0.0]] * 4}, "2 treatments, a curve compares one"),
        ({"draws": 1}, "draws is 1"),
        ({}, "the top 0.3 holds"),
        ({"outcome": [1, 1, 1, 1]}, "the top 0.3 holds"),
        ({"outcome": [0, 0, 0, 0]}, "divides by 0"),
    ],
)
def test_what_cannot_be_scored_is_refused(changes, message):
    usable = {"outcome": [0, 1, 1, 0], "uplift": [4.0, 3, 2, 1], "treatment": [0, 1, 0, 1]}
    with pytest.raises(InputError, match=message):
        published_scores(**usable | changes)


def test_the_noise_floor_of_hillstroms_women_is_that_of_a_third_of_them(test_data):
    """Published scores of this set are told beside standard deviations of 0.0147 and 0.0068 (methods, 2.4)."""
    table = pd.read_csv(test_data / "hillstrom.csv.gz")
    table = table[table["segment"].isin(["Womens E-Mail", "No E-Mail"])].sample(frac=0.3, random_state=0)
    random = np.random.default_rng(0).random(len(table))
    found = published_scores(table["visit"], random, table["segment"], control="No E-Mail", draws=400)
    assert found.qini.null_sd == pytest.approx(0.0147, rel=0.12)
    assert found.auuc.null_sd == pytest.approx(0.0068, rel=0.12)
