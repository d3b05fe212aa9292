import numpy as np
import pytest
from scipy.stats import ttest_ind

from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc, uplift_at, uplift_curve
from tests.unit.evaluation.test_curves import OUTCOME, TREATMENT, UPLIFT


@pytest.mark.parametrize("strategy", ["overall", "by_group"])
def test_uplift_at_30_percent_gives_scikit_uplifts_value(strategy):
    assert uplift_at(OUTCOME, UPLIFT, TREATMENT, share=0.3, strategy=strategy) == 1.0


def test_by_group_takes_the_top_of_each_arm_by_itself():
    outcome, uplift, treatment = [1.0, 2.0, 3.0, 4.0, 5.0], [5, 4, 3, 2, 1], [1, 1, 1, 0, 0]
    assert uplift_at(outcome, uplift, treatment, share=0.5, strategy="by_group") == 1.0 - 4.0
    assert uplift_at(outcome, uplift, treatment, share=0.8, strategy="overall") == 2.0 - 4.0


def test_uplift_at_everybody_is_the_average_effect():
    assert uplift_at(OUTCOME, UPLIFT, TREATMENT, share=1) == pytest.approx(1 / 6)


def test_a_tie_at_the_edge_of_the_top_counts_in_part_whatever_the_order():
    outcome, uplift, treatment = np.array([4.0, 0, 2, 0, 0, 0]), np.array([2, 2, 1, 1, 1, 1]), [1, 0, 1, 0, 1, 0]
    rows = np.array([0, 1, 4, 5, 2, 3])
    expected = (4 + 2 * 0.25) / (1 + 2 * 0.25)
    assert uplift_at(outcome, uplift, treatment, share=0.5) == pytest.approx(expected)
    assert uplift_at(outcome[rows], uplift[rows], treatment, share=0.5) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0}, "share is 0"),
        ({"share": 0.05}, "holds 0 treated and 0 control"),
        ({"share": 0.5, "strategy": "both"}, "strategy 'both' is unknown"),
    ],
)
def test_a_top_without_users_of_both_arms_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        uplift_at(OUTCOME, UPLIFT, TREATMENT, **options)


def simulated(n=20_000):
    random = np.random.default_rng(0)
    uplift, treatment = random.normal(size=n), random.integers(0, 2, n)
    return random.normal(size=n) + uplift * treatment, uplift, treatment


def test_each_bucket_has_its_users_their_means_and_welchs_interval():
    outcome, uplift, treatment = simulated()
    table = uplift_curve(outcome, uplift, treatment, buckets=10)
    assert (table["n_control"] + table["n_treatment"]).tolist() == [2_000] * 10
    top = uplift >= np.sort(uplift)[-2_000]
    first = table.iloc[0]
    treated, control = outcome[top & (treatment == 1)], outcome[top & (treatment == 0)]
    assert first["n_treatment"] == len(treated)
    assert first["difference"] == pytest.approx(treated.mean() - control.mean())
    assert first["predicted"] == pytest.approx(uplift[top].mean())
    welch = ttest_ind(treated, control, equal_var=False)
    assert first["difference"] / first["standard_error"] == pytest.approx(welch.statistic)
    assert first["high"] - first["low"] == pytest.approx(2 * 1.959964 * first["standard_error"])


def test_buckets_fall_from_the_highest_predicted_to_the_lowest():
    table = uplift_curve(*simulated(), buckets=20)
    assert table["bucket"].tolist() == list(range(1, 21))
    assert table["predicted"].is_monotonic_decreasing
    assert np.corrcoef(table["predicted"], table["difference"])[0, 1] > 0.98


def test_users_with_equal_scores_share_a_bucket_and_empty_buckets_are_left_out():
    uplift = np.repeat([3.0, 2.0, 1.0], [100, 800, 100])
    treatment = np.tile([0, 1], 500)
    table = uplift_curve(np.zeros(1000), uplift, treatment, buckets=10)
    assert table["bucket"].tolist() == [1, 6, 10]
    assert table["n_control"].tolist() == [50, 400, 50]


def test_what_a_bucket_with_one_arm_cannot_tell_is_nan():
    table = uplift_curve([1.0, 2.0, 3.0, 4.0], [4, 3, 2, 1], [1, 1, 0, 0], buckets=2)
    assert table["mean_treatment"].tolist()[0] == 1.5
    assert np.isnan(table.loc[0, ["mean_control", "difference", "low", "high"]].to_numpy(dtype=float)).all()


def test_buckets_of_any_number_hold_every_user_once():
    outcome, uplift, treatment = simulated(1_003)
    for buckets in (1, 7, 100, 5_000):
        table = uplift_curve(outcome, uplift, treatment, buckets=buckets)
        assert int((table["n_control"] + table["n_treatment"]).sum()) == 1_003
    assert auuc(outcome, uplift, treatment) > 0
