"""Ranges that tuning draws from."""

import pytest

from causal_tasks.base_models import BASE_MODELS, Range
from causal_tasks.errors import InputError
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


def test_the_nearest_value_is_the_value_itself_or_a_bound():
    assert [Range(1, 4).nearest(value) for value in (0, 1, 3, 9)] == [1, 1, 3, 4]


@pytest.mark.parametrize(("low", "high", "log"), [(2, 1, False), (0, 1, True), (-1.0, 1.0, True)])
def test_what_is_no_range_cannot_be_made(low, high, log):
    with pytest.raises(InputError, match="low"):
        Range(low, high, log)


def test_an_edited_range_stays_whole_and_keeps_its_scale():
    assert Range(1, 8, log=True).edited(2.0, 3.0) == Range(2, 3, log=True)
    assert Range(1, 8, log=True).edited(2.0, 3.0).whole
    assert Range(0.5, 1.0).edited(1, 2, log=True) == Range(1.0, 2.0, log=True)
    assert not Range(0.5, 1.0).edited(1, 2).whole
    with pytest.raises(InputError, match=r"bound 2.5 is a fraction"):
        Range(1, 8).edited(1, 2.5)
