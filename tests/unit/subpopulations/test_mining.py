"""Mining against planted truth, and against noise."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from causal_tasks.errors import InputError
from causal_tasks.rule import Text
from causal_tasks.subpopulations import Guardrail, Rule, mine
from causal_tasks.subpopulations.evidence import Scores
from causal_tasks.subpopulations.grades import eligible


@dataclass
class Simulated:
    """An experiment in which heavy listeners of one city gain and the others lose a little."""

    features: pd.DataFrame
    uplift: pd.DataFrame
    outcome: np.ndarray
    arm: np.ndarray
    discovery: np.ndarray
    means: pd.DataFrame
    effect: np.ndarray

    def mine(self, **options):
        return mine(
            self.features,
            self.uplift,
            self.outcome,
            self.arm,
            **{"control": "control", "discovery": self.discovery, "means": self.means} | options,
        )


def simulated(seed=0, *, n=40_000, gain=1.0, loss=-0.1, treatments=("new",), noise=0.3, sign=1):
    random = np.random.default_rng(seed)
    features = pd.DataFrame(
        {
            "minutes": random.gamma(2, 20, n),
            "city": pd.Categorical(random.choice(["a", "b", "c"], n)),
            "age": np.where(random.random(n) < 0.1, np.nan, random.integers(15, 60, n)),
        }
    )
    planted = ((features["minutes"] > 30) & (features["city"] == "b")).to_numpy()
    effect = sign * np.where(planted, gain, loss)
    base = 3 + features["minutes"].to_numpy() / 40
    arm = random.choice(["control", *treatments], n)
    outcome = base + effect * (arm != "control") + random.normal(0, 1, n)
    return Simulated(
        features=features,
        uplift=pd.DataFrame({t: effect + random.normal(0, noise, n) for t in treatments}),
        outcome=outcome,
        arm=arm,
        discovery=random.random(n) < 0.6,
        means=pd.DataFrame({"control": base} | dict.fromkeys(treatments, base + effect / 2)),
        effect=effect,
    )


@pytest.fixture(scope="module")
def planted():
    experiment = simulated()
    return experiment, experiment.mine()


def test_a_planted_rule_is_found_in_words_a_person_would_use(planted):
    best = planted[1].subpopulations[0]
    assert (best.kind, best.grade) == ("positive", "confirmed")
    assert set(best.rule.features) == {"minutes", "city"}
    assert "minutes > 30" in best.words["en"]
    assert "city is b" in best.words["en"]


def test_its_effect_lies_within_four_standard_errors_of_the_truth(planted):
    experiment, found = planted
    for subpopulation in found.subpopulations:
        inside = np.asarray(subpopulation.rule.mask(experiment.features)) & ~experiment.discovery
        for estimate, users in ((subpopulation.effect, inside), (subpopulation.rest, ~inside & ~experiment.discovery)):
            assert abs(estimate.estimate - experiment.effect[users].mean()) < 4 * estimate.standard_error
    assert found.subpopulations[0].effect.standard_error < 0.08


def test_the_rest_is_reported_as_a_negative_subpopulation(planted):
    last = planted[1].subpopulations[-1]
    assert last.kind == "negative"
    assert last.effect.estimate < 0
    assert last.contrast.estimate < 0


def test_sizes_belong_to_estimation_users(planted):
    experiment, found = planted
    best = found.subpopulations[0]
    inside = np.asarray(best.rule.mask(experiment.features)) & ~experiment.discovery
    assert best.n_control == (inside & (experiment.arm == "control")).sum()
    assert best.n_treatment == (inside & (experiment.arm == "new")).sum()
    assert best.share == pytest.approx(inside.sum() / (~experiment.discovery).sum())
    assert found.n_estimation == (~experiment.discovery).sum()


def test_the_tree_is_nested_and_its_root_is_the_average_effect(planted):
    experiment, found = planted
    root = found.trees["new"]
    estimation = ~experiment.discovery
    scores = Scores.of(
        experiment.outcome[estimation],
        experiment.arm[estimation] == "new",
        experiment.means["control"][estimation],
        experiment.means["new"][estimation],
        0.5,
    )
    assert root.rule == Rule()
    assert (root.share, root.n) == (1.0, estimation.sum())
    assert root.effect.estimate == pytest.approx(scores.effect.mean())
    assert sum(child.n for child in root.children) == root.n


def test_everything_survives_strict_json(planted):
    _, found = planted
    record = json.loads(json.dumps(found.subpopulations[0].to_json(), allow_nan=False))
    assert Rule.model_validate(record["rule"]) == found.subpopulations[0].rule
    assert record["effect"]["interval"] == list(found.subpopulations[0].effect.interval)
    assert json.loads(json.dumps(found.trees["new"].to_json(), allow_nan=False))["children"][0]["rule"]["all"]


def test_outcomes_of_estimation_users_decide_nothing_but_the_evidence(planted):
    experiment, found = planted
    shuffled = np.where(experiment.discovery, experiment.outcome, np.random.default_rng(0).normal(size=40_000))
    other = mine(
        experiment.features,
        experiment.uplift,
        shuffled,
        experiment.arm,
        control="control",
        discovery=experiment.discovery,
        means=experiment.means,
    )
    assert [s.rule for s in other.subpopulations] == [s.rule for s in found.subpopulations]
    assert other.rules_examined == found.rules_examined
    assert other.subpopulations[0].effect != found.subpopulations[0].effect


def test_the_same_input_gives_the_same_result(planted):
    assert simulated().mine() == planted[1]


def test_where_less_is_better_good_effects_are_negative_numbers():
    found = simulated(sign=-1).mine(sign=-1)
    best, worst = found.subpopulations[0], found.subpopulations[-1]
    assert (best.kind, best.grade, worst.kind) == ("positive", "confirmed", "negative")
    assert best.effect.estimate < 0 < worst.effect.estimate
    assert best.predicted < 0
    assert best.contrast.interval[1] < 0


def test_a_metric_and_its_negative_tell_the_same_story(planted):
    experiment, found = planted
    mirrored = mine(
        experiment.features,
        -experiment.uplift,
        -experiment.outcome,
        experiment.arm,
        control="control",
        discovery=experiment.discovery,
        means=-experiment.means,
        sign=-1,
    )
    for a, b in zip(found.subpopulations, mirrored.subpopulations, strict=True):
        assert (a.rule, a.kind, a.grade, a.share) == (b.rule, b.kind, b.grade, b.share)
        assert a.q_value == pytest.approx(b.q_value)
        assert a.effect.estimate == pytest.approx(-b.effect.estimate)
        assert a.effect.interval == pytest.approx((-b.effect.interval[1], -b.effect.interval[0]))


def test_an_invalid_experiment_confirms_nothing():
    found = simulated().mine(validity="invalid", stability_trees=0).subpopulations
    assert {s.grade for s in found} <= {"promising", "not_supported"}
    assert found[0].reasons == ("invalid",)


def test_several_treatments_share_one_family_of_rules():
    experiment = simulated(treatments=("new", "newer"))
    both = experiment.mine(stability_trees=0)
    alone = [
        mine(
            experiment.features[rows],
            experiment.uplift.loc[rows, [arm]],
            experiment.outcome[rows],
            experiment.arm[rows],
            control="control",
            discovery=experiment.discovery[rows],
            means=experiment.means[rows],
            stability_trees=0,
        )
        for arm in ("new", "newer")
        for rows in [np.isin(experiment.arm, ["control", arm])]
    ]
    assert both.rules_examined > max(single.rules_examined for single in alone)
    assert {rule.treatment for rule in both.examined} == {"new", "newer"}
    assert [s.id for s in both.subpopulations] == [f"s{k + 1}" for k in range(len(both.subpopulations))]
    kinds = [s.kind for s in both.subpopulations]
    assert kinds == sorted(kinds, reverse=True)
    assert both.n_estimation == (~experiment.discovery).sum()


def test_rules_of_two_treatments_about_the_same_users_are_told_once():
    experiment = simulated(n=60_000, treatments=("new", "newer"))
    experiment.outcome = experiment.outcome - 0.5 * experiment.effect * (experiment.arm == "newer")
    found = experiment.mine(stability_trees=0)
    gaining = [s for s in found.subpopulations if s.kind == "positive"]
    assert [(s.treatment, s.grade) for s in gaining] == [("new", "confirmed")]
    (repeat,) = [repeat for repeat in found.repeats if repeat.kind == "positive"]
    assert (repeat.treatment, repeat.of, repeat.grade) == ("newer", gaining[0].id, "confirmed")
    assert repeat.jaccard > 0.7
    assert json.loads(json.dumps(repeat.to_json(), allow_nan=False))["rule"]["all"]


def test_a_rule_that_works_for_one_treatment_only_is_told_of_that_one():
    experiment = simulated(n=60_000, treatments=("new", "newer"))
    experiment.outcome = experiment.outcome - experiment.effect * (experiment.arm == "new")
    found = experiment.mine(stability_trees=0)
    assert [(s.treatment, s.grade) for s in found.subpopulations if s.kind == "positive"] == [("newer", "confirmed")]
    assert [r.grade for r in found.repeats if r.kind == "positive"] == ["not_supported"]


def test_every_examined_rule_is_on_record(planted):
    experiment, found = planted
    estimation = ~experiment.discovery
    shown = {s.rule.to_sql(): s for s in found.subpopulations}
    assert set(shown) <= {rule.rule.to_sql() for rule in found.examined}
    for rule in found.examined:
        inside = np.asarray(rule.rule.mask(experiment.features))
        assert rule.evidence.share == pytest.approx(inside[estimation].mean())
        assert rule.selected == (rule.q_value <= 0.10) == (rule.fcr_interval is not None)
        assert rule.eligible == eligible(rule.evidence)
        if told := shown.get(rule.rule.to_sql()):
            assert (told.q_value, told.fcr_interval, told.effect) == (
                rule.q_value,
                rule.fcr_interval,
                rule.evidence.effect,
            )
    assert found.rules_selected == sum(rule.selected for rule in found.examined)


def test_a_ranking_that_finds_nothing_among_estimation_users_confirms_nothing():
    experiment = simulated()
    shuffled = experiment.uplift["new"].to_numpy().copy()
    estimation = np.flatnonzero(~experiment.discovery)
    shuffled[estimation] = shuffled[np.random.default_rng(0).permutation(estimation)]
    experiment.uplift = pd.DataFrame({"new": shuffled})
    found = experiment.mine(stability_trees=0)
    assert not found.omnibus["new"].passed
    assert (found.subpopulations[0].grade, found.subpopulations[0].reasons) == ("promising", ("omnibus",))


def test_a_harmed_guardrail_stops_who_would_gain_and_not_who_would_lose():
    experiment = simulated()
    slower = 5 + 1.0 * (experiment.arm == "new") + np.random.default_rng(0).normal(size=40_000)
    plain = experiment.mine(stability_trees=0)
    guarded = experiment.mine(stability_trees=0, guardrails={"delay": Guardrail(slower, sign=-1)})
    best, last = guarded.subpopulations[0], guarded.subpopulations[-1]
    assert plain.subpopulations[0].grade == "confirmed"
    assert (best.grade, best.reasons) == ("promising", ("guardrail",))
    assert (best.guardrails[0].metric, best.guardrails[0].tone) == ("delay", "bad")
    assert "guardrail" not in last.reasons


def test_a_rule_that_depends_on_the_treatment_is_not_confirmed():
    experiment = simulated(n=20_000)
    inside = (experiment.features["minutes"] > 30) & (experiment.features["city"] == "b")
    lost = inside & (experiment.arm == "new") & (np.random.default_rng(0).random(20_000) < 0.3)
    kept = ~lost.to_numpy()
    best = mine(
        experiment.features[kept],
        experiment.uplift[kept],
        experiment.outcome[kept],
        experiment.arm[kept],
        control="control",
        discovery=experiment.discovery[kept],
        means=experiment.means[kept],
        stability_trees=0,
        min_users_per_arm=50,
    ).subpopulations[0]
    assert best.sample_ratio_p < 0.001
    assert "sample_ratio" in best.reasons


def test_the_effect_on_discovery_users_stands_beside_the_honest_one(planted):
    experiment, found = planted
    best = found.subpopulations[0]
    inside = np.asarray(best.rule.mask(experiment.features)) & experiment.discovery
    assert abs(best.in_sample.estimate - experiment.effect[inside].mean()) < 4 * best.in_sample.standard_error
    assert best.in_sample.standard_error < best.effect.standard_error
    assert best.in_sample != best.effect


def test_a_shown_effect_is_pulled_towards_the_average(planted):
    _, found = planted
    average = found.trees["new"].effect.estimate
    for rule in found.subpopulations:
        assert min(average, rule.effect.estimate) <= rule.shrunken <= max(average, rule.effect.estimate)
    noisy = simulated(gain=0.02, loss=0.0, n=4000).mine(stability_trees=0).subpopulations
    assert any(abs(rule.shrunken - rule.effect.estimate) > 0.01 for rule in noisy)


def test_the_share_of_the_metric_is_that_of_control_users():
    experiment = simulated(n=20_000)
    experiment.outcome = np.random.default_rng(0).gamma(1, experiment.features["minutes"])
    found = experiment.mine(stability_trees=0).subpopulations[0]
    rows = ~experiment.discovery & (experiment.arm == "control")
    inside = np.asarray(found.rule.mask(experiment.features))
    assert found.metric_share == pytest.approx(experiment.outcome[rows & inside].sum() / experiment.outcome[rows].sum())
    experiment.outcome = experiment.outcome - 1
    assert experiment.mine(stability_trees=0).subpopulations[0].metric_share is None


def test_a_rule_is_actionable_where_all_of_its_features_are():
    experiment = simulated(n=10_000)
    for actionable, expected in ((None, True), (("minutes", "city"), True), (("minutes",), False)):
        assert experiment.mine(stability_trees=0, actionable=actionable).subpopulations[0].actionable == expected


def test_shown_rules_overlap_and_own_users_as_sets_do(planted):
    experiment, found = planted
    inside = {s.id: np.asarray(s.rule.mask(experiment.features)) for s in found.subpopulations}
    for rule in found.subpopulations:
        assert set(rule.overlap) == set(inside) - {rule.id}
        assert rule.unique_share == pytest.approx(inside[rule.id].mean())
        assert set(rule.overlap.values()) == {0.0}


def test_a_planted_rule_is_stable_and_without_trees_nothing_is_said(planted):
    _, found = planted
    assert found.subpopulations[0].stability.jaccard > 0.9
    assert found.notes == ()
    quick = simulated().mine(stability_trees=0)
    assert {rule.stability for rule in quick.subpopulations} == {None}
    assert quick.notes == ("stability_not_measured",)
    assert [s.grade for s in quick.subpopulations] == [s.grade for s in found.subpopulations]


def test_other_seeds_are_read_on_discovery_users():
    experiment = simulated(n=10_000)
    seeds = np.where(experiment.discovery, experiment.uplift["new"], np.nan)
    found = experiment.mine(stability_trees=5, seeds={"new": np.column_stack([seeds, seeds])})
    assert found.subpopulations[0].stability.seeds > 0.9
    assert experiment.mine(stability_trees=5).subpopulations[0].stability.seeds is None


def test_an_observational_comparison_is_adjusted_trimmed_and_never_confirmed():
    random = np.random.default_rng(0)
    experiment = simulated(n=40_000)
    minutes = experiment.features["minutes"].to_numpy()
    probability = 1 / (1 + np.exp(-(minutes - 40) / 20))
    experiment.arm = np.where(random.random(40_000) < probability, "new", "control")
    base = 3 + minutes / 40
    experiment.outcome = base + experiment.effect * (experiment.arm == "new") + random.normal(size=40_000)
    uninformed = pd.DataFrame({"control": np.full(40_000, 4.0), "new": np.full(40_000, 4.0)})
    found = experiment.mine(propensity=pd.DataFrame({"new": probability}), means=uninformed, stability_trees=5)
    kept = ~experiment.discovery & (probability >= 0.05) & (probability <= 0.95)
    best = found.subpopulations[0]
    assert found.trimmed == {"new": (~experiment.discovery & ~kept).sum()}
    assert best.n_control + best.n_treatment < kept.sum()
    inside = np.asarray(best.rule.mask(experiment.features)) & kept
    assert abs(best.effect.estimate - experiment.effect[inside].mean()) < 4 * best.effect.standard_error
    assert (best.grade, best.sample_ratio_p) == ("promising", None)
    assert "observational" in best.reasons
    naive = experiment.mine(means=uninformed, stability_trees=0).trees["new"].effect
    root = found.trees["new"].effect
    assert abs(root.estimate - experiment.effect[kept].mean()) < 4 * root.standard_error
    assert abs(naive.estimate - experiment.effect.mean()) > 10 * naive.standard_error


def test_one_cluster_is_no_evidence_and_no_crash():
    experiment = simulated(n=4000)
    found = experiment.mine(clusters=np.zeros(4000), stability_trees=3)
    assert found.subpopulations == ()
    assert found.rules_selected == 0
    assert found.omnibus["new"].p_value is None


def test_shares_of_the_design_are_the_propensity():
    random = np.random.default_rng(0)
    experiment = simulated()
    experiment.arm = np.where(random.random(40_000) < 0.1, "new", "control")
    experiment.outcome = 3 + experiment.effect * (experiment.arm == "new") + random.normal(size=40_000)
    uninformed = pd.DataFrame({"control": np.zeros(40_000), "new": np.zeros(40_000)})
    right, wrong = (
        experiment.mine(shares=shares, means=uninformed).trees["new"].effect
        for shares in ({"control": 0.9, "new": 0.1}, None)
    )
    assert abs(right.estimate - experiment.effect.mean()) < 4 * right.standard_error
    assert abs(wrong.estimate - experiment.effect.mean()) > 10 * wrong.standard_error


def test_better_outcome_models_narrow_the_intervals():
    experiment = simulated(n=10_000)
    with_models, without = experiment.mine(), experiment.mine(means=None)
    assert with_models.trees["new"].effect.standard_error < 0.9 * without.trees["new"].effect.standard_error
    assert with_models.detectable["new"][0.1] < 0.9 * without.detectable["new"][0.1]


def test_display_names_appear_in_words():
    names = {"minutes": Text(zh="播放时长", en="minutes played")}
    best = simulated(n=10_000).mine(names=names).subpopulations[0]
    assert "播放时长 > 30" in best.words["zh"]
    assert "minutes played > 30" in best.words["en"]


def test_an_arm_without_estimation_users_leaves_rules_without_evidence():
    experiment = simulated(n=4000)
    found = experiment.mine(discovery=experiment.discovery | (experiment.arm == "new"))
    assert found.subpopulations == ()
    assert found.rules_examined > 0
    assert found.trees["new"].to_json()["effect"]["interval"] == [None, None]
    assert found.detectable["new"] == {0.1: None, 0.2: None, 0.3: None}


def noise_only(seed, *, n=10_000, features=12):
    """No effect at all, and an over-fitted teacher: it repeats each discovery user's own transformed outcome."""
    random = np.random.default_rng(seed)
    arm = random.choice(["control", "new"], n)
    outcome = random.gamma(1, 2.5, n)
    return Simulated(
        features=pd.DataFrame({f"x{k}": random.random(n) for k in range(features)}),
        uplift=pd.DataFrame({"new": 2 * np.where(arm == "new", 1, -1) * (outcome - outcome.mean())}),
        outcome=outcome,
        arm=arm,
        discovery=random.random(n) < 0.5,
        means=pd.DataFrame({"control": np.full(n, 2.5), "new": np.full(n, 2.5)}),
        effect=np.zeros(n),
    )


def test_noise_is_seldom_found_though_it_looks_significant_on_the_users_it_was_found_in():
    runs = 40
    confirmed = discovered = looked_significant = 0
    for seed in range(runs):
        experiment = noise_only(seed)
        rules = experiment.mine(stability_trees=0).subpopulations
        confirmed += any(rule.grade == "confirmed" for rule in rules)
        discovered += any(rule.q_value <= 0.10 for rule in rules)
        rows = experiment.discovery
        in_sample = Scores.of(
            experiment.outcome[rows],
            experiment.arm[rows] == "new",
            experiment.means["control"][rows],
            experiment.means["new"][rows],
            0.5,
        )
        looked_significant += any(
            in_sample.assess(rule.rule.mask(experiment.features[rows]).to_numpy()).contrast.p_value < 0.05
            for rule in rules
        )
    assert confirmed / runs <= 0.15
    assert discovered / runs <= 0.15
    assert looked_significant / runs >= 0.8


def test_intervals_cover_the_truth_for_all_examined_rules_and_adjusted_ones_for_the_selected():
    covered, adjusted = [], []
    for seed in range(50):
        experiment = simulated(seed, n=6000, gain=0.25, loss=-0.05, noise=0.6)
        selected = []
        for rule in experiment.mine(stability_trees=0).examined:
            inside = np.asarray(rule.rule.mask(experiment.features)) & ~experiment.discovery
            truth = experiment.effect[inside].mean()
            low, high = rule.evidence.effect.interval
            covered.append(low <= truth <= high)
            if rule.fcr_interval:
                selected.append(rule.fcr_interval[0] <= truth <= rule.fcr_interval[1])
        adjusted.append(np.mean(selected) if selected else 1.0)
    assert 0.93 <= np.mean(covered) <= 0.97
    assert np.mean(adjusted) >= 0.94


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outcome": np.zeros(3)}, "rows differ"),
        ({"clusters": np.zeros(3)}, "rows differ"),
        ({"arm": np.array(["control", "new", "old", None] * 100)}, r"labels \['None', 'old'\]"),
        ({"means": pd.DataFrame({"control": np.zeros(400)})}, r"no column for arms \['new'\]"),
        ({"shares": {"control": 1.0}}, r"shares: arms \['new'\]"),
        ({"outcome": np.full(400, np.nan)}, "outcome"),
        ({"guardrails": {"speed": Guardrail(np.zeros(3))}}, "'guardrail speed': 3"),
        ({"seeds": {"new": np.zeros((3, 2))}}, "'seeds of new': 3"),
        ({"discovery": np.zeros(400, dtype=bool)}, "features have shape"),
        ({"discovery": np.zeros(400, dtype=bool), "means": None}, "no discovery user is in arm"),
    ],
)
def test_unusable_arguments_are_refused_by_name(changes, message):
    experiment = simulated(n=400)
    arguments = {
        "features": experiment.features,
        "uplift": experiment.uplift,
        "outcome": experiment.outcome,
        "treatment": experiment.arm,
        "control": "control",
        "discovery": experiment.discovery,
        "means": experiment.means,
    } | {{"arm": "treatment"}.get(name, name): value for name, value in changes.items()}
    with pytest.raises(InputError, match=message):
        mine(**arguments)
