"""What stage ``mine`` reads, brought into the form that mining works on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from causal_tasks.data.columns import outcome_columns
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment, Metric
from causal_tasks.run_folder import StageContext
from causal_tasks.subpopulations.evidence import Vector
from causal_tasks.subpopulations.follow_up import follow_up_columns
from causal_tasks.subpopulations.guardrails import Guardrail
from causal_tasks.subpopulations.ratio import Ratio
from causal_tasks.subpopulations.search import Search
from causal_tasks.subpopulations.users import Users
from causal_tasks.uplift.outcome import outcome_baseline, user_outcome
from causal_tasks.uplift.stages.replicate import SEEDS


@dataclass(frozen=True, slots=True)
class Inputs:
    """The users of a run with the winner's predictions.

    Attributes:
        frame: All analysed users, as ``prepare`` wrote them, with the columns that are read here.
        users: Those whose primary metric is known.
        units: Their ids.
        uplift: For the same, predicted effects in the metric's own unit, one column for each treatment.
        search: How rules are searched for.
        caps: Caps that ``prepare`` applied, by metric.
    """

    frame: pd.DataFrame
    users: Users
    units: "pd.Series[Any]"
    uplift: pd.DataFrame
    search: Search
    caps: Mapping[str, Any]

    @classmethod
    def read(cls, context: StageContext) -> Self:
        """The inputs of the stage.

        Raises:
            InputError: No feature may be shown in a rule, or predictions do not belong to the users.
        """
        experiment = context.experiment
        metric = experiment.primary
        features = rule_features(context.read_json("validate", "features")["used"], experiment)
        frame = context.read_table("prepare", "users", _columns(experiment, features))
        predictions = context.read_table("select", "predictions")
        _require_same_units(frame, predictions, "predictions")
        outcome = user_outcome(frame, metric, control=experiment.control)
        known = ~np.isnan(outcome)
        rows = frame[known]
        baseline = outcome_baseline(frame, metric, control=experiment.control)
        return cls(
            frame=frame,
            users=Users.checked(
                rows[list(features)],
                outcome[known],
                rows["arm"].astype(object).to_numpy(),
                arms=experiment.arms,
                discovery=(rows["part"] == "discovery").to_numpy(dtype=bool),
                means=predicted_means(predictions[known], experiment),
                shares=experiment.expected_shares if experiment.randomized else _observed_shares(rows),
                propensity=None if experiment.randomized else _propensity(context, frame)[known],
                clusters=rows["cluster"].to_numpy() if experiment.cluster else None,
                ratio=Ratio(*_values(rows, metric)) if metric.is_ratio else None,
                baseline=baseline,
                overlap=(experiment.thresholds.propensity, 1 - experiment.thresholds.propensity),
            ),
            units=rows["unit"],
            uplift=own_unit(predictions[known], experiment),
            search=_search(context, rows, features, baseline=baseline),
            caps=context.read_json("prepare", "profile")["caps"],
        )


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


def _columns(experiment: Experiment, features: Sequence[str]) -> list[str]:
    guarded = [column for metric in _guardrails(experiment) for column in outcome_columns(metric)]
    return list(dict.fromkeys(["unit", *follow_up_columns(experiment), *guarded, *features]))


def _guardrails(experiment: Experiment) -> list[Metric]:
    return [metric for metric in experiment.metrics if metric.role == "guardrail"]


def _require_same_units(frame: pd.DataFrame, table: pd.DataFrame, name: str) -> None:
    if not np.array_equal(frame["unit"].to_numpy(), table["unit"].to_numpy()):
        raise InputError(
            f"{name}: {len(table)} units that are not the {len(frame)} of users, in their order",
            remedy="run the stages before anew on these users",
        )


def _by_arm(table: pd.DataFrame, prefix: str, arms: Sequence[str]) -> pd.DataFrame:
    return table[[f"{prefix}{arm}" for arm in arms]].set_axis(list(arms), axis=1).astype(np.float64)


def predicted_means(predictions: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Predicted outcomes by arm, as the learning stages write them."""
    return _by_arm(predictions, "mean__", experiment.arms)


def own_unit(predictions: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Predicted effects as rules speak of them; turning the benefit scale once more gives the metric's own unit."""
    uplift: pd.DataFrame = experiment.primary.benefit(_by_arm(predictions, "uplift__", experiment.treatments))
    return uplift


def _observed_shares(rows: pd.DataFrame) -> dict[Any, float]:
    return dict(rows.loc[rows["part"] == "discovery", "arm"].value_counts(normalize=True))


def _propensity(context: StageContext, frame: pd.DataFrame) -> pd.DataFrame:
    table = context.read_table("validate", "propensity")
    _require_same_units(frame, table, "propensity")
    return _by_arm(table, "propensity__", context.experiment.treatments)


def _search(context: StageContext, rows: pd.DataFrame, features: Sequence[str], *, baseline: float) -> Search:
    experiment = context.experiment
    return Search(
        sign=experiment.primary.sign,
        baseline=baseline,
        validity=context.read_json("validate", "verdict")["status"],
        max_depth=experiment.mining.max_depth,
        min_share=experiment.mining.min_share,
        stability_trees=experiment.mining.stability_trees,
        seeds=_seeds(context, rows["unit"]),
        guardrails={metric.name: _guardrail(rows, metric) for metric in _guardrails(experiment)},
        names=experiment.features.display_names(),
        actionable=frozenset(name for name in features if experiment.features[name].actionable),
        seed=experiment.mining.seed,
    )


def _values(rows: pd.DataFrame, metric: Metric) -> list[Vector]:
    """A metric by user; of a ratio its numerator and its denominator."""
    return [rows[column].to_numpy(dtype=np.float64, na_value=np.nan) for column in outcome_columns(metric)]


def _guardrail(rows: pd.DataFrame, metric: Metric) -> Guardrail:
    outcome, *denominator = _values(rows, metric)
    return Guardrail(outcome, metric.sign, *denominator)


def _seeds(context: StageContext, units: "pd.Series[Any]") -> dict[str, Vector] | None:
    """Predictions of the winner with other seeds by treatment, shape (n, S); NaN for users left out of the fits."""
    items = [str(manifest.item) for manifest in context.inputs.get("replicate", ()) if manifest.item in SEEDS]
    if not items:
        return None
    tables = [context.read_table("replicate", "predictions", item=item).set_index("unit") for item in items]
    # The sign of a prediction matters, so it has to be that of the metric's own unit here as well.
    aligned = [context.experiment.primary.benefit(table.filter(like="uplift__")).reindex(units) for table in tables]
    return {
        arm: np.column_stack([table[f"uplift__{arm}"].to_numpy(dtype=np.float64) for table in aligned])
        for arm in context.experiment.treatments
    }
