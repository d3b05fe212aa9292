"""The benchmark of learners: equal models, equal questions, right ratios."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from benchmarks.learners import (
    BASES,
    DEFAULTS,
    FLOOR,
    OURS,
    STAGE,
    Answer,
    Case,
    ask,
    cases,
    defaults_table,
    stage_table,
)
from benchmarks.peers.base_models import SAME_AS_PEERS, classifier, regressor
from benchmarks.peers.learners import LEARNERS, LIBRARIES, Question, accuracy, simulated
from causal_tasks.base_models import LightGBM, RandomForest, XGBoost

OWN = {"lightgbm": LightGBM, "xgboost": XGBoost, "random_forest": RandomForest}


def answer(cpu_seconds, **rmse):
    scores = {name: {"correlation": 0.5, "rmse": value} for name, value in rmse.items()}
    return Answer(seconds=1.0, cpu_seconds=cpu_seconds, peak_bytes=2_000_000, accuracy=scores, version="1")


def learned(rows=1_000):
    users = simulated(rows, seed=1)
    return users.features, users.outcome


@pytest.mark.parametrize("base", BASES)
def test_the_peers_base_models_predict_what_ours_predict(base):
    """Else times and errors of learners would be those of different models."""
    x, outcome = learned()
    theirs = regressor(base, SAME_AS_PEERS[base], threads=1).fit(x, outcome).predict(x)
    own = OWN[base](**SAME_AS_PEERS[base]).fit(x, outcome).predict(x)
    np.testing.assert_allclose(theirs, own, atol=1e-4)


@pytest.mark.parametrize("base", ["lightgbm", "xgboost"])
def test_penalties_and_leaves_of_the_peers_classifiers_count_rows_as_ours_do(base):
    x, outcome = learned()
    happened = (np.random.default_rng(0).random(len(x)) < expit(outcome - 2)).astype(int)
    parameters = SAME_AS_PEERS[base] | {"min_child_samples": 50, "reg_lambda": 20.0}
    theirs = classifier(base, parameters, share=happened.mean(), threads=1).fit(x, happened).predict_proba(x)[:, 1]
    own = OWN[base](**parameters).fit(x, happened).predict(x)
    np.testing.assert_allclose(theirs, own, atol=1e-4)
    assert own.std() > 0.05


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_learner_by_hand_is_the_same_estimator_as_ours(learner):
    """On few distinct values, so that bins of all users are bins of each arm."""
    users, new = (replace(drawn, features=drawn.features.round()) for drawn in (simulated(1_000, 1), simulated(500, 2)))
    question = Question(learner, "xgboost", True, users, new)
    (by_hand,), (own,) = (LIBRARIES[library](question)().values() for library in (FLOOR, OURS))
    assert np.corrcoef(by_hand, own)[0, 1] > 0.95


def test_nine_candidates_that_share_predict_what_they_predict_alone():
    users, new = simulated(400, seed=1), simulated(100, seed=2)
    together = LIBRARIES[OURS](Question("all", "all", True, users, new))()
    alone = LIBRARIES[OURS](Question("x", "lightgbm", True, users, new))()
    assert len(together) == 9
    np.testing.assert_array_equal(together["x_lightgbm"], alone["x_lightgbm"])


def test_accuracy_of_the_truth_and_of_a_shifted_truth():
    truth = np.array([0.0, 1.0, 2.0])
    found = accuracy({"right": truth, "shifted": truth + 0.5}, truth)
    assert found["right"] == {"correlation": pytest.approx(1), "rmse": 0}
    assert found["shifted"] == {"correlation": pytest.approx(1), "rmse": 0.5}


def test_an_answer_comes_from_a_process_of_its_own():
    found = ask(Case(OURS, "t", "random_forest"), 1_000)
    assert set(found.accuracy) == {"t_random_forest"}
    assert found.cpu_seconds > 0
    assert found.version == "0.1.0"


def test_every_case_has_the_one_by_hand_that_it_is_compared_with():
    asked = cases(BASES)
    assert len(set(asked)) == len(asked)
    for case in asked:
        if case.known and case != STAGE:
            assert Case(FLOOR, case.learner, case.base) in asked
    assert STAGE not in cases(["lightgbm"])


def test_the_nine_that_share_are_held_against_the_sum_of_nine_by_hand():
    answers = {Case(FLOOR, s, b): answer(2.0, x=0.1) for b in BASES for s in LEARNERS}
    answers |= {Case(OURS, s, b): answer(1.0, x=0.1) for b in BASES for s in LEARNERS}
    answers[STAGE] = answer(4.5, x=0.3, y=0.5)
    lines = stage_table(answers, 1_000).splitlines()[2:]
    assert [line.split(" | ")[3] for line in lines] == ["1.00", "0.50", "0.25"]
    assert "18.0" in lines[0]
    assert "0.400" in lines[2]


def test_defaults_are_held_against_ours():
    answers = {case: answer(cpu, x=0.1) for case, cpu in zip(DEFAULTS, (2.0, 30.0, 3.0), strict=True)}
    lines = defaults_table(answers, 1_000).splitlines()[2:]
    assert [line.split(" | ")[3] for line in lines] == ["1.00", "15.00", "1.50"]
