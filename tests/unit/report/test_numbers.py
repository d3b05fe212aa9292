"""Numbers read as a reader of that language expects, with the digits that the interval supports."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.experiment import Metric
from causal_tasks.report.numbers import (
    MetricFormat,
    calendar_day,
    count,
    decimals_for,
    fixed,
    percent,
    probability,
)

MINUTES = MetricFormat("zh", "分钟", percent=False)
SHARE_ZH, SHARE_EN = MetricFormat("zh", "", percent=True), MetricFormat("en", "", percent=True)


@pytest.mark.parametrize(
    ("spread", "decimals"), [(0.34, 2), (3.4, 1), (34.0, 0), (3400.0, 0), (0.0034, 4), (1e-12, 6), (0.0, 2), (None, 2)]
)
def test_two_significant_digits_of_the_spread_are_kept(spread, decimals):
    assert decimals_for(spread) == decimals


def test_a_minus_is_typographic_and_a_zero_has_no_sign():
    assert fixed(-1234.5, 1) == "−1,234.5"
    assert fixed(-0.0001, 2, signed=True) == "0.00"
    assert fixed(0.0001, 2, signed=True) == "0.00"
    assert fixed(None, 2) == "—"


def test_estimate_and_interval_share_their_digits():
    assert MINUTES.difference(3.4417, 0.35) == "+3.44 分钟"
    assert MINUTES.interval([3.09, 3.79]) == "[+3.09, +3.79]"


def test_a_bound_that_is_not_zero_never_reads_zero():
    assert MINUTES.interval([0.048, 4.752]) == "[+0.05, +4.75]"
    assert MINUTES.interval([0.0, 4.8]) == "[0.0, +4.8]"


def test_a_difference_of_shares_is_percentage_points_and_its_level_per_cent():
    assert SHARE_ZH.difference(0.0041, 0.003) == "+0.41 个百分点"
    assert SHARE_EN.difference(-0.0041, 0.003) == "−0.41 pp"
    assert SHARE_EN.level(0.713, 0.003) == "71.30%"
    assert SHARE_EN.interval([0.001, 0.0072]) == "[+0.10, +0.72]"


def test_a_metric_of_any_is_a_share_and_a_ratio_is_not():
    assert MetricFormat.of(Metric(name="active", aggregate="any"), "zh").percent
    assert not MetricFormat.of(Metric(name="play", aggregate="sum"), "zh").percent
    ratio = Metric(name="rate", aggregate="any", numerator="a", denominator="b")
    assert not MetricFormat.of(ratio, "zh").percent


def test_a_share_too_small_to_show_is_not_zero():
    assert percent(0.0002) == "<0.1%"
    assert percent(0.0) == "0.0%"
    assert percent(-0.0331, signed=True) == "−3.3%"
    assert percent(None) == "—"


def test_a_p_value_is_never_a_bare_zero():
    assert (probability(1e-9), probability(0.62), probability(None)) == ("<0.001", "0.620", "—")


def test_days_and_counts_follow_the_language():
    assert calendar_day(date(2026, 9, 7), "zh") == "2026年9月7日"
    assert calendar_day(date(2026, 9, 7), "en") == "7 Sep 2026"
    assert count(1_904_223) == "1,904,223"


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_the_shown_difference_is_within_a_tenth_of_its_spread_or_six_decimals(value, spread):
    shown = MetricFormat("en", "", percent=False).difference(value, spread)
    number = float(shown.replace(",", "").replace("−", "-"))
    assert abs(number - value) <= max(0.06 * spread, 0.51 * 10**-6, 1e-6 * abs(value), 0.0 if spread < 10 else 0.5)


@given(st.floats(-1e6, 1e6).filter(lambda x: abs(x) > 1e-5), st.floats(1e-3, 1e6))
def test_the_side_of_zero_on_which_an_interval_lies_can_be_read(low, width):
    shown = MINUTES.interval([low, low + width]).strip("[]").replace("−", "-")
    read_low = float(shown.split(", ")[0].replace(",", ""))
    assert (read_low > 0) == (low > 0)
