"""Simulated experiments of known effects, mined as the pipeline mines them, without files."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd

CONTROL, NEW = "control", "new"
FOLDS = 5


@dataclass(frozen=True)
class Design:
    """What is simulated.

    Attributes:
        users: How many.
        share: Of users in treatment.
        noise: Draws the noise of n users.
        effect: Effect on the users of the planted group, outcome units.
        group: Share of users in the planted group.
    """

    users: int
    share: float = 0.5
    noise: str = "normal"
    effect: float = 0.0
    group: float = 0.2


NOISE: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda random, n: random.normal(size=n),
    "heavy": lambda random, n: random.lognormal(sigma=1.5, size=n),
}


@dataclass(frozen=True)
class Simulated:
    """Users with their truth.

    Attributes:
        features: Eight columns, numeric and text.
        outcome: Shape (n,).
        arm: Shape (n,), labels.
        effect: Shape (n,), true effect on each user.
        group: Shape (n,), whether the user is in the planted group.
        discovery: Shape (n,).
        fold: Shape (n,).
        share: Of users in treatment.
    """

    features: pd.DataFrame
    outcome: np.ndarray
    arm: np.ndarray
    effect: np.ndarray
    group: np.ndarray
    discovery: np.ndarray
    fold: np.ndarray
    share: float


def simulated(design: Design, seed: int) -> Simulated:
    """Users of a randomised experiment whose features explain a part of the outcome."""
    random = np.random.default_rng(seed)
    n = design.users
    features = pd.DataFrame({f"x{k}": random.normal(size=n).astype("float32") for k in range(5)})
    features["u"] = random.random(n).astype("float32")
    features["city"] = pd.Categorical(random.choice(list("abcde"), n))
    features["vip"] = random.integers(0, 2, n).astype("int8")
    group = ((features["u"] < 2 * design.group) & (features["vip"] == 1)).to_numpy()
    treated = random.random(n) < design.share
    effect = design.effect * group
    base = 0.7 * features["x0"] + 0.5 * (features["city"] == "a") + 0.3 * features["vip"]
    outcome = base.to_numpy() + NOISE[design.noise](random, n) + effect * treated
    return Simulated(
        features=features,
        outcome=outcome,
        arm=np.where(treated, NEW, CONTROL).astype(object),
        effect=effect,
        group=group,
        discovery=random.random(n) < 0.6,
        fold=random.integers(0, FOLDS, n),
        share=design.share,
    )


def mined(data: Simulated, *, stability_trees: int = 50, seed: int = 0) -> Any:
    """What the stages from ``train`` to ``mine`` find with one light candidate."""
    from causal_tasks.base_models import LightGBM
    from causal_tasks.subpopulations import mine
    from causal_tasks.uplift import TLearner, predict_out_of_fold

    learner = TLearner(LightGBM(n_estimators=25, num_leaves=15, learning_rate=0.2, n_jobs=1, random_state=seed))
    shares = {CONTROL: 1 - data.share, NEW: data.share}
    rows = data.discovery
    fitted = predict_out_of_fold(
        learner,
        data.features[rows],
        data.outcome[rows],
        data.arm[rows],
        data.fold[rows],
        control=CONTROL,
        propensity=shares,
    )
    means = pd.DataFrame(np.empty((len(data.outcome), 2)), columns=[CONTROL, NEW])
    means[rows] = fitted.outcomes[[CONTROL, NEW]].to_numpy()
    means[~rows] = fitted.predict_outcomes(data.features[~rows])[[CONTROL, NEW]].to_numpy()
    return mine(
        data.features,
        pd.DataFrame({NEW: means[NEW] - means[CONTROL]}),
        data.outcome,
        data.arm,
        control=CONTROL,
        discovery=data.discovery,
        means=means,
        shares=shares,
        stability_trees=stability_trees,
        seed=seed,
    )


def in_parallel(function: Callable[..., Any], arguments: Iterable[Sequence[Any]], *, workers: int = 2) -> list[Any]:
    """Results in the order of the arguments; every worker is a process of its own with one thread a fit."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(function, *several) for several in arguments]
        return [future.result() for future in futures]
