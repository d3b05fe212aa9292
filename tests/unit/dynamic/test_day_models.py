"""Models as later stages of a day read them: features of other kinds than those that were learned from."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from causal_tasks.base_models import Features
from causal_tasks.dynamic.day_models import DayModels
from causal_tasks.errors import InputError

LEARNED = pd.DataFrame({"age": [1.0, 2.0], "device": pd.Categorical(["a", "b"])})


@pytest.fixture
def models():
    fitted = SimpleNamespace(features_=Features.of(LEARNED))
    return DayModels(SimpleNamespace(models_={"watch_seconds_7d": fitted}), None, ["age", "device"])


def test_a_level_that_is_new_is_missing(models):
    rows = models.as_known(LEARNED.assign(device=pd.Categorical(["a", "c"])))
    assert rows["device"].tolist() == ["a", np.nan]


def test_a_column_without_any_value_is_missing_whatever_kind_its_file_tells(models):
    none = pd.DataFrame({"age": pd.Categorical([None, None]), "device": [np.nan, np.nan]})
    codes = models.known.read_codes(models.as_known(none))
    assert np.isnan(codes).all()
    assert none["device"].dtype == float


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"device": [1.0, 2.0]}, "'device' holds numbers, but text"),
        ({"age": pd.Categorical(["a", "b"])}, "'age' holds text, but numbers"),
    ],
)
def test_a_column_of_another_kind_is_named(models, changed, words):
    with pytest.raises(InputError, match=words) as refused:
        models.as_known(LEARNED.assign(**changed))
    assert "one type" in refused.value.remedy
