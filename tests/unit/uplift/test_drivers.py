"""Sensitivity of predictions to features, against closed forms."""

import numpy as np
import pandas as pd
import pytest

from causal_tasks.errors import InputError
from causal_tasks.uplift.drivers import drivers


class Formula:
    """A learner that has learned these formulas, one for each treatment."""

    def __init__(self, **formulas):
        self.treatments_ = list(formulas)
        self._formulas = formulas

    def predict(self, X):
        effects = np.column_stack([formula(X) for formula in self._formulas.values()])
        return effects[:, 0] if effects.shape[1] == 1 else effects


def normals(n=40_000, columns=("a", "b", "c")):
    random = np.random.default_rng(0)
    return pd.DataFrame({name: random.normal(size=n) for name in columns})


def test_importance_is_the_share_of_variance_of_an_additive_effect():
    (ranked,) = drivers([Formula(on=lambda X: 3 * X["a"] + 4 * X["b"])], normals()).values()
    assert [row.feature for row in ranked] == ["b", "a", "c"]
    shares = {row.feature: row.importance for row in ranked}
    assert shares["b"].estimate == pytest.approx(16 / 25, abs=0.02)
    assert shares["a"].estimate == pytest.approx(9 / 25, abs=0.02)
    assert shares["c"].estimate == 0
    for name, truth in (("a", 9 / 25), ("b", 16 / 25)):
        low, high = shares[name].interval
        assert low < truth < high
        assert high - low < 0.03


def test_a_pure_interaction_counts_for_both_of_its_features():
    (ranked,) = drivers([Formula(on=lambda X: X["a"] * X["b"])], normals()).values()
    assert [row.importance.estimate for row in ranked[:2]] == pytest.approx([1, 1], abs=0.05)


def test_every_treatment_has_drivers_of_its_own_and_learners_are_averaged():
    plus = Formula(x=lambda X: X["a"] + X["c"], y=lambda X: X["b"])
    minus = Formula(x=lambda X: X["a"] - X["c"], y=lambda X: X["b"])
    found = drivers([plus, minus], normals(n=500))
    assert {treatment: rows[0].feature for treatment, rows in found.items()} == {"x": "a", "y": "b"}
    assert {row.feature: row.importance.estimate for row in found["x"]}["c"] == pytest.approx(0, abs=1e-12)


def test_categories_and_missing_values_are_shuffled_as_they_are():
    X = pd.DataFrame({"city": pd.Categorical(["x", "y", None, "x"] * 500), "age": 1.0})
    (ranked,) = drivers([Formula(on=lambda X: X["city"].isna())], X).values()
    assert ranked[0].feature == "city"
    assert ranked[0].importance.estimate == pytest.approx(1, abs=0.1)


def test_a_constant_prediction_is_driven_by_nothing():
    (ranked,) = drivers([Formula(on=lambda X: np.ones(len(X)))], normals(n=10)).values()
    assert [(row.importance.estimate, row.importance.standard_error) for row in ranked] == [(0, 0)] * 3


def test_one_user_cannot_be_shuffled():
    with pytest.raises(InputError, match="1 rows"):
        drivers([Formula(on=lambda X: X["a"])], normals(n=1))
