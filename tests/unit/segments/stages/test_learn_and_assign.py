"""What is learned of a run's users, who is assigned which segment, and the same for users of another table."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from causal_tasks.errors import InputError
from causal_tasks.lake import SEGMENTS_RECORD
from causal_tasks.segments import Exposures, assign_table
from causal_tasks.segments.assigned_table import METADATA, chosen_segments
from causal_tasks.segments.learned_segments import LearnedSegments
from causal_tasks.settings import Settings
from causal_tasks.uplift import feature_table
from tests.unit.segments.stages.segment_runs import SEGMENTS, SegmentRun, prepared, segmenting, statement

FIRST, SECOND = range(2)
"""Positions of the two models among the manifests of ``learn_segments``."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, read in batches much smaller than its table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feature_table, "CHUNK_ROWS", 700)
        made = SegmentRun(tmp_path_factory.mktemp("lake"), statement(), prepared(statement())).until("value_segments")
    stages = [uri for several in made.manifests.values() for uri in several]
    made.run.publish({}, [made.run.read_manifest(uri) for uri in stages], record=SEGMENTS_RECORD)
    return made


@pytest.fixture
def settings(run):
    return Settings(lake=run.run.settings.lake)


def assignments(run):
    return run.table("assign_segments", "assignments")


def told(run):
    """What a run learns of segments."""
    run.until("plan_segments").stage("learn_segments", "segments")
    return run.json("learn_segments", "summary", FIRST)


def test_creatives_that_act_alike_are_said_to(run):
    old, young = run.json("learn_segments", "summary", FIRST)["segments"]
    assert (old["segment"], old["verdict"], old["agrees"]) == ("old", "together", ["classic", "vinyl"])
    assert old["shared"][0]["term"] == {"column": "age", "kind": "number", "level": None}
    assert old["shared"][0]["coefficient"] > 0 > young["shared"][0]["coefficient"]
    assert old["people"] == sum(old["shown"])


def test_the_penalty_is_the_one_marked_in_the_cross_validation(run):
    summary = run.json("learn_segments", "summary", FIRST)
    (chosen,) = [row for row in run.json("learn_segments", "cv", FIRST) if row["chosen"]]
    assert {name: chosen[name] for name in ("alpha", "lam")} == {
        name: summary["model"][name] for name in ("alpha", "lam")
    }
    assert 0 <= summary["model"]["relative_gap"] <= 1e-8
    assert set(run.json("learn_segments", "summary", SECOND)["model"]["lams"]) == {"classic", "vinyl", "fresh"}


def test_nothing_is_learned_from_the_estimation_part(run, tmp_path):
    users = run.table("prepare", "users")
    changed = users.copy()
    measured = users["part"] == "estimation"
    changed.loc[measured, "y__opened"] = 1 - users.loc[measured, "y__opened"]
    assert told(SegmentRun(tmp_path, statement(), changed)) == run.json("learn_segments", "summary", FIRST)


def test_what_is_read_in_batches_is_learned_as_if_it_was_in_memory(run):
    users = run.table("prepare", "users")
    rows = (users["part"] == "discovery") & (users["arm"] != "none") & users["y__opened"].notna()
    held = users[rows]
    exposures = Exposures.checked(
        held[["age", "city"]], held["y__opened"], creative=held["arm"], segment=statement().segmenting.segment_of
    )
    learned = LearnedSegments.of_run(run.run.uri, run.run.settings).segments
    np.testing.assert_array_equal(learned.centre_, exposures.centre)
    np.testing.assert_array_equal(learned.counts_, exposures.counts)


def test_every_user_is_assigned_the_segment_of_the_largest_score(run):
    found, users = assignments(run), run.table("prepare", "users")
    assert list(found["unit"]) == list(users["unit"])
    scores = found[["score__old", "score__young"]].to_numpy()
    assert list(found["segment"]) == [list(SEGMENTS)[at] for at in scores.argmax(axis=1)]
    assert (found["segment"] == "old")[users["age"] > 0.3].mean() > 0.95
    assert run.json("assign_segments", "assigned")["users"] == found["segment"].value_counts().to_dict()


def test_the_best_creative_of_a_segment_is_the_best_for_whom_it_is_assigned(run):
    best, found = run.json("assign_segments", "assigned")["best"], assignments(run)
    users = run.table("prepare", "users").assign(segment=found["segment"])
    learned = users[(users["part"] == "discovery") & (users["segment"] == "old")]
    means = learned.groupby("arm", observed=True)["y__opened"].mean()[["classic", "vinyl"]]
    assert best["in_segment"] == {"old": means.idxmax(), "young": "fresh"}
    assert set(found["creative"][found["segment"] == "old"]) == {means.idxmax()}
    assert {name: best[name] for name in ("creative", "segment")} == {
        name: run.json("plan_segments", "plan")["best"][name] for name in ("creative", "segment")
    }


def test_expected_responses_are_in_the_metrics_own_unit(run, tmp_path):
    """Who has not opened has left: what is learned is the same, and what is expected adds up to one."""
    experiment = statement(segmenting=segmenting(response="left"))
    left = assignments(SegmentRun(tmp_path, experiment, prepared(experiment)).until("assign_segments"))
    opened = assignments(run)
    assert list(left["segment"]) == list(opened["segment"])
    for creative in ("classic", "vinyl", "fresh"):
        np.testing.assert_allclose(left[f"response__{creative}"], 1 - opened[f"response__{creative}"], atol=1e-6)


def test_assigning_pays_on_users_whom_nothing_was_learned_from(run):
    values = run.json("value_segments", "values")
    low, _ = values["differences"]["vs_best_creative"]["interval"]
    assert low > 0
    assert sum(row["users"] for row in values["creatives"]) == run.json("plan_segments", "plan")["users"]["measured"]
    assert sum(row["users"] for row in values["matrix"]) == run.json("plan_segments", "plan")["users"]["measured"]


def test_users_of_another_table_are_assigned_as_those_of_the_run(run, settings, tmp_path):
    done = assign_table(
        "messages.r1", run.uri("prepare", "users"), f"file://{tmp_path}/o.parquet", unit="unit", settings=settings
    )
    found = pq.read_table(tmp_path / "o.parquet")
    assert found.to_pandas().equals(assignments(run))
    assert (done.rows, sum(done.users.values())) == (len(found), len(found))
    assert json.loads(found.schema.metadata[METADATA.encode()])["run"] == "messages.r1"


def test_a_level_that_nobody_had_is_an_error_or_missing(run, settings, tmp_path):
    users = run.table("prepare", "users").astype({"city": "str"})
    users.loc[0, "city"] = "nowhere"
    users.to_parquet(tmp_path / "users.parquet")
    arguments = ("messages.r1", f"file://{tmp_path}/users.parquet")
    with pytest.raises(InputError, match=r"column 'city' .* 'nowhere' \(1 rows\)"):
        assign_table(*arguments, f"file://{tmp_path}/a.parquet", unit="unit", settings=settings)
    assert not (tmp_path / "a.parquet").exists()
    done = assign_table(
        *arguments, f"file://{tmp_path}/b.parquet", unit="unit", new_levels="missing", settings=settings
    )
    assert done.new_levels == {"city": 1}


@pytest.mark.parametrize(("run_id", "complaint"), [("nobody.r1", "there is no run at"), ("messages", "names no run")])
def test_a_run_that_is_not_there_is_named(run_id, complaint, settings):
    with pytest.raises(InputError, match=complaint):
        LearnedSegments.of_run(run_id, settings)


def test_where_one_of_the_models_failed_nobody_is_assigned_a_segment(tmp_path):
    made = SegmentRun(tmp_path, statement(), prepared(statement())).until("plan_segments")
    made.stage("learn_segments", "segments")
    with pytest.raises(InputError, match=r"'assign_segments' lacks what it reads \(learn_segments/separate"):
        made.stage("assign_segments")


def test_a_run_without_segments_says_what_to_do(tmp_path):
    made = SegmentRun(tmp_path, statement(), prepared(statement()))
    with pytest.raises(InputError, match="has segmented nobody"):
        LearnedSegments.of_run(made.run.uri, made.run.settings)
    made.run.publish({}, [made.run.read_manifest(made.manifests["prepare"][0])], record=SEGMENTS_RECORD)
    with pytest.raises(InputError, match="has learned no segments"):
        LearnedSegments.of_run(made.run.uri, made.run.settings)


def test_of_equal_scores_the_segment_that_did_best_is_chosen():
    scores = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.2, 0.2], [0.3, 0.3, 0.1]])
    assert list(chosen_segments(scores, ("a", "b", "c"), best="c")) == ["c", "a", "c", "a"]
    assert list(chosen_segments(scores, ("a", "b", "c"), best="a")) == ["a", "a", "b", "a"]


def test_clusters_are_no_imbalance(tmp_path):
    """Whole cities see one creative and share their features: single users seem to have been chosen."""
    experiment = statement(cluster="home")
    users = prepared(experiment)
    homes = np.arange(len(users)) // 40
    arm = np.random.default_rng(5).integers(0, 4, homes.max() + 1)[homes]
    users["arm"] = np.array(experiment.arms, dtype=object)[arm]
    users["age"] = np.random.default_rng(6).normal(size=homes.max() + 1).astype("float32")[homes]
    alone = SegmentRun(tmp_path / "alone", statement(), users)
    together = SegmentRun(tmp_path / "together", experiment, users.assign(cluster=homes))
    by_user, by_cluster = told(alone), told(together)
    assert (by_user["balance"]["flagged"], by_cluster["balance"]) == (True, None)
    assert "unbalanced_exposure" in by_user["notes"]
    assert "unbalanced_exposure" not in by_cluster["notes"]
