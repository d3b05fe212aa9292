"""Whether a rule is found again: planted ones are, noise is not."""

import numpy as np
import pandas as pd
import pytest

from causal_tasks.errors import InputError
from causal_tasks.rule import Condition, Rule
from causal_tasks.subpopulations import stability as module
from causal_tasks.subpopulations.rules import grow_tree
from causal_tasks.subpopulations.stability import Growth, stability

GROWTH = Growth(max_depth=3, min_share=0.05, min_users=100, seed=0)
PLANTED = Rule.of([Condition(feature="minutes", op=">", value=30.0), Condition(feature="city", op="in", value=("b",))])


def simulated(seed=0, *, n=6000, noise=0.3, gain=1.0):
    random = np.random.default_rng(seed)
    features = pd.DataFrame(
        {
            "minutes": random.gamma(2, 20, n),
            "city": pd.Categorical(random.choice(["a", "b", "c"], n)),
            **{f"x{k}": random.random(n) for k in range(4)},
        }
    )
    inside = PLANTED.mask(features).to_numpy()
    return features, np.where(inside, gain, -0.1) + random.normal(0, noise, n)


def leaves_of(features, uplift):
    root = grow_tree(features, uplift, max_depth=3, min_share=0.05, min_users=100)
    return [(leaf.rule, 1 if leaf.predicted > 0 else -1) for leaf in root.leaves()]


def measured(rules, features, uplift, **options):
    return stability(rules, features, uplift, GROWTH, **{"trees": 30} | options)


def test_a_planted_rule_is_found_by_every_tree_at_the_same_cut():
    (found,) = measured([(PLANTED, 1)], *simulated())
    assert found.jaccard > 0.95
    assert found.frequency == 1.0
    assert found.features == {"minutes": 1.0, "city": 1.0}
    low, middle, high = found.cuts["minutes"]
    assert low <= middle <= high
    assert high - low < 2
    assert middle == pytest.approx(30, abs=1)
    assert set(found.cuts) == {"minutes"}
    assert found.seeds is None


def test_a_rule_of_noise_is_seldom_found_again():
    random = np.random.default_rng(1)
    features = pd.DataFrame({f"x{k}": random.random(4000) for k in range(10)})
    uplift = random.normal(size=4000)
    leaves = leaves_of(features, uplift)
    assert len(leaves) > 2
    assert max(found.jaccard for found in measured(leaves, features, uplift)) < 0.6
    assert np.mean([found.jaccard for found in measured(leaves, features, uplift)]) < 0.4


def test_only_rules_that_claim_the_same_direction_count():
    features, uplift = simulated()
    gain, loss = measured([(PLANTED, 1), (PLANTED, -1)], features, uplift)
    assert gain.jaccard > 0.9
    assert loss.jaccard < 0.3


def test_a_weak_rule_is_less_stable_than_a_strong_one():
    (strong,), (weak,) = (measured([(PLANTED, 1)], *simulated(gain=gain, noise=1.0)) for gain in (1.0, 0.1))
    assert weak.jaccard < strong.jaccard - 0.2


def test_the_same_seed_gives_the_same_answer_and_another_one_nearly_so():
    features, uplift = simulated(noise=1.0)
    once, again = (measured([(PLANTED, 1)], features, uplift) for _ in range(2))
    (other,) = stability([(PLANTED, 1)], features, uplift, Growth(3, 0.05, 100, seed=1), trees=30)
    assert once == again
    assert other != once[0]
    assert other.jaccard == pytest.approx(once[0].jaccard, abs=0.1)


def test_other_seeds_agree_as_far_as_their_predictions_do():
    features, uplift = simulated()
    agreeing = uplift + np.random.default_rng(2).normal(0, 0.1, len(uplift))
    unlike = -uplift
    both = np.column_stack([agreeing, unlike])
    alone = [measured([(PLANTED, 1)], features, uplift, seeds=both[:, [k]])[0].seeds for k in (0, 1)]
    assert alone[0] > 0.95
    assert alone[1] < 0.3
    assert measured([(PLANTED, 1)], features, uplift, seeds=both)[0].seeds == pytest.approx(np.mean(alone))


def test_users_that_another_seed_left_out_play_no_part_in_its_tree():
    features, uplift = simulated()
    seeds = np.where(np.random.default_rng(3).random(len(uplift)) < 0.5, np.nan, uplift)[:, np.newaxis]
    assert measured([(PLANTED, 1)], features, uplift, seeds=seeds)[0].seeds > 0.95
    nobody = np.full((len(uplift), 1), np.nan)
    assert measured([(PLANTED, 1)], features, uplift, seeds=nobody)[0].seeds is None


def test_whole_clusters_are_drawn_where_users_are_not_independent():
    random = np.random.default_rng(4)
    cluster = np.repeat(np.arange(60), 100)
    features = pd.DataFrame({"x": np.repeat(random.random(60), 100), "z": random.random(6000)})
    uplift = np.repeat(random.normal(size=60), 100) + random.normal(0, 0.1, 6000)
    leaves = leaves_of(features, uplift)
    independent = measured(leaves, features, uplift)
    clustered = measured(leaves, features, uplift, clusters=cluster)
    assert np.mean([found.jaccard for found in clustered]) < np.mean([found.jaccard for found in independent]) - 0.2


def test_more_users_than_are_drawn_from_are_sampled(monkeypatch):
    features, uplift = simulated(n=20_000)
    (all_of_them,) = measured([(PLANTED, 1)], features, uplift)
    monkeypatch.setattr(module, "DRAWN_FROM", 5000)
    monkeypatch.setattr(module, "REFERENCE", 1000)
    (some,) = measured([(PLANTED, 1)], features, uplift)
    assert some.jaccard == pytest.approx(all_of_them.jaccard, abs=0.05)


def test_a_rule_that_covers_nobody_is_not_found_and_no_rule_costs_nothing():
    features, uplift = simulated()
    nobody = Rule.of([Condition(feature="minutes", op=">", value=1e6)])
    (found,) = measured([(nobody, 1)], features, uplift)
    assert (found.jaccard, found.frequency, found.cuts) == (0.0, 0.0, {})
    assert measured([], features, uplift) == []


def test_no_tree_shows_nothing():
    with pytest.raises(InputError, match="0 trees"):
        measured([], *simulated(), trees=0)


def test_where_predictions_are_all_equal_no_tree_has_a_rule():
    features, _ = simulated()
    (found,) = measured([(PLANTED, 1)], features, np.ones(6000))
    assert (found.jaccard, found.features) == (0.0, {"minutes": 0.0, "city": 0.0})
