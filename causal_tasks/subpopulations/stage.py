"""Stage ``mine``: from the winner's predictions to subpopulations with honest evidence."""

from typing import Any

import numpy as np

from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri
from causal_tasks.subpopulations.follow_up import follow_ups
from causal_tasks.subpopulations.heterogeneity import characteristic_evidence, heterogeneity_evidence
from causal_tasks.subpopulations.inputs import Inputs
from causal_tasks.subpopulations.mining import mine_users
from causal_tasks.subpopulations.multiplicity import FALSE_DISCOVERY_RATE
from causal_tasks.subpopulations.placebo import placebo_evidence
from causal_tasks.subpopulations.policy import TargetRule, policy_evidence, treatment_cost
from causal_tasks.subpopulations.ranking import ranking_evidence
from causal_tasks.subpopulations.records import Mining
from causal_tasks.subpopulations.scored import Scored

Record = dict[str, Any]


def mine(context: StageContext) -> dict[str, Uri]:
    """Write ``subpopulations``, ``tree``, ``evidence``, ``follow_up`` and ``placebo``; returns their addresses.

    Raises:
        InputError: No feature may be shown in a rule, predictions do not belong to the users, nobody can be compared,
            or as for ``causal_tasks.subpopulations.mine``.
    """
    inputs = Inputs.read(context)
    found = mine_users(inputs.users, inputs.uplift, inputs.search)
    subpopulations = [subpopulation.to_json() for subpopulation in found.subpopulations]
    planned = follow_ups(context.experiment, subpopulations, inputs.frame, caps=inputs.caps)
    return {
        "subpopulations": context.write_json("subpopulations.json", subpopulations),
        "tree": context.write_json("tree.json", {arm: root.to_json() for arm, root in found.trees.items()}),
        "evidence": context.write_json("evidence.json", _evidence(inputs, found, context.experiment)),
        "follow_up": context.write_json("follow_up.json", planned),
        "placebo": context.write_json("placebo.json", placebo_evidence(context, inputs, found)),
    }


def _evidence(inputs: Inputs, found: Mining, experiment: Experiment) -> Record:
    by_arm = {arm: _of_treatment(inputs, found, arm, experiment) for arm in experiment.treatments}
    return {
        "rules_examined": found.rules_examined,
        "n_estimation": found.n_estimation,
        "family": {"examined": found.rules_examined, "selected": found.rules_selected, "q": FALSE_DISCOVERY_RATE},
        "repeats": [repeat.to_json() for repeat in found.repeats],
        "notes": list(found.notes),
        "detectable": {
            arm: {f"{share:g}": effect for share, effect in by_share.items()}
            for arm, by_share in found.detectable.items()
        },
        **({} if experiment.randomized else {"trimmed": dict(found.trimmed)}),
        **{
            part: {arm: evidence[part] for arm, evidence in by_arm.items()} for part in by_arm[experiment.treatments[0]]
        },
    }


def _of_treatment(inputs: Inputs, found: Mining, treatment: str, experiment: Experiment) -> Record:
    """Everything that is said of one treatment as a whole."""
    metric, seed, test = experiment.primary, experiment.mining.seed, found.omnibus[treatment]
    scored = Scored.of(inputs.users, inputs.uplift[treatment].to_numpy(), treatment, sign=metric.sign)
    if scored.independent_per_arm < 2:
        raise InputError(
            f"{treatment}: of {len(scored.treated)} estimation users that can be compared, an arm has "
            f"{scored.independent_per_arm} that are independent",
            remedy="compare arms that share users of one kind, or add users or clusters",
        )
    features = inputs.users.features[scored.rows]
    return {
        **ranking_evidence(scored, metric, seed=seed),
        "autoc": None if test.autoc is None else test.autoc.model_dump(mode="json"),
        "heterogeneity": heterogeneity_evidence(scored, test),
        "characteristics": characteristic_evidence(features, scored),
        "policy": policy_evidence(
            scored.effect,
            scored.uplift,
            _targets(found, features, treatment, sign=metric.sign),
            cost=treatment_cost(experiment.mining.costs, treatment, experiment.control),
            clusters=scored.clusters,
        ),
    }


def _targets(found: Mining, features: Any, treatment: str, *, sign: int) -> list[TargetRule]:
    """The rules to act on: told or not, as it was estimation users who decided which of two alike is told."""
    told = {rule.rule: rule.id for rule in found.subpopulations if rule.treatment == treatment}
    told |= {repeat.rule: repeat.of for repeat in found.repeats if repeat.treatment == treatment}
    examined = {rule.rule: rule for rule in found.examined if rule.treatment == treatment}
    return [
        TargetRule(
            id=identity,
            kind=examined[rule].kind,
            predicted=sign * examined[rule].predicted,
            inside=np.asarray(rule.mask(features), dtype=bool),
        )
        for rule, identity in told.items()
    ]
