"""The loop, closed: a rule is mined, its follow-up is stated, run on new users, mined, and entered into the ledger."""

from datetime import timedelta

import pyarrow.dataset
import pytest
from typer.testing import CliRunner

from causal_tasks import Experiment, RunFolder, Settings, cli, run_experiment
from causal_tasks.data.simulate import simulate_experiment
from causal_tasks.experiment import Mining
from causal_tasks.lake import experiment_uri, ledger_uri
from causal_tasks.pipelines.execution import load_experiment
from causal_tasks.rule import Rule
from causal_tasks.storage import Storage
from causal_tasks.subpopulations.audience import write_audience
from causal_tasks.subpopulations.ledger import read_ledger

LIGHT = Mining(candidates=("s_lightgbm",), finalists=1, trials=1, stability_trees=10, placebos=0)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(lake=f"file://{tmp_path_factory.mktemp('lake')}")


@pytest.fixture(scope="module")
def found(settings):
    """The result of an experiment with planted gains and losses."""
    first = simulate_experiment(settings, experiment_id="music", users=10_000, seed=5, effect=2.0, mining=LIGHT)
    return run_experiment(first, settings)


def follow(plan, settings, *, effect, users=6_000, seed=11):
    """Run the follow-up as stated on a second wave of users, of whom many do not fulfil the rule; its result."""
    statement = plan["experiment"]
    wave = simulate_experiment(
        settings, experiment_id=statement["experiment_id"], users=users, seed=seed, effect=effect, mining=LIGHT
    )
    days = {"started_at": wave.started_at.isoformat(), "ended_at": wave.ended_at.isoformat()}
    uri = experiment_uri(wave.experiment_id, settings)
    Storage(settings).write_json(uri, statement | days | {"status": "finished"})
    return run_experiment(load_experiment(wave.experiment_id, settings), settings)


def planned(result, kind):
    return next(plan for plan in result["follow_up"] if plan["kind"] == kind)


@pytest.fixture(scope="module")
def repeated(found, settings):
    """What the follow-up of the best rule finds where the truth is the same."""
    return follow(planned(found, "positive"), settings, effect=2.0)


@pytest.fixture(scope="module")
def vanished(found, settings):
    """What the follow-up of the worst rule finds where the treatment does nothing any more."""
    return follow(planned(found, "negative"), settings, effect=0.0)


def test_a_confirmed_rule_comes_with_an_experiment_that_can_be_stated(found):
    assert found["confirmation"] is None
    for plan in found["follow_up"]:
        follow_up = Experiment.parse(plan["experiment"], source="result")
        rule = next(row for row in found["subpopulations"] if row["id"] == plan["rule"])
        assert follow_up.eligible == Rule.model_validate(rule["rule"])
        assert follow_up.name.startswith("专辑播完自动续播")
        assert plan["days"] > follow_up.window.days
        assert plan["refuted_below"] == plan["effect"] == follow_up.follows.predicted.estimate


def test_only_users_who_fulfil_the_rule_take_part(repeated):
    steps = {step["step"]: step for step in repeated["waterfall"]["steps"]}
    assert sum(steps["not_eligible"]["dropped"].values()) > sum(steps["analysed"]["units"].values())


def test_the_same_truth_on_new_users_confirms_the_rule(found, repeated):
    plan, confirmation = planned(found, "positive"), repeated["confirmation"]
    assert confirmation["verdict"] == "confirmed"
    assert (confirmation["experiment_id"], confirmation["rule"]) == ("music", plan["rule"])
    assert confirmation["predicted"]["estimate"] == plan["effect"]
    assert confirmation["realised"]["interval"][0] > 0


def test_an_entry_of_another_result_stays_and_the_report_says_so(repeated, settings):
    storage = Storage(settings)
    follow_up = load_experiment(repeated["experiment"]["experiment_id"], settings)
    uri = ledger_uri(follow_up, follow_up.follows, settings)
    entered = storage.read_json(uri)
    earlier = entered | {"verdict": "open"}
    storage.write_json(uri, earlier)
    again = run_experiment(follow_up.model_copy(update={"name": "reported anew"}), settings)
    assert again["run"]["notes"] == [*repeated["run"]["notes"], "ledger_differs"]
    assert storage.read_json(uri) == earlier
    storage.write_json(uri, entered)


def test_a_treatment_that_does_nothing_any_more_confirms_nothing(vanished):
    assert vanished["confirmation"]["verdict"] in {"retired", "open"}


def test_the_ledger_keeps_both(repeated, vanished, settings):
    entries = {entry.follows.kind: entry for entry in read_ledger(Storage(settings), settings)}
    assert entries.keys() == {"positive", "negative"}
    assert entries["positive"].verdict == "confirmed"
    assert entries["positive"].realised.estimate == repeated["confirmation"]["realised"]["estimate"]
    assert entries["negative"].verdict == vanished["confirmation"]["verdict"]
    printed = CliRunner().invoke(cli.app, ["ledger", "--lake", settings.lake], catch_exceptions=False).output
    assert "confirmed: 1" in printed


def test_the_audience_is_who_fulfils_the_rule_in_the_newest_features(found, settings, tmp_path):
    rule = planned(found, "positive")["rule"]
    run = RunFolder.existing(f"{settings.lake}/runs/music/r1", settings)
    audience = write_audience(run, rule, f"file://{tmp_path}/audience.parquet")
    table = pyarrow.dataset.dataset(f"{settings.lake}/tables/features".removeprefix("file://")).to_table().to_pandas()
    recent = table[table["date"] > audience.as_of - timedelta(days=run.experiment.features.max_age)]
    newest = recent.sort_values("date", kind="stable").drop_duplicates("user_id", keep="last")
    inside = newest[audience.rule.mask(newest)]
    written = pyarrow.dataset.dataset(f"{tmp_path}/audience.parquet").to_table()
    assert written.column_names == ["user_id"]
    assert written["user_id"].to_pylist() == sorted(inside["user_id"])
    assert audience.users == len(newest)
