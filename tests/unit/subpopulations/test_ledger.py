"""The ledger: one entry per follow-up run, whose first word stands."""

import pytest

from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage
from causal_tasks.subpopulations.confirmation import confirmation
from causal_tasks.subpopulations.ledger import Summary, read_ledger, record


def follow_up(identity="music.r2.s1", *, predicted=1.0, **changes):
    return Experiment.parse(
        {
            "experiment_id": identity,
            "control": "off",
            "treatments": ["on"],
            "window": {"days": 7},
            "metrics": [{"name": "minutes", "role": "primary"}],
            "features": {"dictionary": {"age": {"display": {"zh": "年龄", "en": "Age"}}}},
            "eligible": {"all": [{"feature": "age", "op": "<=", "value": 30.0}]},
            "follows": {
                "experiment_id": "music",
                "revision": 2,
                "rule": identity.rsplit(".", 1)[-1],
                "treatment": "on",
                "kind": "positive",
                "predicted": {"estimate": predicted, "interval": [predicted / 2, 2 * predicted]},
            },
        }
        | changes,
        source="test",
    )


@pytest.fixture
def lake(tmp_path):
    settings = Settings(lake=f"file://{tmp_path}")
    return Storage(settings), settings


def enter(lake, experiment, estimate, half=0.25):
    interval = [None, None] if estimate is None else [estimate - half, estimate + half]
    found = confirmation(experiment.follows, {"estimate": estimate, "interval": interval}, trusted=True)
    return record(*lake, experiment, found)


def test_an_entry_lies_under_its_finding_and_reads_back(lake, tmp_path):
    assert enter(lake, follow_up(), 0.75)
    assert (tmp_path / "ledger" / "music.r2.s1" / "music.r2.s1.r1.json").is_file()
    (entry,) = read_ledger(*lake)
    assert (entry.experiment_id, entry.revision, entry.metric, entry.verdict) == (
        "music.r2.s1",
        1,
        "minutes",
        "confirmed",
    )
    assert entry.words == {"zh": "年龄 ≤ 30", "en": "Age ≤ 30"}
    assert (entry.realised.estimate, entry.realised.interval) == (0.75, (0.5, 1.0))
    assert entry.follows == follow_up().follows
    assert (entry.ratio, entry.as_predicted) == (0.75, True)


def test_a_rerun_with_the_same_result_changes_nothing(lake):
    assert enter(lake, follow_up(), 0.75)
    assert enter(lake, follow_up(), 0.75)
    assert len(read_ledger(*lake)) == 1


def test_the_first_result_of_a_run_stands_and_a_new_revision_has_an_entry_of_its_own(lake):
    assert enter(lake, follow_up(), 0.0, half=2.0)
    assert not enter(lake, follow_up(), 0.75)
    assert enter(lake, follow_up(revision=2), 0.75)
    assert [(entry.revision, entry.verdict) for entry in read_ledger(*lake)] == [(1, "open"), (2, "confirmed")]


def test_the_summary_holds_predictions_against_what_came(lake):
    for rule, estimate in (("s1", 1.0), ("s2", 0.6), ("s3", 0.1), ("s4", None)):
        enter(lake, follow_up(f"music.r2.{rule}"), estimate)
    summary = Summary.of(read_ledger(*lake))
    assert (summary.entries, summary.measured) == (4, 3)
    assert dict(summary.verdicts) == {"confirmed": 2, "retired": 1, "open": 1}
    assert summary.as_predicted == pytest.approx(2 / 3)
    assert summary.median_ratio == pytest.approx(0.6)


def test_an_empty_ledger_sums_up_to_nothing(lake):
    assert read_ledger(*lake) == []
    assert Summary.of([]) == Summary(0, {}, 0, None, None)


def test_an_experiment_that_follows_nothing_enters_nothing(lake):
    plain = follow_up(follows=None)
    with pytest.raises(InputError, match="follows no finding"):
        record(*lake, plain, {})
