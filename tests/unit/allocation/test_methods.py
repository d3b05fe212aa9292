"""Names of methods, the models behind them, and models read back without knowing their class."""

import inspect

import numpy as np
import pytest

from causal_tasks.allocation.methods import (
    BASELINE,
    METHODS,
    budget_model,
    is_two_stage,
    load_budget_model,
    method,
    together,
)
from causal_tasks.allocation.two_stage import TwoStage
from causal_tasks.errors import InputError
from causal_tasks.experiment import Budgeting
from causal_tasks.uplift.candidates import CANDIDATES
from tests.unit.allocation.budget_runs import prepared, statement


def test_every_method_that_is_compared_by_default_is_known():
    for name in Budgeting.model_fields["methods"].default:
        assert method(name).resolve()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_made_on_the_device_with_the_threads_and_the_seed_asked_for(name):
    model = budget_model(name, budgets=(0.5,), weights=None, n_jobs=3, random_state=7)
    assert (model.device, model.n_jobs, model.random_state) == ("cpu", 3, 7)
    for parameter, value in METHODS[name].parameters.items():
        assert model.get_params()[parameter] == value


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_asks_for_budgets_is_told_them(name):
    model = budget_model(name, budgets=(0.5, 2.0), weights=(0.25, 0.75))
    if "budgets" in inspect.signature(type(model)).parameters:
        assert (model.budgets, model.budget_weights) == ((0.5, 2.0), (0.25, 0.75))


def test_every_uplift_candidate_makes_a_two_stage_method():
    for candidate in CANDIDATES:
        model = budget_model(f"two_stage_{candidate}")
        assert isinstance(model, TwoStage)
        assert model.model == candidate


def test_two_stage_methods_learn_from_the_experiment_alone():
    named = [name for name in METHODS if is_two_stage(name)]
    assert named == ["two_stage_network"]
    assert is_two_stage(BASELINE)
    assert not method("two_stage_network").resolve().USES_LOGS
    assert method("pooled").resolve().USES_LOGS


def test_methods_of_one_class_may_share_a_process():
    assert together("two_stage_t_lightgbm") == together("two_stage_network")
    assert together("clusters") == together("clusters_uplift") != together("decision_factor")


def test_an_unknown_method_names_the_known_ones():
    with pytest.raises(InputError, match="'magic' is unknown") as caught:
        budget_model("magic")
    assert "decision_factor" in caught.value.remedy
    assert "t_lightgbm" in caught.value.remedy


def test_a_saved_model_is_read_back_without_knowing_its_class(tmp_path):
    users = prepared(statement()).dropna()
    X = users[["x0", "city"]]
    fitted = budget_model("two_stage_t_lightgbm").fit(
        X, users["y__orders"], users["arm"].astype(str), cost={"none": 0.0, "small": 0.5, "large": 1.0}, control="none"
    )
    fitted.save(tmp_path)
    read = load_budget_model(tmp_path)
    assert type(read) is TwoStage
    for before, after in zip(fitted.predict(X), read.predict(X), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_folder_with_another_kind_of_model_is_refused(tmp_path):
    users = prepared(statement()).dropna()
    from causal_tasks.uplift.candidates import candidate

    candidate("s_lightgbm").fit(users[["x0"]], users["y__orders"], users["arm"] == "large", control=False).save(
        tmp_path
    )
    with pytest.raises(InputError, match="holds a SLearner"):
        load_budget_model(tmp_path)
