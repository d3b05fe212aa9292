import json
import math

import pytest

from causal_tasks.effects import Effect, cuped, difference_in_means


def test_an_effect_as_json_has_every_field_and_plain_types():
    record = difference_in_means([1.0, 2.0, 4.0, 7.0], [0, 0, 1, 1]).to_dict()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert list(record) == [
        "estimate", "standard_error", "interval", "p_value", "relative", "relative_interval", "control_mean",
        "n_control", "n_treatment", "level", "method", "notes", "variance_ratio", "variance_ratio_cupac",
        "equivalent_sample",
    ]  # fmt: skip
    assert isinstance(record["interval"], list)
    assert record["method"] == "difference_in_means"


def test_an_undefined_effect_is_null_in_json():
    effect = Effect.undefined("cuped", n_control=1, n_treatment=0, level=0.95, notes=("too_few_units",))
    record = effect.to_dict()
    assert math.isnan(effect.estimate)
    assert record["estimate"] is record["p_value"] is record["control_mean"] is None
    assert record["interval"] == [None, None]
    assert (record["n_control"], record["n_treatment"], record["notes"]) == (1, 0, ["too_few_units"])


def test_an_effect_beside_others_knows_how_many_users_it_is_worth():
    plain = difference_in_means([1.0, 2.0, 4.0, 7.0], [0, 0, 1, 1])
    assert (plain.variance_ratio, plain.variance_ratio_cupac, plain.equivalent_sample) == (None, None, None)
    half = cuped([1.0, 2.0, 3.0, 5.5], [0, 0, 1, 1], [1.0, 2.0, 1.0, 2.0])
    beside = half.beside(plain, cupac=plain)
    ratio = (half.standard_error / plain.standard_error) ** 2
    assert beside.variance_ratio == beside.variance_ratio_cupac == pytest.approx(ratio)
    assert beside.equivalent_sample == round(4 / ratio)
    assert json.loads(json.dumps(beside.to_dict(), allow_nan=False))["equivalent_sample"] == round(4 / ratio)


def test_an_effect_beside_one_without_error_has_no_ratio():
    certain = difference_in_means([1.0, 1.0, 1.0, 1.0], [0, 0, 1, 1])
    unknown = Effect.undefined("cuped", n_control=1, n_treatment=0, level=0.95, notes=())
    varying = difference_in_means([1.0, 2.0, 4.0, 7.0], [0, 0, 1, 1])
    for effect, other in ((varying, certain), (varying, unknown), (unknown, varying)):
        assert effect.beside(other).variance_ratio is None
        assert effect.beside(other).equivalent_sample is None
    assert certain.beside(varying).variance_ratio == 0
    assert certain.beside(varying).equivalent_sample is None
