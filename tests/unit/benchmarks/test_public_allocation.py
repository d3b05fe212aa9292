"""Public files by their published protocol: on simulated rows of their layout, and on the sample of the real one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from benchmarks.allocation.experiments import hillstrom, lazada
from benchmarks.public_allocation import FEATURES, criteo, hybrid_split, main, other, read_rows
from causal_tasks.data.coupon_problems import binary_problem
from causal_tasks.errors import InputError

COLUMNS = (*FEATURES, "treatment", "conversion", "visit")
LIGHT = ("two_stage_t_lightgbm", "pooled")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Binary outcomes and costs with twelve features, as in the file."""
    problem = binary_problem(12_000, seed=1, share=0.85)
    features = np.column_stack([problem.X, np.zeros((12_000, 4))])
    frame = pd.DataFrame(features, columns=list(FEATURES))
    return frame.assign(treatment=problem.treatment, conversion=problem.outcome, visit=problem.cost)


def test_logs_are_half_of_their_part_and_the_parts_are_those_that_were_printed(rows: pd.DataFrame) -> None:
    split = hybrid_split(rows, policy_model="two_stage_t_lightgbm")
    sizes = [len(part) for part in (split.train, split.validation, split.test)]
    assert sizes == [600, 1_200, 3_600]
    assert abs(len(split.logs) / 6_000 - 0.5) < 0.05


def test_features_tell_the_arms_of_the_logs_and_not_those_of_the_experiment(rows: pd.DataFrame) -> None:
    split, told = hybrid_split(rows, policy_model="two_stage_t_lightgbm"), {}
    for name, part in {"logs": split.logs, "test": split.test}.items():
        features, half = part.X.frame.to_numpy(dtype=float), len(part) // 2
        tree = DecisionTreeClassifier(max_depth=5, random_state=0).fit(features[:half], part.arm[:half])
        told[name] = roc_auc_score(part.arm[half:], tree.predict_proba(features[half:])[:, 1])
    assert told["logs"] > 0.65
    assert told["test"] < 0.55


def test_methods_are_scored_on_both_parts_beside_what_was_published(rows: pd.DataFrame) -> None:
    told = criteo(rows, LIGHT, runs=2, policy_model="two_stage_t_lightgbm").splitlines()
    assert told[2] == "| method | validation | test | published, test |"
    found = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:3] for line in told[4:]}
    assert set(found) == set(LIGHT)
    for scores in found.values():
        assert all(0.2 < float(score.split(" ± ")[0]) < 1 for score in scores)


def test_the_sample_of_the_real_file_has_the_layout(test_data: Path) -> None:
    """A thousand rows, repeated so that every part holds enough of control."""
    sample = read_rows(test_data / "criteo_uplift_1000.csv.gz", COLUMNS)
    assert (len(sample), sample["treatment"].sum()) == (1_000, 863)
    split = hybrid_split(pd.concat([sample] * 10), policy_model="two_stage_t_lightgbm")
    assert list(split.test.X.columns) == list(FEATURES)
    with pytest.raises(InputError, match="fewer than 20"):
        hybrid_split(sample, policy_model="two_stage_t_lightgbm")


def test_lazada_and_hillstrom_files_are_read_and_evaluated(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    features = pd.DataFrame(random.standard_normal((600, 83)), columns=[f"f{k}" for k in range(83)])
    treated = np.arange(600) % 2
    vouchers = features.assign(
        data_id=1, is_treat=treated, label=(random.random(600) < 0.3 + 0.2 * treated).astype(int)
    )
    vouchers.to_csv(tmp_path / "lazada.csv", index=False)
    told = other(lazada(tmp_path / "lazada.csv"), ["two_stage_t_lightgbm"])
    assert "| two stage t lightgbm | " in told
    with pytest.raises(FileNotFoundError):
        hillstrom(tmp_path / "none.csv")


def test_what_is_not_given_is_said_not_to_have_run(capsys: pytest.CaptureFixture[str]) -> None:
    main(criteo_file=None, lazada_file=None, hillstrom_file=None, runs=2)
    assert "Not given and so not run: Criteo, Lazada, Hillstrom." in capsys.readouterr().out


def test_a_file_that_is_none_or_lacks_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_rows(tmp_path / "none.csv", COLUMNS)
    pd.DataFrame({"f0": [1.0]}).to_csv(tmp_path / "short.csv", index=False)
    with pytest.raises(InputError, match=r"short\.csv"):
        read_rows(tmp_path / "short.csv", COLUMNS)
