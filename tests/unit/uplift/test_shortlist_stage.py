import pytest

from causal_tasks.errors import InputError
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from tests.unit.uplift.learning_runs import committed, json_of, opened, prepared, statement

AUUC = {
    "t_lightgbm": {"z": 1.0, "a": 3.0},
    "x_lightgbm": {"z": 2.5, "a": 2.5},
    "s_xgboost": {"z": 4.0, "a": 1.0},
    "t_xgboost": {"z": -9.0, "a": 2.0},
}


def shortlisted(tmp_path, finalists):
    """The shortlist of candidates with the scores ``AUUC``."""
    experiment = statement(treatments=["z", "a"], mining={"candidates": list(AUUC), "finalists": finalists})
    run, before = opened(tmp_path, experiment, prepared(experiment, n=100)[0], items=tuple(AUUC))
    cards = [
        committed(run, "train", name, card={"auuc": {arm: {"estimate": score} for arm, score in scores.items()}})
        for name, scores in AUUC.items()
    ]
    return run, run_stage(MINE, "shortlist", run=run, inputs=[before[1], *cards])


def test_candidates_are_ranked_by_their_mean_over_treatments_and_ties_by_name(tmp_path):
    run, result = shortlisted(tmp_path, finalists=3)
    assert json_of(run, result, "ranking") == [
        {"candidate": "s_xgboost", "auuc": 2.5},
        {"candidate": "x_lightgbm", "auuc": 2.5},
        {"candidate": "t_lightgbm", "auuc": 2.0},
        {"candidate": "t_xgboost", "auuc": -3.5},
    ]
    assert json_of(run, result, "failed") == {}


@pytest.mark.parametrize(("finalists", "names"), [(1, ["s_xgboost"]), (2, ["s_xgboost", "x_lightgbm"])])
def test_only_the_best_are_finalists(tmp_path, finalists, names):
    assert shortlisted(tmp_path, finalists)[1].items == names


def test_with_fewer_candidates_than_finalists_all_of_them_are(tmp_path):
    assert len(shortlisted(tmp_path, finalists=9)[1].items) == len(AUUC)


def test_without_a_trained_candidate_there_is_no_shortlist(tmp_path):
    users, _ = prepared(statement())
    run, before = opened(tmp_path, statement(), users, items=("t_unknown",))
    with pytest.raises(InputError, match="is unknown"):
        run_stage(MINE, "train", run=run, inputs=before, item="t_unknown")
    with pytest.raises(InputError, match=r"lacks what it reads .*t_unknown"):
        run_stage(MINE, "shortlist", run=run, inputs=[before[1]])
