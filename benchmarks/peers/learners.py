"""``python -m benchmarks.peers.learners LIBRARY LEARNER BASE ROWS PROPENSITY``: one learner is fitted and asked once.

``LEARNER`` is ``s``, ``t`` or ``x``; in this library ``all`` with base ``all`` are the nine at once, which share what
they read and fit. ``PROPENSITY`` is ``known`` or ``unknown``.
"""

import importlib.metadata
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.peers.base_models import SAME_AS_PEERS, regressor
from benchmarks.peers.stopwatch import taken_by

SEED = 7
COLUMNS = 20
WARM_UP_ROWS = 500
THREADS = 2
LEARNERS = ("s", "t", "x")
BASES = tuple(SAME_AS_PEERS)
PACKAGES = {
    "floor": "numpy",
    "causal_tasks": "causal-tasks",
    "causalml": "causalml",
    "econml": "econml",
    "sklift": "scikit-uplift",
}
"""Distribution by library."""

Effects = Mapping[str, Any]
"""Effects on the new users, shape (rows,), by candidate."""


@dataclass(frozen=True)
class Users:
    """A randomised experiment, half of the users treated."""

    features: Any
    treated: Any
    outcome: Any
    effect: Any


@dataclass(frozen=True)
class Question:
    """What is to be fitted to ``users`` and asked about ``new``, users of whom only features are read."""

    learner: str
    base: str
    known: bool
    users: Users
    new: Users

    @property
    def name(self) -> str:
        return f"{self.learner}_{self.base}"

    def model(self) -> Any:
        return regressor(self.base, SAME_AS_PEERS[self.base], threads=THREADS)


def simulated(rows: int, seed: int) -> Users:
    """Standard normal features, shape (rows, 20); steps and interactions in the effect, noise of variance 1."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, COLUMNS))
    treated = random.integers(0, 2, size=rows)
    effect = 0.5 * (x[:, 0] > 0) + 0.3 * x[:, 1] * (x[:, 2] > 0) - 0.2
    outcome = np.sin(x[:, 3]) + 0.5 * x[:, 4] * x[:, 5] + treated * effect + random.normal(size=rows)
    return Users(x, treated, outcome, effect)


def floor(question: Question) -> Callable[[], Effects]:
    """The learner in a dozen lines on the same base model: what a library that adds nothing costs."""
    fit = {"s": _floor_s, "t": _floor_t, "x": _floor_x}[question.learner]
    return lambda: {question.name: fit(question.users, question.new.features, question.model)}


def _floor_s(users: Users, new: Any, model: Callable[[], Any]) -> Any:
    fitted = model().fit(np.column_stack([users.features, users.treated]), users.outcome)
    wide = np.column_stack([new, np.ones(len(new))])
    treated = fitted.predict(wide)
    wide[:, -1] = 0
    return treated - fitted.predict(wide)


def _floor_t(users: Users, new: Any, model: Callable[[], Any]) -> Any:
    control, treated = (
        model().fit(users.features[users.treated == arm], users.outcome[users.treated == arm]) for arm in (0, 1)
    )
    return treated.predict(new) - control.predict(new)


def _floor_x(users: Users, new: Any, model: Callable[[], Any]) -> Any:
    (x0, y0), (x1, y1) = ((users.features[users.treated == arm], users.outcome[users.treated == arm]) for arm in (0, 1))
    mean0, mean1 = model().fit(x0, y0), model().fit(x1, y1)
    effect0, effect1 = model().fit(x0, mean1.predict(x0) - y0), model().fit(x1, y1 - mean0.predict(x1))
    share = users.treated.mean()
    return share * effect0.predict(new) + (1 - share) * effect1.predict(new)


def ours(question: Question) -> Callable[[], Effects]:
    import pandas as pd

    from causal_tasks.base_models import DesignMatrix
    from causal_tasks.uplift import candidate

    columns = [f"x{column}" for column in range(COLUMNS)]
    frame, new_frame = (pd.DataFrame(x.features, columns=columns) for x in (question.users, question.new))
    names = (
        [(s, b) for b in BASES for s in LEARNERS] if question.learner == "all" else [(question.learner, question.base)]
    )
    propensity = {0: 0.5, 1: 0.5} if question.known else None

    def answer() -> Effects:
        X, X_new, effects = DesignMatrix(frame), DesignMatrix(new_frame), {}
        for learner, base in names:
            fitted = candidate(f"{learner}_{base}", n_jobs=THREADS, parameters=SAME_AS_PEERS[base])
            fitted.fit(X, question.users.outcome, question.users.treated, control=0, propensity=propensity)
            effects[f"{learner}_{base}"] = fitted.predict(X_new)
        return effects

    return answer


def causalml(question: Question) -> Callable[[], Effects]:
    from causalml.inference.meta import BaseSRegressor, BaseTRegressor, BaseXRegressor

    learner = {"s": BaseSRegressor, "t": BaseTRegressor, "x": BaseXRegressor}[question.learner]
    users, new = question.users, question.new.features

    def given(rows: int) -> dict[str, Any]:
        return {"p": np.full(rows, 0.5)} if question.known and question.learner == "x" else {}

    def answer() -> Effects:
        fitted = learner(question.model())
        fitted.fit(users.features, users.treated, users.outcome, **given(len(users.features)))
        return {question.name: fitted.predict(new, **given(len(new))).ravel()}

    return answer


def econml(question: Question) -> Callable[[], Effects]:
    from econml.metalearners import SLearner, TLearner, XLearner
    from sklearn.dummy import DummyClassifier

    given = {"propensity_model": DummyClassifier()} if question.known else {}
    users = question.users

    def answer() -> Effects:
        model = question.model()
        learner = {
            "s": lambda: SLearner(overall_model=model),
            "t": lambda: TLearner(models=model),
            "x": lambda: XLearner(models=model, **given),
        }[question.learner]()
        learner.fit(users.outcome, users.treated, X=users.features)
        return {question.name: learner.effect(question.new.features).ravel()}

    return answer


def sklift(question: Question) -> Callable[[], Effects]:
    from sklift.models import SoloModel, TwoModels

    users = question.users

    def answer() -> Effects:
        single = question.learner == "s"
        learner = SoloModel(question.model()) if single else TwoModels(question.model(), question.model())
        learner.fit(users.features, users.outcome, users.treated)
        return {question.name: np.asarray(learner.predict(question.new.features)).ravel()}

    return answer


LIBRARIES = {"floor": floor, "causal_tasks": ours, "causalml": causalml, "econml": econml, "sklift": sklift}


def accuracy(effects: Effects, truth: Any) -> dict[str, dict[str, float]]:
    """Correlation with the true effects and root mean squared error, by candidate."""
    return {
        name: {
            "correlation": float(np.corrcoef(found, truth)[0, 1]),
            "rmse": float(np.sqrt(np.mean((found - truth) ** 2))),
        }
        for name, found in effects.items()
    }


def main() -> None:
    """Answer once and print what that took, and how right it was, as one line of JSON."""
    library, learner, base, rows, propensity = sys.argv[1:]

    def asked(count: int) -> tuple[Callable[[], Effects], Any]:
        users, new = simulated(count, SEED), simulated(count, SEED + 1)
        return LIBRARIES[library](Question(learner, base, propensity == "known", users, new)), new.effect

    asked(WARM_UP_ROWS)[0]()  # whatever is imported or started only when it is needed
    answer, truth = asked(int(rows))
    taken = taken_by(answer)
    found = {"accuracy": accuracy(taken.pop("answer"), truth)}
    print(json.dumps(taken | found | {"version": importlib.metadata.version(PACKAGES[library])}))


if __name__ == "__main__":
    main()
