"""Stage ``replicate``: the winner learns once more, from another seed or where there is nothing to find.

What its rules would be with other seeds tells how stable they are; what it finds on arms dealt anew, or on the days
before anybody was treated, tells how many rules a run finds by chance alone.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.data.columns import pre_window_columns
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri
from causal_tasks.uplift.learner import UpliftLearner
from causal_tasks.uplift.stages.fitting import Matrices, cross_fit, predict_everybody, unfitted, uplift_of
from causal_tasks.uplift.stages.users import Users

SEEDS = ("seed_1", "seed_2")
PRE_PERIOD = "pre_period"
PERMUTED = "permuted_"

MOST_USERS = 200_000
"""Users that a replication learns from and is judged on; more would cost time and tell no more."""


def replications(experiment: Experiment) -> list[str]:
    """What the winner is fitted on once more.

    Arms that nobody dealt at random are not dealt anew: that would remove the very confounding that finds rules.
    """
    has_past = experiment.window.pre_days > 0 and not experiment.primary.is_ratio
    placebos = [PRE_PERIOD] if has_past and experiment.mining.placebos else []
    if experiment.randomized:
        placebos += [f"{PERMUTED}{number}" for number in range(1, experiment.mining.placebos + 1)]
    return [*(SEEDS if experiment.mining.stability_trees else ()), *placebos]


def is_placebo(item: str) -> bool:
    """Whether rules that a replication finds are false by construction."""
    return item not in SEEDS


def together(item: str) -> str:  # noqa: ARG001 - asked for each item
    """What a replication shares with others: all of them learn with the same base model from the same users."""
    return "all"


def replicate(context: StageContext) -> dict[str, Uri]:
    """Write ``predictions`` of the replication ``context.item``; returns their address.

    Raises:
        InputError: No user is left, or as for ``train``.
    """
    item = str(context.item)
    features: list[str] = context.read_json("validate", "features")["used"]
    everybody = context.shared("users", lambda: _sampled(Users.read(context, [*features, *_past(context.experiment)])))
    users = _replicated(everybody, item)
    # The same users but where some have no past.
    matrices = context.shared(("matrices", item == PRE_PERIOD), lambda: Matrices.of(users, features))
    fitted = cross_fit(_winner(context, item), users, matrices)
    means = predict_everybody(fitted, users, matrices)
    predictions = pd.concat(
        [
            users.frame["unit"],
            pd.Series(users.arm.astype(np.int16), name="arm"),
            pd.Series(users.outcome, name="outcome"),
            uplift_of(means, context.experiment).add_prefix("uplift__"),
            means.add_prefix("mean__"),
        ],
        axis=1,
    )
    return {"predictions": context.write_table("predictions.parquet", predictions)}


def _past(experiment: Experiment) -> tuple[str, ...]:
    """Columns of the days before anybody was treated, where a replication learns from them."""
    return pre_window_columns(experiment.primary) if PRE_PERIOD in replications(experiment) else ()


def _winner(context: StageContext, item: str) -> UpliftLearner:
    """The winner, unfitted, with the seed of the replication."""
    best = context.read_json("select", "selection")["board"][0]
    learner = unfitted(context, best["candidate"], best["parameters"])
    if item in SEEDS:
        return learner.with_parameters({"random_state": context.experiment.mining.seed + 1 + SEEDS.index(item)})
    return learner


def _sampled(users: Users) -> Users:
    """At most ``MOST_USERS`` of those that have an outcome."""
    known = np.flatnonzero(~np.isnan(users.outcome))
    if len(known) > MOST_USERS:
        random = np.random.default_rng(users.experiment.mining.seed)
        known = np.sort(random.choice(known, MOST_USERS, replace=False))
    return _of(users, known)


def _replicated(users: Users, item: str) -> Users:
    """The users as the replication wants them: another outcome, or other arms."""
    if item == PRE_PERIOD:
        (column,) = pre_window_columns(users.experiment.primary)
        before = users.frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
        users = replace(users, outcome=before)
        known = np.flatnonzero(~np.isnan(before))
        if not len(known):
            raise InputError(
                f"users: nobody has a value of {column!r}", remedy="check the days before the start, or set pre_days"
            )
        return _of(users, known)
    if item.startswith(PERMUTED):
        number = int(item.removeprefix(PERMUTED))
        random = np.random.default_rng([users.experiment.mining.seed, number])
        arm = dealt_anew(users, random)
        return replace(users, arm=arm, outcome=with_one_effect_for_all(users, arm))
    return users


def dealt_anew(users: Users, random: np.random.Generator) -> NDArray[np.intp]:
    """Arms permuted among the users (whole clusters) of each part, shape (n,): as many in each as there were."""
    arm = users.arm.copy()
    cluster = users.frame["cluster"].to_numpy() if users.experiment.cluster else np.arange(len(arm))
    for part in (users.discovery, ~users.discovery):
        members, first, position = np.unique(cluster[part], return_index=True, return_inverse=True)
        arm[part] = arm[part][first][random.permutation(len(members))][position]
    return arm


def with_one_effect_for_all(users: Users, arm: NDArray[np.intp]) -> NDArray[np.float64]:
    """Outcomes, shape (n,), as if every arm had its average effect on everybody and users were in ``arm``.

    So a placebo differs from the experiment in one thing: no user's effect differs from another's. An outcome of 0 and
    1 stays as it is, without any effect, for a share of an event is no outcome.
    """
    if np.isin(users.outcome, (0.0, 1.0)).all():
        return users.outcome
    means = np.bincount(users.arm, users.outcome) / np.bincount(users.arm)
    effects = means - means[0]
    moved: NDArray[np.float64] = users.outcome - effects[users.arm] + effects[arm]
    return moved


def _of(users: Users, rows: NDArray[np.intp]) -> Users:
    return replace(
        users,
        frame=users.frame.iloc[rows].reset_index(drop=True),
        outcome=users.outcome[rows],
        arm=users.arm[rows],
        discovery=users.discovery[rows],
        propensity_scores=None if users.propensity_scores is None else users.propensity_scores[rows],
    )
