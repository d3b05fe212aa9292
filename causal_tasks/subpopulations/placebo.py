"""How many rules a run finds by chance: the same search where every rule is false by construction."""

from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.subpopulations.inputs import Inputs, own_unit, predicted_means
from causal_tasks.subpopulations.mining import mine_users
from causal_tasks.subpopulations.multiplicity import FALSE_DISCOVERY_RATE
from causal_tasks.subpopulations.records import Mining
from causal_tasks.subpopulations.users import Users
from causal_tasks.uplift.stages.replicate import is_placebo, replications

Record = dict[str, Any]


def placebo_evidence(context: StageContext, inputs: Inputs, found: Mining) -> Record | None:
    """Rules found by chance against rules found, as JSON; None where the experiment asks for no placebo.

    Rules that would be shown are counted: those with q at most 10 % (``discovered``) and those confirmed. Guardrails
    are left out, as they can only lower the counts.

    Args:
        context: Of stage ``mine``.
        inputs: What it reads.
        found: What it found on the real arms and days.

    Raises:
        InputError: Predictions of a placebo do not belong to the users.
    """
    wanted = [item for item in replications(context.experiment) if is_placebo(item)]
    if not wanted:
        return None
    there = {str(manifest.item) for manifest in context.inputs["replicate"]}
    done = [_mined(context, inputs, item) for item in wanted if item in there]
    counts = _counts(found)
    return {
        "items": done,
        "missing": [item for item in wanted if item not in there],
        "expected": fmean(one["confirmed"] for one in done) if done else None,
        "expected_discovered": fmean(one["discovered"] for one in done) if done else None,
        "found": counts["confirmed"],
        "found_discovered": counts["discovered"],
    }


def _mined(context: StageContext, inputs: Inputs, item: str) -> Record:
    predictions = context.read_table("replicate", "predictions", item=item)
    users = _users(predictions, inputs, context.experiment, item)
    uplift = own_unit(predictions, context.experiment)
    search = replace(inputs.search, baseline=0.0, seeds=None, guardrails={})
    return {"item": item, "users": len(predictions), **_counts(mine_users(users, uplift, search))}


def _users(predictions: pd.DataFrame, inputs: Inputs, experiment: Experiment, item: str) -> Users:
    """The users of a placebo, with the features, parts and propensities that they really have."""
    known = pd.Index(inputs.units).get_indexer(predictions["unit"])
    if (known < 0).any():
        raise InputError(
            f"replicate/{item}: {int((known < 0).sum())} of {len(known)} units are not among the users",
            remedy="run the stages before anew on these users",
        )
    real = inputs.users
    return Users.checked(
        real.features.iloc[known],
        predictions["outcome"].to_numpy(),
        np.array(experiment.arms, dtype=object)[predictions["arm"].to_numpy()],
        arms=real.arms,
        discovery=real.discovery[known],
        means=predicted_means(predictions, experiment),
        shares=real.shares,
        propensity=None if real.propensity is None else pd.DataFrame(dict(real.propensity)).iloc[known],
        clusters=None if real.clusters is None else real.clusters[known],
        overlap=real.overlap,
    )


def _counts(mining: Mining) -> Record:
    shown = mining.subpopulations
    return {
        "examined": mining.rules_examined,
        "discovered": sum(rule.q_value <= FALSE_DISCOVERY_RATE for rule in shown),
        "confirmed": sum(rule.grade == "confirmed" for rule in shown),
        "promising": sum(rule.grade == "promising" for rule in shown),
    }
