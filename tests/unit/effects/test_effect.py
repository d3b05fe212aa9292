import json
import math

from causal_tasks.effects import Effect, difference_in_means


def test_an_effect_as_json_has_every_field_and_plain_types():
    record = difference_in_means([1.0, 2.0, 4.0, 7.0], [0, 0, 1, 1]).to_dict()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert list(record) == [
        "estimate", "standard_error", "interval", "p_value", "relative", "relative_interval", "control_mean",
        "n_control", "n_treatment", "level", "method", "notes",
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
