"""Public experiments whose arms are messages: published figures, and what a segmentation must not claim."""

import numpy as np
import pytest

from benchmarks.creative_segments.experiments import EXPERIMENTS
from causal_tasks.segments import Assignment, compare_assignments


@pytest.fixture(scope="module")
def experiments(test_data):
    return {file.split(".")[0]: read(test_data / file) for file, read in EXPERIMENTS.items()}


def rates(experiment):
    return {name: experiment.response[experiment.creative == name].mean() for name in np.unique(experiment.creative)}


def test_letters_to_voters_have_the_published_turnout(experiments):
    turnout = rates(experiments["gotv_social_pressure"])
    published = {"Control": 0.297, "Civic Duty": 0.315, "Hawthorne": 0.322, "Neighbors": 0.378}
    assert {name: round(rate, 3) for name, rate in turnout.items()} == published


def test_neighbouring_rows_give_back_the_households_that_were_drawn(experiments):
    """All of a household got one letter, and its members vote alike, so that intervals with them are wider."""
    voters = experiments["gotv_social_pressure"]
    assert voters.clusters.max() + 1 == 160_002
    assert (np.bincount(voters.clusters)[voters.clusters] == voters.people["household"]).all()

    def difference(clusters):
        policies = {name: Assignment.by_creative(name) for name in ("Neighbors", "Control")}
        found = compare_assignments(voters.response, voters.creative, policies, baseline="Control", clusters=clusters)
        return found.difference("Neighbors")

    published = difference(voters.clusters)
    assert published.estimate == pytest.approx(0.081, abs=0.0005)
    assert published.standard_error == pytest.approx(0.0033, abs=0.0002)
    assert published.standard_error > 1.15 * difference(None).standard_error


def test_every_creative_of_the_real_examples_has_a_segment_or_is_a_reference(experiments):
    reference = {name: set(experiment.creative) - set(experiment.segment) for name, experiment in experiments.items()}
    assert reference == {
        "gotv_social_pressure": {"Control"},
        "karlan_list_charity": {"no match"},
        "open_bandit_sample": set(),
    }
    assert experiments["open_bandit_sample"].response.sum() == 38
    gifts = rates(experiments["karlan_list_charity"])
    assert gifts.pop("no match") == pytest.approx(0.0179, abs=0.0001)
    assert np.mean(list(gifts.values())) == pytest.approx(0.0220, abs=0.0001)
