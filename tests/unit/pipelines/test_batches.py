"""Items of a mapped stage that share a process: put together, run, and no different from items that run alone."""

import gc
import weakref
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.errors import ConfigurationError, InputError, StorageError
from causal_tasks.experiment import Experiment, Mining
from causal_tasks.pipelines import MINE, Pipeline, Stage
from causal_tasks.pipelines.batches import batches
from causal_tasks.pipelines.execution import Outcome, decisive_error, run_items, run_pipeline, run_stage
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from tests.unit.test_experiment import SHORTEST
from tests.unit.uplift.learning_runs import opened, prepared, statement

ITEMS = ["a1", "b1", "a2"]
CALLS, FAILS, HELD = [], {}, []
WRONG, BUSY = InputError("bad luck", remedy="try a good one"), StorageError("busy")


class Large:
    """Stands for a users table."""


def letter(item):
    return item[0]


def listing(context):
    return {"items": context.write_json("items.json", ITEMS)}


def work(context):
    CALLS.append(context.item)
    users = Large()
    HELD.append(weakref.ref(users))
    if context.item in FAILS:
        raise FAILS[context.item]
    shared = context.shared("users", lambda: CALLS.append("read") or [len(CALLS)])
    shared_again = context.shared("users", list)
    assert shared is shared_again
    return {"out": context.write_json("out.json", context.item)}


def publish(context):
    return {"result": context.write_json("result.json", sorted(m.item for m in context.inputs["work"]))}


def _stage(name, function, **declared):
    return Stage(name=name, run=f"{__name__}:{function}", code=1, **declared)


ALONE = _stage("work", "work", needs=("list",), over="list")
BY_LETTER = _stage("work", "work", needs=("list",), over="list", batched_by=f"{__name__}:letter")
WORKSHOP = Pipeline(
    name="workshop",
    stages=(
        _stage("list", "listing"),
        BY_LETTER,
        _stage("publish", "publish", needs=("list", "work"), survives_failures=True),
    ),
    publishes={"result.json": "result"},
)


@pytest.fixture
def run(tmp_path):
    for record in (CALLS, FAILS, HELD):
        record.clear()
    return RunFolder.open(Experiment.model_validate(SHORTEST), Settings(lake=f"file://{tmp_path}"))


def worked(run, *items, **options):
    listed = run_stage(WORKSHOP, "list", run=run)
    return run_items(WORKSHOP, "work", run=run, inputs=[listed.manifest], items=items, **options)


@given(
    items=st.lists(st.from_regex(r"\A[abc][0-9]{1,2}\Z"), unique=True, max_size=14),
    parallel=st.integers(1, 16),
    stage=st.sampled_from([ALONE, BY_LETTER]),
)
def test_batches_lose_no_item_mix_no_keys_and_leave_no_task_idle(items, parallel, stage):
    found = batches(stage, items, Settings(parallel_tasks=parallel))
    assert Counter(item for batch in found for item in batch) == Counter(items)
    for batch in found:
        assert batch == sorted(batch, key=items.index)
        assert len({stage.batch_key(item) for item in batch}) == 1
    keys = {stage.batch_key(item) for item in items}
    assert len(found) == min(len(items), max(len(keys), parallel))


@pytest.mark.parametrize(
    ("parallel", "expected"),
    [
        (1, [["a1", "a2", "a3"], ["b1", "b2"]]),
        (3, [["a1", "a2"], ["a3"], ["b1", "b2"]]),
        (4, [["a1"], ["a2"], ["a3"], ["b1", "b2"]]),
        (5, [["a1"], ["b1"], ["a2"], ["b2"], ["a3"]]),
    ],
)
def test_the_largest_batch_is_cut_until_every_task_has_one(parallel, expected):
    assert batches(BY_LETTER, ["a1", "b1", "a2", "b2", "a3"], Settings(parallel_tasks=parallel)) == expected


def test_on_a_gpu_one_task_runs_at_a_time_whatever_the_cores():
    train = MINE["train"]
    items = ["s_lightgbm", "s_xgboost", "t_lightgbm"]
    settings = Settings(parallel_tasks=8, device="cuda")
    assert batches(train, items, settings) == [["s_lightgbm", "t_lightgbm"], ["s_xgboost"]]
    assert batches(train, items, settings.model_copy(update={"device": "cpu"})) == [[item] for item in items]


def test_candidates_are_put_together_by_base_model_and_replications_all():
    found = batches(MINE["train"], Mining().candidates, Settings())
    assert ["dual_head"] in found
    assert ["dragon_net"] in found
    assert {len({name.partition("_")[2] for name in batch}) for batch in found} == {1}
    assert len(found) == 5
    assert batches(MINE["replicate"], ["seed_1", "permuted_1"], Settings()) == [["seed_1", "permuted_1"]]
    assert batches(MINE["tune"], ["s_lightgbm", "t_lightgbm"], Settings()) == [["s_lightgbm"], ["t_lightgbm"]]


def test_items_of_a_batch_share_what_one_of_them_read_and_other_batches_do_not(run):
    run_pipeline(WORKSHOP, run)
    assert CALLS == ["a1", "read", "a2", "b1", "read"]
    assert run.storage.read_json(f"{run.uri}/result.json") == sorted(ITEMS)


def test_an_item_is_committed_where_it_would_be_committed_alone(run, tmp_path):
    together = {outcome.item: outcome.result for outcome in worked(run, *ITEMS)}
    other = RunFolder.open(run.experiment, Settings(lake=f"file://{tmp_path / 'other'}"))
    for item in ITEMS:
        (alone,) = worked(other, item)
        there, here = other.read_manifest(alone.result.manifest), run.read_manifest(together[item].manifest)
        assert together[item].manifest.removeprefix(run.uri) == alone.result.manifest.removeprefix(other.uri)
        assert (here.digests, here.inputs, here.item) == (there.digests, there.inputs, there.item)


def test_learners_in_a_batch_write_the_bytes_that_they_write_alone(tmp_path):
    experiment = statement()
    users, _ = prepared(experiment)
    names = ["s_lightgbm", "t_lightgbm"]
    digests = []
    for folder, asked in (("together", [names]), ("alone", [[name] for name in names])):
        run, manifests = opened(tmp_path / folder, experiment, users, items=names)
        outcomes = [o for batch in asked for o in run_items(MINE, "train", run=run, inputs=manifests, items=batch)]
        assert [outcome.error for outcome in outcomes] == [None, None]
        found = {outcome.item: run.read_manifest(outcome.result.manifest).digests for outcome in outcomes}
        digests.append({item: (digest["predictions"], digest["models"]) for item, digest in found.items()})
    assert digests[0] == digests[1]


def test_a_failing_item_is_recorded_and_stops_no_other(run):
    FAILS["a1"] = WRONG
    outcomes = worked(run, *ITEMS)
    assert [(outcome.item, bool(outcome.result), outcome.error) for outcome in outcomes] == [
        ("a1", False, WRONG),
        ("b1", True, None),
        ("a2", True, None),
    ]
    assert run.last_failure("work", "a1").message == "bad luck"
    assert run.last_failure("work", "b1") is None


def test_a_batch_that_is_tried_again_adopts_what_it_had_committed(run):
    FAILS["b1"] = BUSY
    worked(run, *ITEMS)
    FAILS.clear()
    CALLS.clear()
    again = worked(run, *ITEMS)
    assert CALLS == ["b1", "read"]
    assert [outcome.result.adopted for outcome in again] == [True, False, True]


def test_what_could_not_be_read_is_read_again_for_the_next_item(run, monkeypatch):
    memo = {}
    listed = run_stage(WORKSHOP, "list", run=run)
    monkeypatch.setitem(FAILS, "a1", WRONG)
    with pytest.raises(InputError):
        run_stage(WORKSHOP, "work", run=run, inputs=[listed.manifest], item="a1", memo=memo)
    assert memo == {}
    run_stage(WORKSHOP, "work", run=run, inputs=[listed.manifest], item="b1", memo=memo)
    assert list(memo) == ["users"]


def test_a_failed_item_holds_no_memory_while_the_others_run(run):
    FAILS["a1"] = MemoryError("large")
    outcomes = worked(run, *ITEMS)
    gc.collect()
    assert [held() for held in HELD] == [None] * 3
    assert outcomes[0].error.__traceback__ is not None


def test_whoever_watches_is_told_of_every_end_before_the_next_item_begins(run):
    FAILS["b1"] = WRONG
    told = []
    worked(run, "a1", "b1", progress=lambda *heard: told.append(heard))
    assert [(stage, item) for stage, item, _ in told] == [("work", item) for item in ("a1", "a1", "b1", "b1")]
    begun, a1, _, b1 = (outcome for _, _, outcome in told)
    assert begun is None
    assert (a1.result.item, a1.error, b1.result, b1.error) == ("a1", None, None, WRONG)


@pytest.mark.parametrize(
    ("errors", "decisive"),
    [
        ([None, WRONG], 1),
        ([WRONG, ConfigurationError("no rights")], 0),
        ([WRONG, BUSY, MemoryError("large")], 1),
        ([MemoryError("large"), WRONG], 0),
    ],
)
def test_an_error_that_may_pass_goes_before_one_that_is_final(errors, decisive):
    outcomes = [Outcome(f"a{number}", error=error) for number, error in enumerate(errors)]
    assert decisive_error(outcomes) is errors[decisive]


def test_the_error_of_a_batch_names_every_item_that_failed():
    outcomes = [Outcome("a1", error=InputError("x")), Outcome("a2"), Outcome("a3", error=InputError("y"))]
    assert decisive_error(outcomes).__notes__ == ["2 of 3 items failed: a1, a3"]
    alone = decisive_error([Outcome(None, error=InputError("z"))])
    assert not hasattr(alone, "__notes__")
    assert decisive_error([Outcome("a1")]) is None


def test_two_stages_over_the_same_items_are_refused():
    pipeline = Pipeline("twice", (_stage("list", "listing"), ALONE, _stage("again", "work", over="list")), {})
    with pytest.raises(ValueError, match="work, again are all mapped over 'list'"):
        pipeline.mapped_over("list")
    assert [stage.name for stage in MINE.stages if MINE.mapped_over(stage.name)] == ["validate", "shortlist", "select"]
