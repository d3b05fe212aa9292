"""Values of assignments: written out, against weighted least squares and the bootstrap, and on simulated truth."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import mean_estimate
from causal_tasks.segments.value import Assignment, assignment_value, compare_assignments

SEGMENT_OF = {"a": "warm", "b": "warm", "c": "cold"}
SHARES = {"a": 0.2, "b": 0.3, "c": 0.5}


def experiment(n, seed, shares=SHARES):
    """Response, creative shown, and one assignment by creative and one by segment, with their true values.

    A person's covariate is uniform; creatives a, b and c bring x, 2x and 1 on average.
    """
    random = np.random.default_rng(seed)
    x = random.random(n)
    creative = random.choice(list(shares), size=n, p=list(shares.values()))
    mean = np.select([creative == "a", creative == "b"], [x, 2 * x], 1.0)
    assignments = {
        "creative": Assignment.by_creative(np.where(x > 0.5, "b", "c")),  # 1/2 of E[2x | x > 1/2] and 1/2 of 1
        "segment": Assignment.by_segment(np.where(x > 0.5, "warm", "cold")),  # the same with E[1.6 x | x > 1/2]
        "shown": Assignment.as_shown(),
    }
    truth = {"creative": 1.25, "segment": 1.1, "shown": 0.5 * (0.2 + 2 * 0.3) + 0.5}
    return mean + random.normal(size=n), creative, assignments, truth


RESPONSE = np.array([1.0, 3.0, 2.0, 6.0, 5.0, 4.0])
CREATIVE = ["a", "a", "b", "b", "c", "c"]


@pytest.mark.parametrize(
    ("assignment", "estimator", "expected"),
    [
        (
            Assignment.by_creative(["a", "b", "b", "c", "c", "a"]),
            "hajek",
            (1 / 0.2 + 2 / 0.3 + 5 / 0.5) / (5 + 10 / 3 + 2),
        ),
        (Assignment.by_creative(["a", "b", "b", "c", "c", "a"]), "ipw", (1 / 0.2 + 2 / 0.3 + 5 / 0.5) / 6),
        (Assignment.by_segment(["warm", "cold", "warm", "cold", "cold", "cold"]), "hajek", (1 + 2 + 5 + 4) / 4),
        (Assignment.by_segment(["warm", "cold", "warm", "cold", "cold", "cold"]), "ipw", (1 + 2 + 5 + 4) / 0.5 / 6),
        (Assignment.by_creative("c"), "hajek", 4.5),
        (Assignment.by_segment("warm"), "hajek", 3.0),
        (Assignment.as_shown(), "hajek", 3.5),
        (Assignment.as_shown(), "ipw", 3.5),
    ],
)
def test_a_value_is_the_weighted_mean_written_out(assignment, estimator, expected):
    found = assignment_value(
        RESPONSE, CREATIVE, assignment, segment_of=SEGMENT_OF, propensity=SHARES, estimator=estimator
    )
    assert found.value.estimate == pytest.approx(expected)


def test_one_creative_for_everybody_is_worth_the_mean_of_those_shown_it():
    response, creative, _, _ = experiment(500, 1)
    found = assignment_value(response, creative, Assignment.by_creative("b"))
    of_b = response[creative == "b"]
    assert found.value.estimate == pytest.approx(of_b.mean())
    assert found.value.standard_error == pytest.approx(of_b.std() / np.sqrt(len(of_b)) * np.sqrt(500 / 499))
    assert found.people == len(of_b)


def test_creatives_without_a_segment_are_left_out_of_what_the_experiment_did():
    """As a control arm is: it can be a policy of its own, but belongs to no segment."""
    segments = {"a": "warm", "b": "warm"}
    found = assignment_value(RESPONSE, CREATIVE, Assignment.as_shown(), segment_of=segments)
    assert (found.value.estimate, found.people) == (3.0, 4)
    control = assignment_value(RESPONSE, CREATIVE, Assignment.by_creative("c"), segment_of=segments)
    assert control.value.estimate == 4.5


@pytest.mark.parametrize("name", ["creative", "segment", "shown"])
@pytest.mark.parametrize("clustered", [False, True])
def test_known_shares_give_the_errors_of_weighted_least_squares(name, clustered):
    response, creative, assignments, _ = experiment(400, 2)
    clusters = np.arange(400) // 4 if clustered else None
    found = assignment_value(
        response, creative, assignments[name], segment_of=SEGMENT_OF, propensity=SHARES, clusters=clusters
    )
    given = assignments[name].labels
    share = {"creative": SHARES, "segment": {"warm": 0.5, "cold": 0.5}}.get(name)
    shown = np.array([SEGMENT_OF[c] for c in creative]) if name == "segment" else creative
    weight = (
        np.ones(400) if share is None else np.array([(s == g) / share[s] for s, g in zip(shown, given, strict=True)])
    )
    model = sm.WLS(response, np.ones(400), weights=weight)
    kind = {"cov_type": "cluster", "cov_kwds": {"groups": clusters}} if clustered else {"cov_type": "HC1"}
    fitted = model.fit(**kind)
    assert found.value.estimate == pytest.approx(fitted.params[0])
    assert found.value.standard_error == pytest.approx(fitted.bse[0])


@pytest.mark.parametrize("estimator", ["hajek", "ipw"])
def test_errors_of_values_and_differences_are_those_of_the_bootstrap_which_takes_shares_anew(estimator):
    response, creative, assignments, _ = experiment(600, 3)
    codes = np.searchsorted(["a", "b", "c"], creative)
    segment = (codes == 2).astype(int)  # 0 warm, 1 cold
    by_creative = np.searchsorted(["a", "b", "c"], assignments["creative"].labels)
    by_segment = (assignments["segment"].labels == "cold").astype(int)
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(2_000):
        count = np.bincount(random.integers(600, size=600), minlength=600)
        values = []
        for shown, assigned in ((codes, by_creative), (segment, by_segment)):
            weight = count * (shown == assigned) * 600 / np.bincount(shown, count)[shown]
            values.append(weight @ response / (weight.sum() if estimator == "hajek" else 600))
        drawn.append([*values, values[1] - values[0]])
    found = compare_assignments(
        response, creative, assignments, baseline="creative", segment_of=SEGMENT_OF, estimator=estimator
    )
    errors = [
        found.values["creative"].value.standard_error,
        found.values["segment"].value.standard_error,
        found.difference("segment").standard_error,
    ]
    assert errors == pytest.approx(np.std(drawn, axis=0), rel=0.05)


@pytest.mark.parametrize("estimator", ["hajek", "ipw"])
@pytest.mark.parametrize("propensity", [SHARES, None], ids=["known", "observed"])
def test_intervals_cover_the_true_values_and_differences_at_their_level(estimator, propensity):
    covered, estimates = [], []
    for seed in range(400):
        response, creative, assignments, truth = experiment(500, seed)
        found = compare_assignments(
            response,
            creative,
            assignments,
            baseline="shown",
            segment_of=SEGMENT_OF,
            propensity=propensity,
            estimator=estimator,
        )
        pairs = [(found.values[name].value, truth[name]) for name in truth]
        pairs += [(found.difference(name), truth[name] - truth["shown"]) for name in ("creative", "segment")]
        covered.append([low <= true <= high for (low, high), true in ((e.interval, true) for e, true in pairs)])
        estimates.append([estimate.estimate - true for estimate, true in pairs])
    coverage = np.mean(covered, axis=0)
    assert (coverage >= 0.92).all()
    assert (coverage <= 0.98).all()
    bias = np.mean(estimates, axis=0) / (np.std(estimates, axis=0) / np.sqrt(400))
    assert np.abs(bias).max() < 3


def test_intervals_cover_where_whole_clusters_are_shown_a_creative_and_respond_alike():
    covered = []
    for seed in range(400):
        random = np.random.default_rng(seed)
        clusters = np.repeat(np.arange(150), 5)
        creative = random.choice(["a", "b"], size=150)[clusters]
        response = (creative == "a") + (random.normal(size=150) * 1.5)[clusters] + random.normal(size=750)
        found = compare_assignments(
            response,
            creative,
            {name: Assignment.by_creative(name) for name in ("a", "b")},
            baseline="b",
            clusters=clusters,
        )
        low, high = found.difference("a").interval
        covered.append(low <= 1 <= high)
    assert 0.92 <= np.mean(covered) <= 0.98


rows = st.lists(st.tuples(st.integers(-9, 9), st.sampled_from("abc"), st.sampled_from("abc")), min_size=3, max_size=40)


@given(rows.filter(lambda rows: any(c == a for _, c, a in rows)), st.integers(-100, 100), st.randoms())
def test_a_value_moves_with_what_all_responses_share_and_not_with_the_order_of_people(rows, shift, random):
    def value(rows, shift=0):
        response, creative, given = zip(*rows, strict=True)
        return assignment_value(
            np.array(response) + shift, creative, Assignment.by_creative(np.array(given)), propensity=SHARES
        ).value

    plain, moved, shuffled = value(rows), value(rows, shift), value(random.sample(rows, len(rows)))
    assert moved.estimate == pytest.approx(plain.estimate + shift)
    assert moved.standard_error == pytest.approx(plain.standard_error, abs=1e-9)
    assert shuffled.estimate == pytest.approx(plain.estimate)
    assert shuffled.standard_error == pytest.approx(plain.standard_error, abs=1e-9)


def test_a_difference_is_paired():
    """Two assignments that differ for few people differ by little, however uncertain the value of each."""
    response, creative, _, _ = experiment(2_000, 4)
    response = response + np.random.default_rng(4).normal(scale=10, size=2_000)
    some = np.where(np.arange(2_000) < 100, "b", "a")
    found = compare_assignments(
        response,
        creative,
        {"a": Assignment.by_creative("a"), "some b": Assignment.by_creative(some), "same": Assignment.by_creative("a")},
        baseline="a",
        propensity=SHARES,
    )
    assert found.difference("some b").standard_error < 0.5 * found.values["a"].value.standard_error
    assert found.difference("some b").estimate == pytest.approx(
        found.values["some b"].value.estimate - found.values["a"].value.estimate
    )
    assert found.difference("a", "some b").estimate == -found.difference("some b").estimate
    assert found.difference("same").interval == (0, 0)


def test_only_ratios_of_probabilities_count():
    response, creative, assignments, _ = experiment(300, 5)
    counts = {name: 1_000 * share for name, share in SHARES.items()}
    values = [
        assignment_value(
            response, creative, assignments["segment"], segment_of=SEGMENT_OF, propensity=shares, estimator="ipw"
        ).value
        for shares in (SHARES, counts)
    ]
    assert values[0].estimate == pytest.approx(values[1].estimate)
    assert values[0].standard_error == pytest.approx(values[1].standard_error)


def test_a_response_of_everybody_in_the_experiment_needs_no_weights():
    response, creative, assignments, _ = experiment(300, 6)
    found = assignment_value(response, creative, assignments["shown"])
    expected = mean_estimate(response)
    assert (found.value.estimate, found.value.standard_error) == pytest.approx(
        (expected.estimate, expected.standard_error)
    )


class TestNotes:
    def test_shares_that_were_observed_are_said(self):
        response, creative, assignments, _ = experiment(300, 7)
        assert assignment_value(response, creative, assignments["creative"]).notes == ("shares_observed",)
        assert assignment_value(response, creative, assignments["creative"], propensity=SHARES).notes == ()

    def test_few_people_few_clusters_and_few_responses_are_said(self):
        random = np.random.default_rng(8)
        creative = np.repeat(["a", "b"], [1_000, 1_000])
        rare, common = np.zeros(2_000), random.normal(size=2_000)
        rare[::200] = 1
        given = Assignment.by_creative("a")
        shares = {"a": 1, "b": 1}
        few_people = Assignment.by_creative(np.where(np.arange(2_000) < 20, "a", np.where(creative == "a", "b", "a")))
        clusters = np.arange(2_000) // 50
        assert assignment_value(common, creative, given, propensity=shares).notes == ()
        assert assignment_value(common, creative, few_people, propensity=shares).notes == ("few_matched:assignment",)
        assert assignment_value(common, creative, given, propensity=shares, clusters=clusters).notes == (
            "few_matched:assignment",
        )
        assert assignment_value(rare, creative, given, propensity=shares).notes == ("few_matched:assignment",)

    def test_many_who_respond_in_few_clusters_are_few(self):
        creative, clusters = np.tile(["a", "b"], 5_000), np.arange(10_000) // 50
        response = (clusters % 40 == 0).astype(float)
        given, shares = Assignment.by_creative("a"), {"a": 1, "b": 1}
        assert assignment_value(response, creative, given, propensity=shares).notes == ()
        noted = assignment_value(response, creative, given, propensity=shares, clusters=clusters).notes
        assert noted == ("few_matched:assignment",)

    @pytest.mark.parametrize("all_of_a", [0.0, 0.1])
    def test_a_value_without_any_uncertainty_is_not_to_be_relied_on(self, all_of_a):
        creative = np.repeat(["a", "b"], 100)
        response = np.where(creative == "a", all_of_a, np.arange(200))
        found = assignment_value(response, creative, Assignment.by_creative("a"), propensity={"a": 1, "b": 1})
        assert found.value.standard_error == pytest.approx(0, abs=1e-15)
        assert found.notes == ("few_matched:assignment",)

    def test_a_difference_that_rests_on_few_people_is_said_and_that_of_equal_assignments_is_not(self):
        response, creative, _, _ = experiment(2_000, 9)
        few = np.where(np.arange(2_000) < 10, "b", "a")
        found = compare_assignments(
            response,
            creative,
            {"a": Assignment.by_creative("a"), "few": Assignment.by_creative(few), "same": Assignment.by_creative("a")},
            baseline="a",
            propensity=SHARES,
        )
        assert found.notes == ("few_differ:few",)

    @pytest.mark.parametrize(("responders", "noted", "covers"), [(2, True, False), (40, False, True)])
    def test_what_is_said_tells_intervals_that_cover_from_those_that_do_not(self, responders, noted, covers):
        rate, draws = responders / 500, 500
        covered, said = np.empty(draws, bool), np.empty(draws, bool)
        creative, shares = np.repeat(["a", "b", "c"], 500), {"a": 1, "b": 1, "c": 1}
        for seed in range(draws):
            response = (np.random.default_rng(seed).random(1_500) < rate).astype(float)
            found = assignment_value(response, creative, Assignment.by_creative("a"), propensity=shares)
            low, high = found.value.interval
            covered[seed], said[seed] = low <= rate <= high, bool(found.notes)
        assert (said == noted).mean() > 0.99
        assert (covered.mean() > 0.92) == covers


class TestFaults:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"assignment": Assignment.by_creative("d")}, "'d'"),
            ({"assignment": Assignment.by_creative(["a", "a", "a", "a", "a", "d"])}, "'d'"),
            ({"assignment": Assignment.by_segment("hot")}, "'hot'"),
            ({"assignment": Assignment.by_segment("warm"), "segment_of": None}, "segment_of"),
            ({"assignment": Assignment.by_creative(["b", "b", "a", "a", "a", "a"])}, "nobody among 6 people"),
            ({"assignment": Assignment.by_creative(["a", "b"])}, "has 2 rows"),
            ({"segment_of": {**SEGMENT_OF, "d": "cold"}}, "'d'"),
            ({"propensity": {"a": 0.5, "b": 0.5}}, "'c'"),
            ({"propensity": {**SHARES, "b": 0.0}}, "'b' is 0"),
            ({"creative": ["a", "a", "b", "b", "c", None]}, "creative is missing for 1 of 6"),
            ({"creative": ["a", "b"]}, "creative has 2 rows"),
            ({"response": [1.0, 2.0, 3.0, 4.0, 5.0, np.nan]}, "response has 1 missing"),
            ({"estimator": "aipw"}, "'aipw'"),
            ({"level": 95}, "level is 95"),
            ({"clusters": ["x"] * 6}, "1 independent units"),
            ({"response": [], "creative": [], "assignment": Assignment.as_shown()}, "no person"),
        ],
    )
    def test_errors_name_what_is_wrong(self, change, message):
        arguments = {
            "response": RESPONSE,
            "creative": CREATIVE,
            "assignment": Assignment.by_creative("a"),
            "segment_of": SEGMENT_OF,
            "propensity": None,
            "estimator": "hajek",
        }
        with pytest.raises(InputError, match=message):
            assignment_value(**{**arguments, **change})

    def test_names_of_assignments_are_checked(self):
        with pytest.raises(InputError, match="baseline 'x' is unknown"):
            compare_assignments(RESPONSE, CREATIVE, {"a": Assignment.by_creative("a")}, baseline="x")
        found = compare_assignments(RESPONSE, CREATIVE, {"a": Assignment.by_creative("a")}, baseline="a")
        with pytest.raises(InputError, match="policy 'y' is unknown"):
            found.difference("y")
