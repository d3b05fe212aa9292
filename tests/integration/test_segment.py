"""Segments learned from the command line, as a person does it: simulate, segment, assign others."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.integration.test_cli import causal_tasks

SEARCH = {"alphas": [0.1], "lams": 15, "lam_ratio": 0.05}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Too few users for the default bounds, and a short search: what is tested is how the parts fit together."""
    lake = tmp_path_factory.mktemp("lake")
    causal_tasks("simulate-creatives", "--users", 6000, "--seed", 3, lake=lake)
    file = lake / "experiments/creatives.json"
    stated = json.loads(file.read_text())
    stated["segmenting"] |= SEARCH
    file.write_text(json.dumps(stated | {"thresholds": {"units_per_arm": 100}}))
    return lake


@pytest.fixture(scope="module")
def printed(lake):
    return causal_tasks("segment", "creatives", lake=lake).stdout


@pytest.fixture(scope="module")
def result(lake, printed):
    return json.loads((lake / "runs/creatives/r1/segments.json").read_text())


@pytest.fixture(scope="module")
def assignments(lake, result):
    return pd.read_parquet(lake / "runs/creatives/r1" / result["run"]["assignments"])


def test_what_was_planted_is_found_and_pays(result):
    shared = {row["segment"]: {found["term"]["column"] for found in row["shared"]} for row in result["segments"]}
    assert "new_releases_30d" in shared["discovery"]
    assert result["verdict"]["code"] == "segments_pay"
    assert result["model"]["relative_gap"] <= 1e-8


def test_what_is_estimated_holds_what_is_true(lake, result, assignments):
    """The response under every policy is known user by user; it lies in its interval, widened for chance."""
    truth = pd.read_parquet(lake / "truth/creatives.parquet")
    response = truth[[f"response__{arm}" for arm in result["arms"]]].to_numpy()
    position = {arm: at for at, arm in enumerate(result["arms"])}
    creatives = {row["segment"]: [position[arm] for arm in row["creatives"]] for row in result["segments"]}
    rows = np.arange(len(truth))
    by_segment = np.column_stack([response[:, at].mean(axis=1) for at in creatives.values()])
    segment = assignments["segment"].map(list(creatives).index).to_numpy()
    true = {
        "segments": by_segment[rows, segment],
        "best_in_segment": response[rows, assignments["creative"].map(position)],
        "separate": response[rows, assignments["separate"].map(position)],
        "best_creative": response[:, position[result["best"]["creative"]]],
        "control": response[:, 0],
    }
    for policy, brings in true.items():
        estimate = result["policies"][policy]
        assert abs(brings.mean() - estimate["estimate"]) < 4 * estimate["standard_error"]
    gain = result["differences"]["vs_best_creative"]
    assert abs((true["segments"] - true["best_creative"]).mean() - gain["estimate"]) < 4 * gain["standard_error"]


def test_the_file_holds_a_row_for_everybody_and_adds_up_to_what_is_told(result, assignments):
    assert result["users"]["assigned"] == len(assignments) == 6_000
    told = {row["segment"]: row["assigned"] for row in result["segments"]}
    assert assignments["segment"].value_counts().to_dict() == told
    scores = assignments[[f"score__{segment}" for segment in told]].to_numpy()
    np.testing.assert_array_equal(assignments["segment"], np.array(list(told))[scores.argmax(axis=1)])
    best = {row["segment"]: row["best_creative"] for row in result["segments"]}
    assert list(assignments["creative"]) == list(assignments["segment"].map(best))


def test_the_page_the_table_and_the_message_are_there(lake, printed, result):
    page = (lake / "runs/creatives/r1/segments.html").read_text()
    assert all(row["segment"] in page for row in result["segments"])
    assert "segments.html" in printed
    assert "separate models" in printed
    message = causal_tasks("message", "creatives", "--pipeline", "segment_creatives", lake=lake).stdout
    assert "segments.html" in message


def test_the_same_users_assigned_by_hand_belong_to_the_same_segments(lake, assignments, tmp_path):
    arguments = ("creatives.r1", lake / "datasets/creatives", tmp_path / "out.parquet")
    done = causal_tasks("assign-segments", *arguments, lake=lake)
    assert "6,000 rows" in done.stdout
    again = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(again.rename(columns={"user_id": "unit"}), assignments)
    twice = causal_tasks("assign-segments", *arguments, lake=lake, check=False)
    assert twice.returncode == 2
    assert "exists" in twice.stderr


def test_a_run_repeated_adopts_everything_and_says_the_same(lake, result):
    causal_tasks("segment", "creatives", lake=lake)
    again = json.loads((lake / "runs/creatives/r1/segments.json").read_text())
    assert again == result


@pytest.mark.parametrize(
    ("segmenting", "complaint"),
    [
        (None, "states no segmenting"),
        ({"segments": {"a": ["half_price"], "b": ["half_price"]}}, "segments name 'half_price' twice"),
    ],
)
def test_a_statement_that_cannot_be_meant_ends_with_2_and_its_cause(segmenting, complaint, lake, result, tmp_path):
    stated = json.loads((lake / "experiments/creatives.json").read_text())
    file = tmp_path / "stated.json"
    file.write_text(json.dumps(stated | {"segmenting": segmenting}))
    done = causal_tasks("segment", file, lake=lake, check=False)
    assert done.returncode == 2, done.stderr
    assert complaint in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("assign-segments", "creatives.r7", "t.parquet", "o.parquet"), "there is no run at"),
        (("assign-segments", "creatives.r1", "nowhere.parquet", "o.parquet"), "no file *.parquet"),
    ],
)
def test_wrong_input_ends_with_2_and_its_cause(arguments, complaint, lake, result):
    done = causal_tasks(*arguments, lake=lake, check=False)
    assert done.returncode == 2, done.stderr
    assert complaint in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
