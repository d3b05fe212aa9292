import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from causal_tasks.allocation.bilevel import BilevelDecisionFocused
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.networks.students import Preparation
from causal_tasks.allocation.oracle import oracle_gain
from causal_tasks.allocation.responses import Responses
from causal_tasks.data.coupon_problems import confounded_logs, dose_problem
from causal_tasks.errors import InputError
from causal_tasks.uplift.networks.trainer import threads

FAST = {"hidden": (8,), "epochs": 2, "warm_epochs": 4, "budgets": (0.6, 0.9)}


def responses(problem, **arguments):
    return Responses.checked(problem.X, problem.outcome, problem.treatment, cost=problem.cost, **arguments)


@pytest.fixture(scope="module")
def experiment():
    return responses(dose_problem(600, seed=0))


@pytest.fixture(scope="module")
def logs():
    return responses(confounded_logs(3_000, seed=1))


@pytest.fixture(scope="module")
def fitted(experiment, logs):
    return BilevelDecisionFocused(**FAST).fit_responses(experiment, logs=logs)


@pytest.fixture(scope="module")
def preparation(experiment, logs):
    return Preparation.of(experiment, logs, BilevelDecisionFocused(**FAST).plan)


def test_the_kept_gate_is_the_one_of_the_largest_held_out_value(fitted):
    assert set(fitted.gate_values_) == {"learned", 0.0, 0.5, 1.0}
    assert fitted.gate_values_[fitted.chosen_gate_] == max(fitted.gate_values_.values())
    noted = [note for note in fitted.notes_ if note.startswith("learned_gate_no_better")]
    assert noted == ([] if fitted.chosen_gate_ == "learned" else [f"learned_gate_no_better:{fitted.chosen_gate_}"])


def test_a_fixed_gate_that_is_worth_more_is_kept_and_said(experiment, logs, monkeypatch):
    trained = Preparation.trained

    def favour_half(self, gate):
        return trained(self, gate)._replace(value=1.0 if gate == 0.5 else 0.0, epoch=0 if gate == 0.5 else 1)

    monkeypatch.setattr(Preparation, "trained", favour_half)
    model = BilevelDecisionFocused(**FAST).fit_responses(experiment, logs=logs)
    assert model.chosen_gate_ == 0.5
    assert model.notes_ == ("learned_gate_no_better:0.5", "teacher_did_not_help")


def test_learned_gates_are_kept_where_nothing_is_set_against_them(experiment, logs):
    model = BilevelDecisionFocused(**FAST, fixed_gates=()).fit_responses(experiment, logs=logs)
    assert model.chosen_gate_ == "learned"
    assert set(model.gate_values_) == {"learned"}


def test_a_stated_gate_is_the_only_one_that_is_tried(experiment, logs):
    model = BilevelDecisionFocused(**FAST, gate=0.5).fit_responses(experiment, logs=logs)
    assert model.chosen_gate_ == 0.5
    assert set(model.gate_values_) == {0.5}
    assert not any(note.startswith("learned_gate") for note in model.notes_)


def distance(forecast, other):
    return float(np.sqrt(np.mean((forecast.outcome - other.outcome) ** 2)))


def test_the_more_the_gates_are_open_the_nearer_the_student_comes_to_the_teacher(preparation):
    """With nothing to stop early by, so that all are trained as long."""
    plan = replace(preparation.plan, schedule=replace(preparation.plan.schedule, epochs=15, learning_rate=3e-3))
    rising = Rising()
    taught = replace(preparation, plan=plan, value=rising)
    teacher = replace(preparation.student, network=preparation.distillation.teacher).predict_units(preparation.logs)
    gates = (0.0, 0.1, 1.0)
    far = [distance(taught.trained(gate).forecaster.predict_units(preparation.logs), teacher) for gate in gates]
    assert far[0] > far[1] > far[2]
    assert far[0] > 1.3 * far[2]


class Rising:
    """A value that every epoch improves."""

    def __init__(self):
        self.calls = 0

    def of_units(self, forecast):
        self.calls += 1
        return np.full(len(forecast.outcome), float(self.calls))


@pytest.mark.parametrize("surrogate", ["policy", "finite_difference"])
def test_learned_gates_leave_the_half_they_start_from(preparation, surrogate):
    preparation = replace(preparation, plan=replace(preparation.plan, surrogate=surrogate))
    gates = preparation._learned(preparation.student)
    before = gates._gates(preparation.logs).detach()
    assert (before == 0.5).all()
    for _ in range(11):
        opened = gates(preparation.logs.take(torch.arange(256)))
    assert not opened.requires_grad
    assert gates._batches == 11
    after = gates._gates(preparation.logs).detach()
    assert ((after > 0) & (after < 1)).all()
    assert (after - 0.5).abs().max() > 0.01


def test_the_bridge_moves_every_few_batches_only(preparation):
    gates = preparation._learned(preparation.student)
    batch = preparation.logs.take(torch.arange(256))
    opened = [gates(batch) for _ in range(11)]
    moved = [not torch.equal(one, other) for one, other in pairwise(opened)]
    assert moved == [False, False, False, False, True, False, False, False, False, True]


def test_a_step_of_the_bridge_lowers_the_upper_loss_of_the_student_that_it_leads_to(experiment, logs):
    """Linear networks and a damped lower level that is solved: the step is along the true gradient."""
    plan = replace(BilevelDecisionFocused(**FAST | {"hidden": ()}).plan, bridge_learning_rate=0.1, every=1)
    preparation = Preparation.of(experiment, logs, plan)
    batch = preparation.logs

    def solved(gates):
        student = replace(preparation.student, network=preparation.student.another(0).network)
        optimizer = torch.optim.LBFGS(student.network.parameters(), max_iter=200, line_search_fn="strong_wolfe")

        def loss():
            optimizer.zero_grad()
            outputs = student.network(batch.numbers, batch.levels)
            value = preparation.distillation.loss(outputs, batch, gates).mean()
            value.backward()
            return value

        optimizer.step(loss)
        return student

    bridge = preparation._learned(solved(torch.full((len(batch), 10), 0.5)))
    before = bridge.upper.loss(bridge.student, torch.Generator()).item()
    after = bridge.upper.loss(solved(bridge(batch)), torch.Generator()).item()
    assert after < before


def test_same_seed_same_forecast_another_seed_another(experiment, logs, fitted):
    again = clone(fitted).fit_responses(experiment, logs=logs)
    other = clone(fitted).set_params(random_state=1).fit_responses(experiment, logs=logs)
    np.testing.assert_array_equal(again.predict(experiment.X).outcome, fitted.predict(experiment.X).outcome)
    assert distance(other.predict(experiment.X), fitted.predict(experiment.X)) > 0


def test_a_saved_model_predicts_the_same(tmp_path, experiment, fitted):
    fitted.save(tmp_path / "model")
    loaded = BilevelDecisionFocused.load(tmp_path / "model")
    for one, other in zip(loaded.predict(experiment.X), fitted.predict(experiment.X), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.chosen_gate_ == fitted.chosen_gate_
    assert loaded.gate_values_ == fitted.gate_values_
    assert loaded.notes_ == fitted.notes_
    json.dumps(loaded.get_params())
    assert clone(loaded).get_params().keys() == fitted.get_params().keys()


def test_categories_missing_values_and_known_prices():
    random = np.random.default_rng(0)

    def draw(n, levels):
        arm = random.integers(0, 2, n)
        plays = np.where(random.random(n) < 0.2, np.nan, random.normal(size=n))
        X = pd.DataFrame({"plays": plays, "city": pd.Categorical(random.choice(levels, n))})
        outcome = (random.random(n) < 0.3 + 0.3 * arm).astype(float)
        return Responses.checked(X, outcome, arm, cost={0: 0.0, 1: 2.0})

    model = BilevelDecisionFocused(hidden=(8,), warm_epochs=30, epochs=2, batch_size=64)
    experiment, logs = draw(300, ["a", "b"]), draw(600, ["b", "c"])
    forecast = model.fit_responses(experiment, logs=logs).predict(logs.X)
    assert forecast.cost.tolist() == [[0.0, 2.0]] * 600
    assert ((forecast.outcome > 0) & (forecast.outcome < 1)).all()
    assert (forecast.outcome[:, 1] - forecast.outcome[:, 0]).mean() == pytest.approx(0.3, abs=0.15)


def test_a_teacher_and_many_logs_beat_the_same_mix_for_everybody():
    test = dose_problem(4_000, seed=9)
    truth = Forecast.checked(test.true_outcome, test.true_cost)
    budgets = [share * float(test.true_cost[:, -1].mean()) for share in (0.15, 0.3, 0.45)]
    experiment, logs = responses(dose_problem(1_500, seed=7)), responses(confounded_logs(8_000, seed=8))
    model = BilevelDecisionFocused(budgets=budgets, epochs=4, warm_epochs=15, hidden=(16, 16))
    gain = oracle_gain(model.fit_responses(experiment, logs=logs).predict(test.X), truth, budgets)
    same = Forecast.checked(np.tile(np.sqrt(range(5)), (4_000, 1)), truth.cost.mean(axis=0))
    everybody = oracle_gain(same, truth, budgets)
    assert gain > everybody + 0.03


def test_logs_are_required_with_the_arms_of_the_experiment(experiment, logs):
    with pytest.raises(InputError, match="BilevelDecisionFocused learns from logs"):
        BilevelDecisionFocused().fit_responses(experiment)
    with pytest.raises(InputError, match="logs have the arms"):
        BilevelDecisionFocused().fit_responses(experiment, logs=replace(logs, labels=(0, 1, 2, 3, 9)))


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"gate": 1.5}, "gate=1.5"),
        ({"gate": "half"}, "gate='half'"),
        ({"fixed_gates": (0.5, -1)}, r"has fixed_gates=\(0.5, -1\)"),
        ({"hidden": (0,)}, r"hidden=\(0,\)"),
        ({"surrogate": "dual"}, "surrogate='dual'"),
        ({"every": 0}, "every=0"),
        ({"cg_steps": 0}, "cg_steps=0"),
        ({"damping": -1.0}, "damping=-1.0"),
        ({"temperature": 0.0}, "temperature=0.0"),
        ({"validation_share": 1.0}, "validation_share=1.0"),
        ({"budgets": (0.0,)}, "budgets"),
        ({"budgets": (0.3,), "budget_weights": (0.5, 0.5)}, "budget_weights"),
    ],
)
def test_wrong_parameters_are_named(experiment, logs, parameters, named):
    with pytest.raises(InputError, match=named):
        BilevelDecisionFocused(**{**FAST, **parameters}).fit_responses(experiment, logs=logs)


def test_a_budget_that_the_teacher_cannot_keep_is_noted_and_no_fault(experiment, logs):
    dear = [
        replace(data, cost=data.cost + 1.0 + 0.1 * (data.arm == 0) * (data.outcome > 0)) for data in (experiment, logs)
    ]
    model = BilevelDecisionFocused(**FAST, gate=0.5).fit_responses(dear[0], logs=dear[1])
    assert {"budget_below_cheapest:0.6", "budget_below_cheapest:0.9"} <= set(model.notes_)


def test_threads_are_given_back(experiment, logs):
    with threads(1):
        BilevelDecisionFocused(**FAST, gate=0.0, n_jobs=2).fit_responses(experiment, logs=logs)
        assert torch.get_num_threads() == 1
