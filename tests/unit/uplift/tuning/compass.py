"""A learner whose best parameters are known: it ranks users along a direction that is its parameter."""

import numpy as np
import pandas as pd

from causal_tasks.base_models import Features, Range
from causal_tasks.uplift.learner import UpliftLearner

NORTH = 1.0
"""The direction of the true effects, in radians."""


class Compass(UpliftLearner):
    """Predicts cos(angle) x0 + sin(angle) x1; fewer rows turn it further away from its angle."""

    FITS_EACH_ARM = False
    library = "numpy"
    device = "cpu"
    features_ = Features({"x0": None, "x1": None})

    def __init__(self, angle=0.5, turns=0, unused=7):
        self.angle, self.turns, self.unused = angle, turns, unused

    @property
    def search_space(self):
        return {"angle": Range(0.0, 3.0), "turns": Range(0, 4)}

    @property
    def parameters(self):
        return self.get_params()

    def with_parameters(self, parameters):
        return self._with(**parameters)

    def _fit(self, data):
        self.rows_ = data.X.frame.index.to_numpy()
        self.heading_ = self.angle + 0.1 * self.turns + 300 / len(data.X)

    def _predict_outcomes(self, X):
        x0, x1 = X.frame["x0"], X.frame["x1"]
        return np.column_stack([np.zeros(len(X)), np.cos(self.heading_) * x0 + np.sin(self.heading_) * x1])

    def _write(self, folder):
        return {}

    def _read(self, folder, state):
        return None


def users(n=40_000, seed=0, share=0.5):
    """Arguments of ``tune``: four folds, effects of x0 and x1 along ``NORTH``."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(random.normal(size=(n, 2)), columns=["x0", "x1"])
    treatment = (random.random(n) < share).astype(int)
    effect = np.cos(NORTH) * X["x0"] + np.sin(NORTH) * X["x1"]
    outcome = effect * treatment + 0.3 * random.normal(size=n)
    return {"X": X, "outcome": outcome.to_numpy(), "treatment": treatment, "fold": np.arange(n) % 4}
