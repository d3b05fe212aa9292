"""Stage ``mine``: from the winner's predictions to subpopulations with honest evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causal_tasks.data.columns import outcome_columns
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri
from causal_tasks.subpopulations import mining
from causal_tasks.subpopulations.evidence import Mask, Vector
from causal_tasks.subpopulations.ranking import ranking_evidence
from causal_tasks.subpopulations.records import Mining
from causal_tasks.uplift.outcome import outcome_baseline, user_outcome


def mine(context: StageContext) -> dict[str, Uri]:
    """Write ``subpopulations``, ``tree`` and ``evidence``; returns their addresses.

    Raises:
        InputError: No feature may be shown in a rule, predictions do not belong to the users, or as for
            ``causal_tasks.subpopulations.mine``.
    """
    users = _Users.read(context)
    found = _mined(users, context)
    return {
        "subpopulations": context.write_json("subpopulations.json", [s.to_json() for s in found.subpopulations]),
        "tree": context.write_json("tree.json", {arm: root.to_json() for arm, root in found.trees.items()}),
        "evidence": context.write_json("evidence.json", _evidence(users, found, context.experiment)),
    }


@dataclass(frozen=True, slots=True)
class _Users:
    """The users whose primary metric is known, with the winner's predictions."""

    frame: pd.DataFrame
    features: Sequence[str]
    outcome: Vector
    predictions: pd.DataFrame
    baseline: float

    @classmethod
    def read(cls, context: StageContext) -> Self:
        """The users of the run.

        Raises:
            InputError: No feature may be shown in a rule, or predictions do not belong to the users.
        """
        experiment = context.experiment
        metric = experiment.primary
        features = rule_features(context.read_json("validate", "features")["used"], experiment)
        design = ["unit", "arm", "part", *(["cluster"] if experiment.cluster else [])]
        frame = context.read_table("prepare", "users", [*design, *outcome_columns(metric), *features])
        predictions = context.read_table("select", "predictions")
        if not np.array_equal(frame["unit"].to_numpy(), predictions["unit"].to_numpy()):
            raise InputError(
                f"predictions: {len(predictions)} units that are not the {len(frame)} of users, in their order",
                remedy="run train and select anew on these users",
            )
        outcome = user_outcome(frame, metric, control=experiment.control)
        known = ~np.isnan(outcome)
        baseline = outcome_baseline(frame, metric, control=experiment.control)
        return cls(frame[known], features, outcome[known], predictions[known], baseline)

    @property
    def discovery(self) -> Mask:
        """Shape (n,), whether the user is in the discovery part."""
        return (self.frame["part"] == "discovery").to_numpy(dtype=bool)

    @property
    def arm(self) -> Any:
        """Shape (n,), arm labels."""
        return self.frame["arm"].astype(object).to_numpy()

    @property
    def clusters(self) -> ArrayLike | None:
        """Shape (n,); None where the experiment names none."""
        return self.frame["cluster"].to_numpy() if "cluster" in self.frame else None


def rule_features(used: Sequence[str], experiment: Experiment) -> list[str]:
    """The features that may be shown in a rule: those used, without the sensitive ones.

    Raises:
        InputError: None is left.
    """
    shown = [name for name in used if not experiment.features[name].sensitive]
    if not shown:
        raise InputError(
            f"features: all of {list(used)} are sensitive, so no rule can be written",
            remedy="add features that may be shown, or correct features.dictionary",
        )
    return shown


def _mined(users: _Users, context: StageContext) -> Mining:
    experiment = context.experiment
    metric = experiment.primary
    return mining.mine(
        users.frame[list(users.features)],
        # Rules speak of effects in the metric's own unit; turning the benefit scale once more gives it back.
        metric.benefit(_by_arm(users.predictions, "uplift__", experiment.treatments)),
        users.outcome,
        users.arm,
        control=experiment.control,
        discovery=users.discovery,
        means=_by_arm(users.predictions, "mean__", experiment.arms),
        shares=_shares(users, experiment),
        clusters=users.clusters,
        sign=metric.sign,
        baseline=users.baseline,
        validity=_validity(context),
        max_depth=experiment.mining.max_depth,
        min_share=experiment.mining.min_share,
        names=experiment.features.display_names(),
        seed=experiment.mining.seed,
    )


def _by_arm(predictions: pd.DataFrame, prefix: str, arms: Sequence[str]) -> pd.DataFrame:
    return predictions[[f"{prefix}{arm}" for arm in arms]].set_axis(list(arms), axis=1).astype(np.float64)


def _shares(users: _Users, experiment: Experiment) -> Mapping[str, float]:
    """Probability of each arm: the design's, or the observed one where nobody randomised."""
    if experiment.randomized:
        return experiment.expected_shares
    return dict(pd.Series(users.arm[users.discovery]).value_counts(normalize=True))


def _validity(context: StageContext) -> Any:
    """The verdict on the experiment; a comparison without randomisation confirms nothing, whatever the checks say."""
    return context.read_json("validate", "verdict")["status"] if context.experiment.randomized else "invalid"


def _evidence(users: _Users, found: Mining, experiment: Experiment) -> dict[str, Any]:
    rankings = {arm: _ranking(users, arm, experiment) for arm in experiment.treatments}
    return {
        "rules_examined": found.rules_examined,
        "n_estimation": found.n_estimation,
        "detectable": {
            arm: {f"{share:g}": effect for share, effect in by_share.items()}
            for arm, by_share in found.detectable.items()
        },
        **{
            part: {arm: ranking[part] for arm, ranking in rankings.items()}
            for part in ("auuc", "qini", "curve", "buckets")
        },
    }


def _ranking(users: _Users, treatment: str, experiment: Experiment) -> dict[str, Any]:
    rows = ~users.discovery & np.isin(users.arm, (experiment.control, treatment))
    return ranking_evidence(
        users.outcome[rows],
        users.predictions[f"uplift__{treatment}"].to_numpy(dtype=np.float64)[rows],
        users.arm[rows] == treatment,
        experiment.primary,
        clusters=None if users.clusters is None else np.asarray(users.clusters)[rows],
        seed=experiment.mining.seed,
    )
