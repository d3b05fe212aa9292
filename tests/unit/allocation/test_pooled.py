from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from causal_tasks.allocation.pooled import PooledTwoStage, joined
from causal_tasks.allocation.responses import Responses
from causal_tasks.base_models import DesignMatrix
from causal_tasks.errors import InputError

ARMS = 3


def responses(*, seed, n=240, levels=("a", "b"), effect=1.0, prices=None, **columns):
    random = np.random.default_rng(seed)
    arm = np.arange(n) % ARMS
    X = pd.DataFrame({"x": random.normal(size=n), "city": pd.Categorical(random.choice(levels, n))}).assign(**columns)
    outcome = effect * arm + random.normal(0, 0.1, n)
    return Responses.checked(X, outcome, arm, cost=prices or arm.astype(float))


def test_the_experiments_units_come_first_and_nothing_is_lost():
    experiment, logs = responses(seed=0), responses(seed=1, n=300)
    both = joined(experiment, logs)
    assert len(both) == 540
    for name in ("outcome", "cost", "arm", "propensity", "weight"):
        np.testing.assert_array_equal(getattr(both, name)[:240], getattr(experiment, name))
        np.testing.assert_array_equal(getattr(both, name)[240:], getattr(logs, name))
    np.testing.assert_array_equal(both.X.frame["x"][240:], logs.X.frame["x"])
    assert both.labels == experiment.labels


def test_a_category_has_the_levels_of_both_and_each_unit_keeps_its_own():
    experiment, logs = responses(seed=0, levels=("a", "b")), responses(seed=1, levels=("c", "a"))
    both = joined(experiment, logs)
    assert both.X.features.levels["city"] == ("a", "b", "c")
    expected = [*experiment.X.frame["city"], *logs.X.frame["city"]]
    assert both.X.frame["city"].tolist() == expected


def test_logs_may_have_more_features_and_another_order_of_them():
    experiment = responses(seed=0)
    logs = with_columns(responses(seed=1, more=1.0), ["more", "city", "x"])
    assert joined(experiment, logs).X.columns == ["x", "city"]


def with_columns(data, names):
    return replace(data, X=DesignMatrix.of(data.X.frame[names]))


def test_features_that_differ_are_refused_by_name():
    experiment, logs = responses(seed=0), with_columns(responses(seed=1), ["city"])
    with pytest.raises(InputError, match=r"logs lack the features \['x'\]"):
        joined(experiment, logs)
    with pytest.raises(InputError, match=r"'city'.*category.*in the experiment and float64 in the logs"):
        joined(experiment, responses(seed=1, city=1.0))


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_yes_and_no_in_the_experiment_may_be_numbers_in_the_logs(dtype):
    flag = np.arange(240) % 2
    both = joined(responses(seed=0, flag=flag == 1), responses(seed=1, flag=flag.astype(dtype)))
    assert (
        PooledTwoStage("network", settings={"epochs": 1}).fit_responses(both, logs=both).features_.names[-1] == "flag"
    )
    np.testing.assert_array_equal(both.X.frame["flag"], np.tile(flag, 2))


def test_prices_must_agree():
    prices = {0: 0.0, 1: 1.0, 2: 2.0}
    both = joined(responses(seed=0, prices=prices), responses(seed=1, prices=prices))
    assert both.price.tolist() == [0, 1, 2]
    with pytest.raises(InputError, match=r"\[0.0, 1.0, 2.0\] in the experiment and \[0.0, 1.0, 3.0\] in the logs"):
        joined(responses(seed=0, prices=prices), responses(seed=1, prices=prices | {2: 3.0}))
    with pytest.raises(InputError, match="what each unit cost in the logs"):
        joined(responses(seed=0, prices=prices), responses(seed=1))


def test_pooled_two_stages_learn_from_the_units_of_both(tmp_path):
    experiment, logs = responses(seed=0, effect=1.0, n=300), responses(seed=1, effect=3.0, n=900)
    model = PooledTwoStage("t_lightgbm").fit_responses(experiment, logs=logs)
    forecast = model.predict(experiment.X)
    effect = (forecast.outcome[:, 2] - forecast.outcome[:, 0]).mean() / 2
    assert effect == pytest.approx(0.25 * 1.0 + 0.75 * 3.0, abs=0.25)
    model.save(tmp_path / "model")
    again = PooledTwoStage.load(tmp_path / "model").predict(experiment.X)
    np.testing.assert_array_equal(again.outcome, forecast.outcome)


def test_pooled_two_stages_without_logs_are_refused():
    with pytest.raises(InputError, match="PooledTwoStage learns from logs"):
        PooledTwoStage().fit_responses(responses(seed=0))
