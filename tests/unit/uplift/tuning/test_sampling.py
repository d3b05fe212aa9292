"""Which parameters a trial tries."""

import numpy as np
import pytest

from causal_tasks.base_models import Range
from causal_tasks.uplift.tuning import Trial
from causal_tasks.uplift.tuning.sampling import STARTUP_TRIALS, next_parameters, values

SPACE = {"rate": Range(0.01, 1.0, log=True), "depth": Range(1, 9), "share": Range(0.5, 0.5)}
DEFAULT = {"rate": 0.1, "depth": 3, "share": 0.5}
SAMPLERS = ("tpe", "gp")


def trial(number, parameters, score, *, rungs=2):
    """A trial that reached so many of two rungs."""
    complete = rungs == 2
    scores = (score - 1.0, score)[:rungs] if complete else (score,)
    state = "complete" if complete else "pruned"
    return Trial(number, state, parameters, scores, {"3": scores[-1]}, score if complete else None)


def searched(sampler, score, *, trials, seed=0, default=DEFAULT):
    done = []
    for number in range(trials):
        parameters = next_parameters(SPACE, default, done, sampler=sampler, seed=seed)
        done.append(trial(number, parameters, score(parameters)))
    return done


def hill(parameters):
    """Highest at rate 0.03 and depth 7."""
    return -(np.log(parameters["rate"] / 0.03) ** 2) - 0.1 * (parameters["depth"] - 7) ** 2


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_sampler_finds_the_top_of_a_hill_better_than_chance(sampler):
    found = searched(sampler, hill, trials=13)
    random = np.random.default_rng(0)
    draws = [{"rate": 10 ** random.uniform(-2, 0), "depth": random.integers(1, 10)} for _ in range(2_000)]
    chance = np.quantile([hill(parameters) for parameters in draws], 0.9)
    assert found[0].parameters == DEFAULT
    late = found[STARTUP_TRIALS:]
    assert np.mean([hill(trial.parameters) > chance for trial in late]) > 0.3
    assert max(hill(trial.parameters) for trial in found) > hill(DEFAULT)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_a_trial_tries_follows_from_the_finished_ones_the_seed_and_its_number(sampler):
    done = searched(sampler, hill, trials=7)
    again = [next_parameters(SPACE, DEFAULT, done[:k], sampler=sampler, seed=0) for k in range(7)]
    assert again == [trial.parameters for trial in done]
    others = next_parameters(SPACE, DEFAULT, done[:3], sampler=sampler, seed=1)
    assert others != done[3].parameters
    assert len({tuple(trial.parameters.values()) for trial in done}) == 7


@pytest.mark.parametrize("seed", [20_261_125, 2**40])
def test_a_seed_may_be_large(seed):
    first = next_parameters(SPACE, DEFAULT, searched("tpe", hill, trials=1), sampler="tpe", seed=seed)
    assert 0.01 <= first["rate"] <= 1.0


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_value_is_in_its_range_and_of_its_kind(sampler):
    for tried in searched(sampler, hill, trials=8):
        assert 0.01 <= tried.parameters["rate"] <= 1.0
        assert tried.parameters["depth"] in range(1, 10)
        assert isinstance(tried.parameters["depth"], int)
        assert tried.parameters["share"] == 0.5


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_default_out_of_range_is_tried_first_then_the_nearest_bounds(sampler):
    default = {"rate": 2.0, "depth": 3, "share": 0.7}
    found = searched(sampler, hill, trials=7, default=default)
    assert found[0].parameters == default
    assert found[1].parameters == {"rate": 1.0, "depth": 3, "share": 0.5}
    assert all(trial.parameters["share"] == 0.5 for trial in found[1:])


def test_a_trial_is_worth_its_gain_over_the_default_on_the_same_rows():
    done = [
        trial(0, DEFAULT, 3.0),  # 2.0 on the first rung
        trial(1, DEFAULT, 4.5),
        trial(2, DEFAULT, 2.5),
        trial(3, DEFAULT, 1.0, rungs=1),
        trial(4, DEFAULT, 2.2, rungs=1),
    ]
    assert values(done) == pytest.approx([0.0, 1.5, -0.5, -1.0, -0.5])
