"""The stage reads what the others wrote and writes every view of it."""

import json
from html import escape
from pathlib import Path

import pytest

from causal_tasks.report import stage
from causal_tasks.report.result import result_digest
from tests.unit.report import sample_models as models
from tests.unit.report.sample_runs import run_report

VIEWS = {"result", "report", "markdown_zh", "markdown_en", "message"}


def read(uri):
    return Path(uri.removeprefix("file://")).read_text(encoding="utf-8")


def load(uri):
    return json.loads(read(uri))


@pytest.fixture(scope="module")
def richest(tmp_path_factory):
    """Where the views of the richest ending are, and the run folder."""
    lake = tmp_path_factory.mktemp("lake")
    return run_report(f"file://{lake}", "found_both"), lake / "runs" / "music_autoplay" / "r1"


@pytest.fixture
def light_page(monkeypatch):
    """A page that takes no time to draw, where a test is about something else."""
    monkeypatch.setattr(stage, "render_html", lambda result: result["verdict"]["headline"]["zh"])


@pytest.mark.parametrize("ending", ["too_small", "no_model"])
def test_a_run_that_mined_nothing_gives_every_view(tmp_path, ending):
    outputs = run_report(f"file://{tmp_path}", ending, delivery={"languages": ["zh"]})
    assert outputs.keys() >= VIEWS
    assert load(outputs["result"])["verdict"]["code"] == ending


def test_every_view_tells_the_headline_of_the_result(richest):
    outputs, _ = richest
    verdict = load(outputs["result"])["verdict"]
    assert outputs.keys() >= VIEWS
    assert verdict["code"] == "found_both"
    assert f"<h1>{escape(verdict['headline']['zh'])}</h1>" in read(outputs["report"])
    assert read(outputs["markdown_en"]).startswith("# This experiment suggests")
    message = load(outputs["message"])
    assert message.keys() == {"zh", "en"}
    assert message["en"]["markdown_v2"]["content"].startswith("**Some benefit, some are harmed**")


def test_the_result_and_the_page_are_published_at_the_root_of_the_run(richest):
    outputs, root = richest
    assert (root / "result.json").read_text() == read(outputs["result"])
    assert (root / "report.html").read_text() == read(outputs["report"])


def test_what_mining_plans_and_counts_is_read_and_a_follow_up_is_addressed(richest):
    result = load(richest[0]["result"])
    assert result["placebo"]["found"] == 3
    assert [record["metric"] for record in result["did"]] == ["play_minutes", "active"]
    assert result["drivers"]["treatment"][0]["feature"] == "age"
    planned = result["follow_up"][0]["experiment"]
    assert (planned["name"], planned["owner"]) == ("自动连播下一张专辑: 年龄 ≤ 25 且 夜间收听占比 > 0.3", "growth")


def test_the_run_names_every_stage_with_seconds_memory_device_host_and_attempt(richest):
    run = load(richest[0]["result"])["run"]
    trained, tuned = (f"train/{name}" for name in models.SCORES), (f"tune/{name}" for name in models.FINALISTS)
    others = {"prepare", "validate", "measure", "shortlist", "select", "mine"}
    assert run["stages"].keys() == {*others, *trained, *tuned}
    assert run["stages"]["mine"].keys() == {"attempt", "started_at", "seconds", "peak_memory_mb", "host", "device"}
    assert run["candidates"].keys() == models.SCORES.keys()
    assert run["candidates"]["s_xgboost"] == {"device": "cpu", "seconds": 12.4, "peak_memory_mb": 811.6}


def test_shortlist_and_tuning_are_read(richest):
    told = load(richest[0]["result"])["models"]
    assert told["ranking"] == models.ranking()
    assert told["tuning"] == models.tuning()
    assert told["failed"].keys() == {"s_random_forest", "x_random_forest"}


@pytest.mark.usefixtures("light_page")
def test_two_runs_on_equal_input_differ_in_run_alone(tmp_path):
    first, second = (load(run_report(f"file://{tmp_path}/{name}", "too_small")["result"]) for name in "ab")
    assert first["run"] != second["run"]
    assert result_digest(first) == result_digest(second)


@pytest.mark.usefixtures("light_page")
def test_without_a_font_the_picture_is_left_out_and_the_result_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "find_font", lambda: None)
    outputs = run_report(f"file://{tmp_path}", "too_small")
    assert "picture" not in outputs
    assert load(outputs["result"])["run"]["notes"] == ["picture_left_out"]
    assert "未附图片" in load(outputs["message"])["zh"]["markdown_v2"]["content"]
