"""Mining subpopulations: rules are grown on discovery users and weighed on estimation users."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from causal_tasks.rule import Text
from causal_tasks.subpopulations.comparison import Comparison, in_words
from causal_tasks.subpopulations.family import family
from causal_tasks.subpopulations.findings import Finding, findings
from causal_tasks.subpopulations.grades import Validity, grade
from causal_tasks.subpopulations.guardrails import Guardrail
from causal_tasks.subpopulations.overlap import jaccard, repeated, unique_shares
from causal_tasks.subpopulations.ratio import Ratio
from causal_tasks.subpopulations.records import Mining, Repeat, Subpopulation
from causal_tasks.subpopulations.search import Search
from causal_tasks.subpopulations.users import Users, require_equal_length


def mine(
    features: pd.DataFrame,
    uplift: pd.DataFrame,
    outcome: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = 0,
    discovery: ArrayLike,
    means: pd.DataFrame | None = None,
    shares: Mapping[Any, float] | None = None,
    propensity: pd.DataFrame | None = None,
    clusters: ArrayLike | None = None,
    sign: int = 1,
    baseline: float = 0.0,
    ratio: Ratio | None = None,
    validity: Validity = "valid",
    max_depth: int = 3,
    min_share: float = 0.03,
    min_users_per_arm: int = 100,
    stability_trees: int = 50,
    seeds: Mapping[Any, ArrayLike] | None = None,
    guardrails: Mapping[str, Guardrail] | None = None,
    names: Mapping[str, Text] | None = None,
    actionable: Collection[str] | None = None,
    seed: int = 0,
) -> Mining:
    """Find groups of users who respond differently, and say how sure that is.

    One tree for each treatment is grown on the predictions for discovery users. Everything said about its rules comes
    from estimation users, of whom neither the models nor the tree have seen an outcome.

    Args:
        features: n rows; numbers, booleans and text, missing values allowed.
        uplift: n rows, one column for each treatment: predicted effect in the outcome's own unit, for discovery users
            out of fold.
        outcome: Shape (n,).
        treatment: Shape (n,), arm labels.
        control: Label of the control arm.
        discovery: Shape (n,), True for users on whom rules are grown; the others give the evidence.
        means: n rows, one column for each arm: outcome predicted in that arm by models that saw discovery users only;
            None: every arm's mean over discovery users.
        shares: Share of users that the design gives each arm; None: equal.
        propensity: n rows, one column for each treatment: probability of being treated for users in control or that
            treatment, where nobody dealt the arms at random. Users with less than 5 % or more than 95 % give no
            evidence, and no rule is confirmed. None: arms were dealt at random.
        clusters: Shape (n,), units that are not independent; None: all are.
        sign: +1 where more of the outcome is better, -1 where less is.
        baseline: Added to control means: the ratio around which a ratio was linearised.
        ratio: Of an outcome (N - baseline D) / d: its N and D, by which effects are those on the ratio of the covered
            users themselves. None: effects are mean differences of the outcome.
        validity: Verdict on the experiment; rules of an invalid one are never confirmed.
        max_depth: Conditions per rule, at most.
        min_share: Smallest share of users that a rule may cover.
        min_users_per_arm: Smallest number of discovery users that a rule may cover in the smallest arm, on average.
        stability_trees: Bootstrap trees by which stability is measured; 0: it is not, and no grade asks for it.
        seeds: By treatment: predictions of models with other seeds, shape (n, S), NaN where one has none; only those
            for discovery users are read.
        guardrails: Metrics that must not get worse, by name.
        names: Display names by feature.
        actionable: Features by which the business can target; None: all.
        seed: Of everything random.

    Raises:
        InputError: Lengths differ, a value is missing, an arm is unknown, the outcome is not the linearisation of
            ``ratio``, or as for ``grow_tree``.
    """
    users = Users.checked(
        features,
        outcome,
        treatment,
        arms=(control, *uplift.columns),
        discovery=discovery,
        means=means,
        shares=shares,
        propensity=propensity,
        clusters=clusters,
        ratio=ratio,
        baseline=baseline,
    )
    search = Search(
        sign=sign,
        baseline=baseline,
        validity=validity,
        max_depth=max_depth,
        min_share=min_share,
        min_users_per_arm=min_users_per_arm,
        stability_trees=stability_trees,
        seeds=seeds,
        guardrails=guardrails or {},
        names=names,
        actionable=actionable,
        seed=seed,
    )
    return mine_users(users, uplift, search)


def mine_users(users: Users, uplift: pd.DataFrame, search: Search) -> Mining:
    """``mine`` for users that were brought into form before.

    Raises:
        InputError: As for ``mine``.
    """
    require_equal_length(
        features=users.features,
        uplift=uplift,
        **{f"guardrail {name}": guardrail.outcome for name, guardrail in search.guardrails.items()},
        **{f"denominator of {name}": guardrail.denominator for name, guardrail in search.guardrails.items()},
        **{f"seeds of {treatment}": predictions for treatment, predictions in (search.seeds or {}).items()},
    )
    comparisons = [
        Comparison.weighed(users, arm, uplift[arm].to_numpy(dtype="float64", na_value=float("nan")), search)
        for arm in uplift.columns
    ]
    examined = family(comparisons, sign=search.sign)
    found = [finding for comparison in comparisons for finding in findings(users, comparison, examined, search)]
    subpopulations, repeats = _told(found, search)
    return Mining(
        subpopulations=subpopulations,
        repeats=repeats,
        trees={str(c.treatment): c.tree(search.names) for c in comparisons},
        examined=tuple(examined.values()),
        omnibus={str(c.treatment): c.omnibus for c in comparisons},
        n_estimation=int((~users.discovery).sum()),
        trimmed={str(c.treatment): users.trimmed(c.treatment) for c in comparisons},
        detectable={str(c.treatment): c.detectable for c in comparisons},
        notes=() if search.stability_trees else ("stability_not_measured",),
    )


def _told(found: Sequence[Finding], search: Search) -> tuple[tuple[Subpopulation, ...], tuple[Repeat, ...]]:
    """The rules in the order in which they are shown, and those that repeat one of them."""
    best_first = sorted(found, key=lambda finding: finding.rank)
    similar = jaccard([finding.inside for finding in best_first])
    repeats = repeated(similar, [finding.examined.kind for finding in best_first])
    kept = [k for k in range(len(best_first)) if k not in repeats]
    kept.sort(key=lambda k: (best_first[k].examined.kind == "negative", -abs(best_first[k].node.predicted)))
    identity = {k: f"s{number}" for number, k in enumerate(kept, start=1)}
    unique = unique_shares([best_first[k].inside for k in kept])
    subpopulations = tuple(
        best_first[k].told(
            identity[k], {identity[other]: float(similar[k, other]) for other in kept if other != k}, share, search
        )
        for k, share in zip(kept, unique, strict=True)
    )
    return subpopulations, tuple(
        Repeat(
            treatment=best_first[k].examined.treatment,
            kind=best_first[k].examined.kind,
            rule=best_first[k].node.rule,
            words=in_words(best_first[k].node.rule, search.names),
            of=identity[better],
            jaccard=float(similar[k, better]),
            grade=grade(best_first[k].case),
        )
        for k, better in repeats.items()
    )
