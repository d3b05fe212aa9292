"""The benchmark of creative segments: equal problems for all solvers, known values of policies, people kept together."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from benchmarks.creative_segments import choice, real, recovery
from benchmarks.creative_segments.__main__ import PAGE, PARTS
from benchmarks.creative_segments.experiments import RealCreatives, households
from benchmarks.peers import segments
from benchmarks.peers.segments import SOLVERS, simulated
from causal_tasks.data.creative_problems import creative_problem
from causal_tasks.errors import InputError
from causal_tasks.segments import CreativeSegments, CreativeSegmentsCV, SeparateCreativesCV


def objective(solver, people=3_000, covariates=20, file=""):
    return SOLVERS[solver](people, covariates, file)()["objective"]


def test_solvers_of_separate_lassos_reach_the_same_objective():
    ours = objective("separate")
    assert objective("liblinear") == pytest.approx(ours, rel=1e-4)
    assert objective("saga") == pytest.approx(ours, rel=1e-4)


def test_the_cone_programme_has_the_objective_of_segments():
    assert objective("clarabel", 1_000, 8) == pytest.approx(objective("segments", 1_000, 8), rel=1e-6)


def test_a_path_from_parquet_ends_where_one_from_memory_of_the_same_people_does(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "LAMS", 3)
    monkeypatch.setattr(segments, "LOWEST", 0.3)
    file = str(tmp_path / "people.parquet")
    SOLVERS["write"](3_000, 10, file)()
    found = SOLVERS["mapped"](3_000, 10, file)()
    people = simulated(1, 10).others(3_000, seed=0)
    shown = np.array(people.creatives)[people.creative]
    model = CreativeSegments(0.3, 0.1, relative=True, n_lams=3)
    model.fit(people.X, people.response, creative=shown, segment=people.segment)
    assert found["objective"] == pytest.approx(model.objective_, rel=1e-6)
    assert found["converged"]
    assert found["anonymous_bytes"] > 0


def test_a_page_has_a_section_for_every_part():
    text = PAGE.read_text()
    assert all(text.count(f"<!-- {part}:{end} -->") == 1 for part in PARTS for end in ("begin", "end"))


def test_policies_are_valued_by_their_true_probabilities(monkeypatch):
    monkeypatch.setattr(choice, "COVARIATES", 10)
    monkeypatch.setattr(choice, "LAMS", 3)
    values = np.array([[0.1, 0.2], [0.3, 0.4]])
    assert choice._mean_at(values, np.array([1, 0])) == pytest.approx(0.25)
    case = choice.Case("alike", 3_000, strength=2.0, appeal=0.0)
    gains = choice._gains(case, seed=0)
    assert set(gains) == set(choice.POLICIES)
    assert gains[choice.ORACLE] == pytest.approx(gains[choice.ORACLE_SEGMENT])
    assert 0.05 < gains[choice.SEGMENT] < gains[choice.ORACLE_SEGMENT]


def test_a_fit_that_is_the_truth_is_found_to_be():
    truth = creative_problem(500, 10, 1, 3, shared=3, apart=1, seed=0)
    model = CreativeSegments(0.5, relative=True).fit(
        truth.X, truth.response, creative=np.array(truth.creatives)[truth.creative], segment=truth.segment
    )
    model.gamma_, model.delta_ = truth.gamma * model.scale_, truth.delta * model.scale_
    model.beta_ = model.gamma_[model.segment_of_] + model.delta_
    found = recovery.Found.of(model, truth, truth)
    assert (found.right, found.wrong, found.agree, found.depart) == (3, 0, 2, 1)
    assert found.error == pytest.approx(0, abs=1e-6)


def test_households_are_runs_of_equal_rows_cut_by_their_size():
    message, size = pd.Series(list("aaaabb")), pd.Series([2, 2, 2, 2, 1, 1])
    assert households(message, size).tolist() == [0, 0, 1, 1, 2, 3]
    with pytest.raises(InputError, match="do not stand together"):
        households(message[:3], size[:3])


@pytest.fixture
def experiment():
    problem = creative_problem(8_000, 4, 2, 2, shared=2, strength=1.5, appeal=0.0, seed=0)
    shown = np.array(problem.creatives)[problem.creative]
    shown[::5] = "nothing"
    return RealCreatives(
        title="simulated",
        people=pd.DataFrame(problem.X, columns=list("abcd")),
        response=np.where(shown == "nothing", 0.0, problem.response),
        creative=shown,
        segment=problem.segment,
        unit="responses",
        remark="",
        clusters=np.repeat(np.arange(4_000), 2),
    )


def test_members_of_a_cluster_are_dealt_together(experiment):
    dealt = real._dealt(experiment, 5, seed=3)
    assert (dealt[::2] == dealt[1::2]).all()
    assert np.bincount(dealt).tolist() == [1_600] * 5


def test_a_real_experiment_is_assigned_by_models_that_have_not_seen_the_person(experiment, monkeypatch):
    for model in (CreativeSegmentsCV, SeparateCreativesCV):
        monkeypatch.setattr(real, model.__name__, partial(model, n_lams=5))
    found, segment = real.evaluated(experiment)
    assert set(segment) == {"segment_1", "segment_2"}
    gain = found.difference(real.SEGMENTS)
    assert gain.interval[0] > 0.02
    assert found.values["nothing"].value.estimate == 0
    lines = real._values(experiment, found).splitlines()
    assert not next(line for line in lines if line.startswith(f"| {real.SINGLE}")).split("|")[3].strip()
    assert "assigned to segment_1" in real._matrix(experiment, segment)
