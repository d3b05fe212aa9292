"""The benchmark of scores: what is asked, and how it is measured."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.evaluation import EQUAL, LARGE, OURS, TASKS, Answer, ask, rows
from benchmarks.peers.ranking import LIBRARIES, ours, simulated
from benchmarks.peers.stopwatch import taken_by


def test_every_task_is_asked_of_this_library_and_of_known_peers():
    for _, libraries in TASKS.values():
        assert OURS in libraries
        assert set(libraries) <= set(LIBRARIES)
    assert {*EQUAL, *LARGE} <= set(TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_this_library_answers_every_task_with_a_number(task):
    assert np.isfinite(ours(task, simulated(2_000))())


def test_predictions_of_the_simulation_have_no_ties_that_libraries_would_treat_differently():
    users = simulated(2_000)
    assert len(np.unique(users.uplift)) == 2_000
    assert set(users.outcome) == {0, 1}


def test_the_stopwatch_sees_the_memory_that_a_call_takes_and_not_what_was_there():
    code = (
        "import json, numpy as np; from benchmarks.peers.stopwatch import taken_by; "
        "held = np.ones(10_000_000); "
        "print(json.dumps(taken_by(lambda: float(np.ones(5_000_000).sum()))))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    taken = json.loads(done.stdout)
    assert taken["answer"] == 5_000_000
    assert 35e6 < taken["peak_bytes"] < 60e6
    assert taken["cpu_seconds"] > 0


def test_the_stopwatch_returns_what_the_call_returned():
    assert taken_by(lambda: 7)["answer"] == 7


def test_an_answer_comes_from_a_process_of_its_own_with_the_version_of_the_library():
    found = ask(OURS, "auuc_as_sklift", 1_000)
    assert found.answer == pytest.approx(ours("auuc_as_sklift", simulated(1_000))())
    assert found.version == "0.1.0"


def test_lines_hold_ratios_to_this_library():
    answers = {
        OURS: Answer(seconds=1.0, cpu_seconds=2.0, peak_bytes=10_000_000, answer=0.5, version="1"),
        "causalml": Answer(seconds=2.0, cpu_seconds=6.0, peak_bytes=50_000_000, answer=0.5, version="2"),
    }
    lines = list(rows("auuc_interval", answers))
    assert lines[0][1:] == ["1.00", "2.00", "10", "1.00", "1.00", "0.50000"]
    assert lines[1][1:] == ["2.00", "6.00", "50", "3.00", "5.00", "0.50000"]
