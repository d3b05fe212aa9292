"""``python -m benchmarks.peers.matching LIBRARY TASK USERS``: one library matches simulated users once."""

import importlib.metadata
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.peers.stopwatch import taken_by

SEED = 7
COVARIATES = 20
CALIPER = 0.2
PACKAGES = {"causal_tasks": "causal-tasks", "causalml": "causalml"}
"""Distribution by library."""


@dataclass(frozen=True)
class Users:
    """Users of whom about three in ten were treated, the likelier the larger two of their covariates."""

    covariates: Any
    treated: Any
    propensity: Any
    outcome: Any


def simulated(users: int) -> Users:
    """Standard normal covariates, shape (users, 20), and the true propensities."""
    random = np.random.default_rng(SEED)
    x = random.normal(size=(users, COVARIATES))
    propensity = 1 / (1 + np.exp(-(x[:, 0] + 0.5 * x[:, 1] - 1)))
    return Users(x, random.random(users) < propensity, propensity, x[:, 0] + random.normal(size=users))


def ours(task: str, users: Users) -> Callable[[], Any]:
    from causal_tasks.effects import cross_fitted_propensity, match_on_propensity, standardized_mean_differences
    from causal_tasks.effects.matched_units import match_in_buckets
    from causal_tasks.effects.nearest_neighbour import nearest_pairs

    caliper = CALIPER * float(users.propensity.std())

    def whole(method: str) -> float:
        found = match_on_propensity(
            users.outcome, users.treated, users.covariates, propensity=users.propensity, method=method
        )
        return float(found.matched["treatment"])

    return {
        "pairs": lambda: len(nearest_pairs(users.propensity, users.treated, caliper=caliper)[0]),
        "buckets": lambda: match_in_buckets(users.propensity, users.treated, buckets=20).n_treatment,
        "balance": lambda: float(standardized_mean_differences(users.covariates, users.treated)["difference"].max()),
        "propensity": lambda: log_loss(users, cross_fitted_propensity(users.covariates, users.treated).values),
        "matching_nearest": lambda: whole("nearest"),
        "matching_buckets": lambda: whole("buckets"),
    }[task]


def causalml(task: str, users: Users) -> Callable[[], Any]:
    import pandas as pd
    from causalml.match import NearestNeighborMatch, create_table_one
    from causalml.propensity import ElasticNetPropensityModel

    names = [f"x{column}" for column in range(COVARIATES)]
    frame = pd.DataFrame(users.covariates, columns=names).assign(w=users.treated.astype(int), ps=users.propensity)
    matcher = NearestNeighborMatch(caliper=CALIPER, replace=False, random_state=SEED)
    model = ElasticNetPropensityModel()
    return {
        "pairs": lambda: len(matcher.match(frame, "w", ["ps"])) // 2,
        "balance": lambda: float(pd.to_numeric(create_table_one(frame, "w", names)["SMD"].iloc[1:]).max()),
        "propensity": lambda: log_loss(users, model.fit_predict(users.covariates, frame["w"].to_numpy())),
    }[task]


def log_loss(users: Users, propensity: Any) -> float:
    """Mean negative log likelihood of the treatments."""
    return float(-np.log(np.where(users.treated, propensity, 1 - propensity)).mean())


LIBRARIES = {"causal_tasks": ours, "causalml": causalml}


def main() -> None:
    """Answer one task and print what that took as one line of JSON."""
    library, task, users = sys.argv[1], sys.argv[2], int(sys.argv[3])
    taken = taken_by(LIBRARIES[library](task, simulated(users)))
    print(json.dumps(taken | {"version": importlib.metadata.version(PACKAGES[library])}))


if __name__ == "__main__":
    main()
