import inspect
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc, gain_curve, qini, qini_curve

UPLIFT = np.array([0.9, 0.8, 0.75, 0.7, 0.6, 0.55, 0.5, 0.4, 0.35, 0.3, 0.2, 0.1])
TREATMENT = np.array([1, 0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 0])
OUTCOME = np.array([1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0])


@pytest.mark.parametrize(
    ("definition", "golden"),
    [
        ("per_user", 0.2034722),
        ("sklift", 0.46133),
        ("causalml", 1.14615),
        ("causalml_raw", 2.29231),
        ("criteo", 0.20833),
    ],
)
def test_auuc_gives_the_value_that_the_library_of_that_name_computed(definition, golden):
    assert auuc(OUTCOME, UPLIFT, TREATMENT, definition=definition) == pytest.approx(golden, abs=5e-6)


@pytest.mark.parametrize(
    ("definition", "golden"),
    [
        ("per_user", 0.1201389),
        ("sklift", 0.52553),
        ("sklift_straight", 2.24545),
        ("causalml", 0.91154),
        ("pylift", 0.20139),
        ("pylift_adjusted", 0.17153),
    ],
)
def test_qini_gives_the_value_that_the_library_of_that_name_computed(definition, golden):
    assert qini(OUTCOME, UPLIFT, TREATMENT, definition=definition) == pytest.approx(golden, abs=5e-6)


def brute_force_auuc(outcome, uplift, treatment):
    """The definition, written out: every threshold selects its users anew."""
    points = [(0.0, 0.0)]
    for threshold in sorted(set(uplift), reverse=True):
        top = [i for i in range(len(uplift)) if uplift[i] >= threshold]
        means = []
        for arm in (1, 0):
            members = [outcome[i] for i in top if treatment[i] == arm]
            means.append(sum(members) / len(members) if members else 0.0)
        share = len(top) / len(uplift)
        points.append((share, share * (means[0] - means[1])))
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))


samples = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(0, 6), st.integers(0, 1)), min_size=4, max_size=40
).filter(lambda rows: {t for _, _, t in rows} == {0, 1})


@given(samples)
def test_auuc_equals_its_definition_computed_threshold_by_threshold(rows):
    outcome, uplift, treatment = map(list, zip(*rows, strict=True))
    assert auuc(outcome, uplift, treatment) == pytest.approx(brute_force_auuc(outcome, uplift, treatment), abs=1e-9)


@pytest.mark.parametrize(
    ("score", "definition"),
    [
        (score, definition)
        for score, definitions in (
            (auuc, ("per_user", "sklift", "causalml_raw", "criteo")),
            (qini, ("per_user", "sklift", "pylift", "pylift_adjusted")),
        )
        for definition in definitions
    ],
)
def test_no_definition_depends_on_the_order_of_rows_even_with_ties(score, definition):
    random = np.random.default_rng(1)
    n = 500
    uplift, treatment = random.integers(0, 4, n) / 10, random.integers(0, 2, n)
    outcome = (random.random(n) < 0.3 + 0.5 * uplift * treatment).astype(float)
    shuffled = random.permutation(n)
    assert score(outcome[shuffled], uplift[shuffled], treatment[shuffled], definition=definition) == pytest.approx(
        score(outcome, uplift, treatment, definition=definition), rel=1e-9
    )


@given(samples, st.floats(0.01, 100))
def test_auuc_depends_on_the_ranking_alone_and_has_the_unit_of_the_outcome(rows, factor):
    outcome, uplift, treatment = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    assert auuc(factor * outcome, np.exp(uplift), treatment) == pytest.approx(
        factor * auuc(outcome, uplift, treatment), abs=1e-9 * factor * 50
    )


@given(samples)
def test_qini_is_auuc_minus_half_the_average_effect(rows):
    outcome, uplift, treatment = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    effect = outcome[treatment == 1].mean() - outcome[treatment == 0].mean()
    assert qini(outcome, uplift, treatment) == pytest.approx(auuc(outcome, uplift, treatment) - effect / 2, abs=1e-9)


def test_a_constant_ranking_scores_half_the_average_effect_and_qini_zero():
    effect = OUTCOME[TREATMENT == 1].mean() - OUTCOME[TREATMENT == 0].mean()
    assert auuc(OUTCOME, np.ones(12), TREATMENT) == pytest.approx(effect / 2)
    assert qini(OUTCOME, np.ones(12), TREATMENT) == pytest.approx(0)


def test_auuc_of_the_true_ranking_reaches_its_closed_form():
    """Effects uniform on 0..1: the top s gains s - s^2/2 per user, whose integral is 1/3; random is 1/4."""
    random = np.random.default_rng(0)
    n = 400_000
    effect, treatment = random.random(n), random.random(n) < 0.5
    outcome = effect * treatment
    assert auuc(outcome, effect, treatment) == pytest.approx(1 / 3, abs=0.002)
    assert auuc(outcome, -effect, treatment) == pytest.approx(1 / 6, abs=0.002)


def test_inverse_probability_weights_undo_an_assignment_that_depends_on_the_outcome():
    random = np.random.default_rng(3)
    n = 300_000
    x = random.random(n)
    probability = 0.2 + 0.6 * x
    treatment = (random.random(n) < probability).astype(int)
    outcome = 5 * x + x * treatment
    assert auuc(outcome, x, treatment, propensity=probability) == pytest.approx(1 / 3, abs=0.02)
    assert auuc(outcome, x, treatment) > 0.5


def test_one_probability_for_all_changes_nothing():
    assert auuc(OUTCOME, UPLIFT, TREATMENT, propensity=0.3) == pytest.approx(auuc(OUTCOME, UPLIFT, TREATMENT))


def test_several_treatments_are_each_held_against_control_and_averaged():
    random = np.random.default_rng(4)
    n = 900
    arm = random.choice(["a", "b", "control"], n)
    outcome, uplift = random.normal(size=n), random.normal(size=(n, 2))
    single = [
        auuc(outcome[pair], uplift[pair, k], arm[pair], control="control")
        for k, label in enumerate("ab")
        for pair in [(arm == label) | (arm == "control")]
    ]
    assert auuc(outcome, uplift, arm, control="control") == pytest.approx(np.mean(single))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, np.nan], [1, 2], [0, 1]), "outcome has 1 missing or infinite"),
        (([1, 2], [1, np.inf], [0, 1]), "uplift has 1 missing or infinite"),
        (([1, 2], [1, 2], [0, 0]), "every row is in the control arm"),
        (([1, 2], [1, 2], ["a", "b"]), "no label among .* is 0"),
        (([1, 2], [1, 2], [0, None]), "treatment is missing for 1 of 2"),
        (([1, 2, 3], [1, 2, 3], [0, 1, 2]), r"2 treatments, uplift has shape \(3,\)"),
        (([1, 2], [1, 2, 3], [0, 1]), r"uplift has shape \(3,\)"),
    ],
)
def test_wrong_arrays_are_refused_with_what_was_found(arguments, message):
    with pytest.raises(InputError, match=message):
        auuc(*map(np.array, arguments))


def test_definitions_for_binary_outcomes_refuse_others():
    for score, definition in ((auuc, "sklift"), (qini, "sklift"), (qini, "sklift_straight")):
        with pytest.raises(InputError, match="outcomes 0 and 1 only"):
            score(OUTCOME * 2.5, UPLIFT, TREATMENT, definition=definition)


def test_an_unknown_definition_names_the_known_ones():
    with pytest.raises(InputError, match="per_user, sklift, causalml"):
        auuc(OUTCOME, UPLIFT, TREATMENT, definition="h2o")


def test_definitions_of_others_refuse_a_propensity_that_they_would_ignore():
    with pytest.raises(InputError, match="takes no propensity"):
        qini(OUTCOME, UPLIFT, TREATMENT, propensity=0.5, definition="sklift")


def test_a_definition_that_divides_by_the_total_effect_refuses_when_there_is_none():
    with pytest.raises(InputError, match="divides by 0"):
        auuc([1, 1, 1, 1], [4, 3, 2, 1], [1, 0, 1, 0], definition="causalml")


def test_the_gain_curve_starts_at_zero_ends_at_the_average_effect_and_has_auuc_as_area():
    curve = gain_curve(OUTCOME, UPLIFT, TREATMENT, points=13)
    assert curve["gain"].iloc[0] == 0
    assert curve["gain"].iloc[-1] == pytest.approx(1 / 6)
    assert np.trapezoid(curve["gain"], curve["share"]) == pytest.approx(auuc(OUTCOME, UPLIFT, TREATMENT))
    assert curve["random"].tolist() == pytest.approx((curve["share"] / 6).tolist())
    assert ((curve["low"] <= curve["gain"]) & (curve["gain"] <= curve["high"])).all()


def test_the_qini_curve_is_zero_without_width_at_both_ends():
    curve = qini_curve(OUTCOME, UPLIFT, TREATMENT, points=13)
    assert np.trapezoid(curve["gain"], curve["share"]) == pytest.approx(qini(OUTCOME, UPLIFT, TREATMENT))
    assert curve.iloc[[0, -1]][["gain", "low", "high"]].to_numpy() == pytest.approx(np.zeros((2, 3)))


def test_the_band_of_the_gain_curve_ends_at_the_interval_of_the_average_effect():
    random = np.random.default_rng(5)
    n = 40_000
    treatment = random.integers(0, 2, n)
    outcome = random.normal(size=n) * (1 + treatment)
    last = gain_curve(outcome, random.normal(size=n), treatment).iloc[-1]
    welch = np.sqrt(sum(outcome[treatment == arm].var(ddof=1) / (treatment == arm).sum() for arm in (0, 1)))
    assert (last["high"] - last["low"]) / 2 == pytest.approx(1.96 * welch, rel=0.12)


def test_a_curve_of_several_treatments_is_refused():
    with pytest.raises(InputError, match="2 treatments, a curve compares one"):
        gain_curve([1, 2, 3], [[1, 2]] * 3, [0, 1, 2])


def test_every_score_and_curve_takes_outcome_before_uplift_before_treatment():
    for function in (auuc, qini, gain_curve, qini_curve):
        assert list(inspect.signature(function).parameters)[:3] == ["outcome", "uplift", "treatment"]
