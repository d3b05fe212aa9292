"""Published figures of the preference model: how far chance alone spreads them."""

import pytest

from benchmarks.realtime.published import RESULTS, noise_floor


@pytest.mark.parametrize(
    ("result", "qini", "auuc"),
    [(RESULTS[0], 0.0031, 0.0012), (RESULTS[1], 0.0074, 0.0010)],
    ids=lambda value: str(value)[:30],
)
def test_the_model_is_ahead_of_the_next_by_less_than_a_random_ranking_spreads(result, qini, auuc):
    floor = noise_floor(result, users=20_000, draws=150)
    assert floor[:2] == (pytest.approx(qini, rel=0.2), pytest.approx(auuc, rel=0.2))
    for score, other, sd in zip(result.scores, result.best_other, floor, strict=False):
        assert 0 < score - other < sd
        assert score > 2 * sd


def test_the_spread_is_that_of_a_set_as_large_as_the_one_told_of():
    small, large = (noise_floor(RESULTS[0], users=users, draws=300)[0] for users in (10_000, 40_000))
    assert small == pytest.approx(large, rel=0.15)
