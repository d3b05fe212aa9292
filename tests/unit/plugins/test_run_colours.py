"""Which tasks run, are skipped or wait in vain, and how a run ends: as Airflow's own scheduler decides it."""

import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
from causal_airflow.settings import read_settings

from causal_tasks.errors import InputError
from causal_tasks.pipelines.execution import load_experiment, run_pipeline
from causal_tasks.run_folder import RunFolder
from tests.unit.plugins.scheduled_run import database, scheduled
from tests.unit.plugins.small_pipeline import BEHAVIOUR, SMALL, WRONG_INPUT
from tests.unit.plugins.small_run import started

OUT_OF_MEMORY = MemoryError("large")
OK, FAILED, SKIPPED, IN_VAIN = "success", "failed", "skipped", "upstream_failed"


def ended(
    *,
    train: str | tuple[str, ...] = (OK, OK),
    shortlist: str = OK,
    tune: str | tuple[str, ...] = (OK, OK),
    select: str = OK,
    replicate: str | tuple[str, ...] = (OK, OK),
    mine: str = OK,
    report: str = OK,
) -> dict[str, str]:
    """State by task; a mapped task that was never expanded has one state, an expanded one as many as instances."""
    states = dict.fromkeys(("prepare", "validate", "measure", "notify"), OK)
    states |= {"shortlist": shortlist, "select": select, "mine": mine, "report": report}
    for name, instances in (("train", train), ("tune", tune), ("replicate", replicate)):
        if isinstance(instances, str):
            states[name] = instances
        else:
            states |= {f"{name}[{index}]": state for index, state in enumerate(instances)}
    return states


CASES = {
    "all goes well": ({}, OK, ended()),
    "nothing to mine": (
        {},
        OK,
        ended(train=SKIPPED, shortlist=SKIPPED, tune=SKIPPED, select=SKIPPED, replicate=SKIPPED, mine=SKIPPED),
    ),
    "one candidate dies": ({"train/a": OUT_OF_MEMORY}, OK, ended(train=(FAILED, OK), tune=(OK,))),
    "all candidates die": (
        {"train/a": WRONG_INPUT, "train/b": OUT_OF_MEMORY},
        FAILED,
        ended(
            train=(FAILED, FAILED),
            shortlist=FAILED,
            tune=IN_VAIN,
            select=SKIPPED,
            replicate=SKIPPED,
            mine=SKIPPED,
            report=IN_VAIN,
        ),
    ),
    "one tuning dies": ({"tune/b": OUT_OF_MEMORY}, OK, ended(tune=(OK, FAILED))),
    "all tunings die": ({"tune/a": WRONG_INPUT, "tune/b": OUT_OF_MEMORY}, OK, ended(tune=(FAILED, FAILED))),
    "selection dies": (
        {"select": OUT_OF_MEMORY},
        FAILED,
        ended(select=FAILED, replicate=IN_VAIN, mine=SKIPPED, report=IN_VAIN),
    ),
    "one replication dies": ({"replicate/seed_1": OUT_OF_MEMORY}, OK, ended(replicate=(FAILED, OK))),
    "all replications die": (
        {"replicate/seed_1": WRONG_INPUT, "replicate/permuted_1": OUT_OF_MEMORY},
        OK,
        ended(replicate=(FAILED, FAILED)),
    ),
    "a batch goes well": ({}, OK, ended(train=(OK,), replicate=(OK,))),
    "a batch loses one candidate": (
        {"train/a": OUT_OF_MEMORY},
        OK,
        ended(train=(FAILED,), tune=(OK,), replicate=(OK,)),
    ),
    "a batch loses all candidates": (
        {"train/a": WRONG_INPUT, "train/b": OUT_OF_MEMORY},
        FAILED,
        ended(
            train=(FAILED,),
            shortlist=FAILED,
            tune=IN_VAIN,
            select=SKIPPED,
            replicate=SKIPPED,
            mine=SKIPPED,
            report=IN_VAIN,
        ),
    ),
    "a batch loses one replication": ({"replicate/seed_1": WRONG_INPUT}, OK, ended(train=(OK,), replicate=(FAILED,))),
    "mining dies": ({"mine": OUT_OF_MEMORY}, FAILED, ended(mine=FAILED, report=IN_VAIN)),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, lake: Path) -> tuple[str, dict[str, str]]:
    """State of the run and of its tasks that the stages' behaviour should lead to."""
    fails, run_state, task_states = CASES[request.param]
    items = [] if request.param == "nothing to mine" else ["a", "b"]
    BEHAVIOUR.update(items=items, fails=fails, alike=request.param.startswith("a batch"))
    return run_state, task_states


def test_a_run_is_red_only_where_it_has_no_result(case: tuple[str, dict[str, str]], lake: Path) -> None:
    with database() as session:
        assert scheduled(started(), session) == case
    assert (lake / "runs/demo/r1/result.json").exists() == (case[0] == OK)


def test_the_command_line_commits_what_airflow_commits(case: tuple[str, dict[str, str]], lake: Path) -> None:
    with database() as session:
        scheduled(started(), session)
    by_airflow = committed(lake)
    shutil.rmtree(lake / "runs")
    settings = read_settings()
    run = RunFolder.open(load_experiment("demo", settings), settings)
    with nullcontext() if case[0] == OK else pytest.raises((InputError, MemoryError)):
        run_pipeline(SMALL, run)
    assert committed(lake) == by_airflow


def committed(lake: Path) -> set[Path]:
    """Every stage instance with its fingerprint."""
    return {file.relative_to(lake) for file in lake.rglob("stage.json")}
