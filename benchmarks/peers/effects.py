"""``python -m benchmarks.peers.effects LIBRARY FOLDER``: one library predicts effects for all problems of a folder.

The folder holds ``plan.json`` and problems as ``benchmarks.problems`` writes them; the predicted effects are written
to ``<folder>/<library>/``, one archive per problem with an array of shape (m, K) for every candidate.
"""

import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.base_models import classifier, regressor

FOLDS = 5
"""Of cross-fitting, where a library lets them be chosen."""

PACKAGES = {"causal_tasks": "causal-tasks", "causalml": "causalml", "econml": "econml"}
"""Distribution by library."""


@dataclass(frozen=True)
class Given:
    """A problem and how it is to be solved.

    Attributes:
        arrays: See ``benchmarks.problems.Problem``.
        parameters: Of the base models, by name.
        seed: Of everything random.
        threads: Of one fit.
    """

    arrays: Mapping[str, Any]
    parameters: Mapping[str, Mapping[str, Any]]
    seed: int
    threads: int

    @property
    def shares(self) -> Any:
        """Shape (K + 1,), or None where nobody knows them."""
        return self.arrays["shares"] if len(self.arrays["shares"]) else None

    def regressor(self, base: str) -> Any:
        return regressor(base, self.parameters[base], threads=self.threads, seed=self.seed)

    def outcome_model(self, base: str) -> Any:
        """One with the loss that this library takes: log loss for zeros and ones, but not for forests."""
        outcome = self.arrays["outcome"]
        if base == "random_forest" or not np.isin(outcome, (0, 1)).all():
            return self.regressor(base)
        share = float(outcome.mean())
        return classifier(base, self.parameters[base], share=share, threads=self.threads, seed=self.seed)


Solver = Callable[[str], Any]
"""From the name of a candidate to effects of shape (m, K), or (m,) for one treatment."""


def ours(given: Given) -> Solver:
    import pandas as pd

    from causal_tasks.base_models import DesignMatrix
    from causal_tasks.uplift import candidate

    arrays = given.arrays
    columns = [f"x{column}" for column in range(arrays["features"].shape[1])]
    X, X_new = (DesignMatrix(pd.DataFrame(arrays[name], columns=columns)) for name in ("features", "new"))
    propensity = None if given.shares is None else dict(enumerate(given.shares))

    def solve(name: str) -> Any:
        parameters = given.parameters.get(name.partition("_")[2])
        learner = candidate(name, n_jobs=given.threads, random_state=given.seed, parameters=parameters)
        learner.fit(X, arrays["outcome"], arrays["arm"], control=0, propensity=propensity)
        return learner.predict(X_new)

    return solve


def causalml(given: Given) -> Solver:
    """Where shares are not known its own propensity model, once for all learners."""
    from causalml.inference import meta

    x, arm, outcome, new = (given.arrays[name] for name in ("features", "arm", "outcome", "new"))
    p, p_new = _causalml_propensity(given)

    def solve(name: str) -> Any:
        learner, base = name.split("_", 1)
        mean, effect = given.outcome_model(base), given.regressor(base)
        binary = hasattr(mean, "predict_proba")
        if learner == "r":
            fitted = meta.BaseRRegressor(learner=effect, n_fold=FOLDS, random_state=given.seed)
            fitted.fit(x, arm, outcome, p=p, verbose=False)
            return fitted.predict(new)
        if learner == "dr":
            fitted = meta.BaseDRRegressor(learner=effect)
            fitted.fit(x, arm, outcome, p=p, seed=given.seed)
            return fitted.predict(new)
        if learner == "x":
            if binary:
                fitted = meta.BaseXClassifier(outcome_learner=mean, effect_learner=effect)
            else:
                fitted = meta.BaseXRegressor(learner=effect)
            fitted.fit(x, arm, outcome, p=p)
            return fitted.predict(new, p=p_new)
        kinds = {"s": (meta.BaseSRegressor, meta.BaseSClassifier), "t": (meta.BaseTRegressor, meta.BaseTClassifier)}
        fitted = kinds[learner][binary](learner=mean)
        fitted.fit(x, arm, outcome)
        return fitted.predict(new)

    return solve


def _causalml_propensity(given: Given) -> tuple[dict[int, Any], dict[int, Any]]:
    """P(treatment | it or control) of the users and of the new ones, by treatment."""
    from causalml.propensity import ElasticNetPropensityModel

    x, arm, new = (given.arrays[name] for name in ("features", "arm", "new"))
    found: tuple[dict[int, Any], dict[int, Any]] = ({}, {})
    for label in range(1, int(arm.max()) + 1):
        if given.shares is not None:
            share = given.shares[label] / (given.shares[0] + given.shares[label])
            found[0][label], found[1][label] = np.full(len(x), share), np.full(len(new), share)
            continue
        model, both = ElasticNetPropensityModel(), np.isin(arm, (0, label))
        model.fit(x[both], (arm[both] == label).astype(int))
        found[0][label], found[1][label] = model.predict(x), model.predict(new)
    return found


def econml(given: Given) -> Solver:
    from econml.dml import NonParamDML
    from econml.dr import DRLearner
    from econml.metalearners import SLearner, TLearner, XLearner
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    x, arm, outcome, new = (given.arrays[name] for name in ("features", "arm", "outcome", "new"))
    propensity = LogisticRegression(max_iter=1000) if given.shares is None else DummyClassifier()
    cross_fitting = {"cv": FOLDS, "random_state": given.seed}

    def solve(name: str) -> Any:
        learner, base = name.split("_", 1)
        model = given.regressor(base)
        made = {
            "s": lambda: SLearner(overall_model=model),
            "t": lambda: TLearner(models=model),
            "x": lambda: XLearner(models=model, propensity_model=propensity),
            "r": lambda: NonParamDML(
                model_y=model, model_t=propensity, model_final=model, discrete_treatment=True, **cross_fitting
            ),
            "dr": lambda: DRLearner(
                model_propensity=propensity, model_regression=model, model_final=model, **cross_fitting
            ),
        }[learner]()
        made.fit(outcome, arm, X=x)
        return made.const_marginal_effect(new)

    return solve


LIBRARIES: Mapping[str, Callable[[Given], Solver]] = {"causal_tasks": ours, "causalml": causalml, "econml": econml}


def main() -> None:
    """Write the effects; print the library's version and CPU seconds by candidate as one line of JSON."""
    library, folder = sys.argv[1], Path(sys.argv[2])
    plan = json.loads((folder / "plan.json").read_text())
    names = plan["candidates"][library]
    target, taken = folder / library, dict.fromkeys(names, 0.0)
    target.mkdir()
    for seed, path in enumerate(sorted(folder.glob("*.npz"))):
        with np.load(path) as arrays:
            given = Given(dict(arrays), plan["parameters"], seed, plan["threads"])
        solve, effects = LIBRARIES[library](given), {}
        for name in names:
            began = time.process_time()
            effects[name] = np.asarray(solve(name)).reshape(len(given.arrays["new"]), -1)
            taken[name] += time.process_time() - began
        np.savez(target / path.name, **effects)
    print(json.dumps({"version": importlib.metadata.version(PACKAGES[library]), "cpu_seconds": taken}))


if __name__ == "__main__":
    main()
