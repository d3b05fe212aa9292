"""A run folder is frozen once, adopts finished work and never shows half of anything."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from tests.unit.test_experiment import SHORTEST


@pytest.fixture
def settings(tmp_path):
    return Settings(lake=f"file://{tmp_path}")


@pytest.fixture
def run(settings):
    return RunFolder.open(Experiment.model_validate(SHORTEST), settings)


def test_a_later_statement_may_change_only_what_does_not_decide(run, settings):
    renamed = Experiment.model_validate(SHORTEST | {"name": "Autoplay", "delivery": {"languages": ["en"]}})
    assert RunFolder.open(renamed, settings).experiment.delivery.languages == ("en",)
    with pytest.raises(InputError, match=r"window: .*'days': 7.* -> .*'days': 8") as caught:
        RunFolder.open(Experiment.model_validate(SHORTEST | {"window": {"days": 8}}), settings)
    assert "raise revision" in caught.value.remedy


def test_another_revision_is_another_run(run, settings):
    other = RunFolder.open(Experiment.model_validate(SHORTEST | {"revision": 2, "window": {"days": 8}}), settings)
    assert other.uri != run.uri


def test_of_two_statements_at_the_same_time_one_freezes_and_the_other_fails(settings):
    def open_with(days):
        try:
            return RunFolder.open(Experiment.model_validate(SHORTEST | {"window": {"days": days}}), settings)
        except InputError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(open_with, range(1, 9)))
    assert sum(isinstance(outcome, RunFolder) for outcome in outcomes) == 1


def test_a_folder_that_was_never_opened_is_refused(settings, tmp_path):
    with pytest.raises(InputError, match="no run"):
        RunFolder.existing(f"file://{tmp_path}/runs/none/r1", settings)


def test_of_two_attempts_the_first_commit_stays(run):
    attempts = [run.begin("prepare", None, "f" * 8) for _ in range(2)]
    for number, attempt in enumerate(attempts):
        run.storage.write_bytes(f"{attempt.folder}/users", str(number).encode())
    manifests = [attempt.commit({"users": f"{attempt.folder}/users"}, {}) for attempt in attempts]
    assert manifests[0] == manifests[1] == run.read_manifest(run.manifest_uri("prepare", None, "f" * 8))


def test_an_output_outside_the_attempt_or_never_written_is_refused(run):
    attempt = run.begin("prepare", None, "f")
    with pytest.raises(InputError, match="outside its folder"):
        attempt.commit({"users": f"{run.uri}/users"}, {})
    with pytest.raises(InputError, match="wrote nothing"):
        attempt.commit({"users": f"{attempt.folder}/users"}, {})


def test_the_newest_failure_of_an_instance_is_found_whatever_its_fingerprint(run):
    assert run.last_failure("train", "t_lightgbm") is None
    run.begin("train", "t_lightgbm", "a").fail(InputError("old", remedy="r"))
    run.begin("train", "t_lightgbm", "b").fail(ValueError("new"))
    run.begin("train", "other", "b").fail(ValueError("elsewhere"))
    failure = run.last_failure("train", "t_lightgbm")
    assert (failure.error, failure.message) == ("ValueError", "ValueError: new")


def test_the_sweeper_removes_only_old_attempts_that_nobody_committed(run):
    committed, orphan = run.begin("prepare", None, "a"), run.begin("prepare", None, "b")
    for attempt in (committed, orphan):
        run.storage.write_bytes(f"{attempt.folder}/users", b"x")
    committed.commit({"users": f"{committed.folder}/users"}, {})
    assert run.sweep() == []
    assert run.sweep(older_than=timedelta(seconds=-5)) == [orphan.folder]
    assert run.storage.exists(f"{committed.folder}/users")
    assert not run.storage.exists(f"{orphan.folder}/users")
