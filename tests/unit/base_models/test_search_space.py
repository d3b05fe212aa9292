"""Ranges that tuning draws from."""

import pytest

from causal_tasks.base_models import BASE_MODELS, Range
from tests.unit.base_models.listeners import MODELS, listeners


@pytest.mark.parametrize("name", MODELS)
def test_every_default_lies_in_its_range_and_is_of_its_kind(name):
    defaults = BASE_MODELS[name]().get_params()
    space = BASE_MODELS[name].search_space
    assert space
    for parameter, bounds in space.items():
        assert bounds.low <= defaults[parameter] <= bounds.high, parameter
        assert bounds.low < bounds.high, parameter
        assert bounds.whole == isinstance(defaults[parameter], int), parameter
        assert not bounds.log or bounds.low > 0, parameter


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("bound", ["low", "high"])
def test_models_can_be_fitted_at_the_bounds(name, bound):
    X, mean = listeners(1_000)
    space = BASE_MODELS[name].search_space
    parameters = {parameter: getattr(bounds, bound) for parameter, bounds in space.items()}
    predicted = BASE_MODELS[name](**parameters).fit(X, mean).predict(X)
    assert predicted.mean() == pytest.approx(mean.mean(), abs=0.2)


def test_a_range_is_whole_only_where_both_bounds_are():
    assert Range(1, 4).whole
    assert not Range(1, 4.0).whole
    assert not Range(0.5, 4).whole
