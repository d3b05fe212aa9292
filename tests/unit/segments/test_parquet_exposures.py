from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causal_tasks.errors import InputError
from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.parquet_exposures import exposures_from_parquet
from causal_tasks.uplift import feature_table
from tests.unit.segments.test_mapped_exposures import SEGMENT, assert_same, shown_people

COLUMNS = {
    "response": "opened",
    "creative": "message",
    "fold": "fold",
    "covariates": ["minutes", "age", "country", "paying"],
}


def table(rows: int = 1_500) -> pd.DataFrame:
    """One row per person, in no order, with a column that nothing reads."""
    covariates, shown = shown_people(rows)
    others = {"opened": shown["response"].astype(int), "message": shown["creative"], "fold": shown["fold"]}
    paying = np.random.default_rng(3).random(rows) < 0.2
    unused = [{"nested": 1}] * rows
    return covariates.assign(**others, paying=paying, segment=[SEGMENT[name] for name in shown["creative"]], odd=unused)


def written(folder: Path, frame: pd.DataFrame, parts: int = 3) -> Path:
    """The frame in so many files of several row groups."""
    folder.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), parts)):
        frame.iloc[rows].to_parquet(folder / f"part-{number}.parquet", row_group_size=170)
    return folder


@pytest.mark.parametrize("segment", ["segment", SEGMENT])
def test_a_table_in_files_gives_what_it_would_in_memory(tmp_path, monkeypatch, segment):
    monkeypatch.setattr(feature_table, "CHUNK_ROWS", 400)
    frame = table()
    mapped = exposures_from_parquet(
        written(tmp_path / "table", frame), **COLUMNS, segment=segment, folder=tmp_path / "rows"
    )
    held = Exposures.checked(
        frame[COLUMNS["covariates"]],
        frame["opened"],
        creative=frame["message"],
        segment=frame["segment"] if isinstance(segment, str) else segment,
        fold=frame["fold"],
    )
    assert_same(mapped, held)


def test_labels_may_be_integers_and_one_file_is_a_table(tmp_path):
    frame = table().assign(message=lambda rows: rows["message"].map({"calm": 7, "loud": 8, "cheap": 9}))
    frame.to_parquet(tmp_path / "one.parquet")
    mapped = exposures_from_parquet(
        str(tmp_path / "one.parquet"),
        **(COLUMNS | {"fold": None}),
        segment={"7": "mood", "8": "mood", "9": "price"},
        folder=tmp_path / "rows",
    )
    assert mapped.creatives.names == ("7", "8", "9")
    assert all(people.fold is None for people in mapped.people)


@pytest.mark.parametrize(
    ("changed", "asked", "message"),
    [
        ({}, {"response": "opend"}, r"column 'opend' is missing.*did you mean 'opened'"),
        ({"opened": "yes"}, {}, "column 'opened' is text"),
        ({"opened": 2}, {}, r"columns 'opened' \(response\) and 'message' \(creative\): response 2 in 1500 rows"),
        ({"message": None}, {}, "column 'message' is null"),
        ({"message": ["calm", None] * 750}, {}, "column 'message' has no value in 750 of 1500 rows"),
        ({"fold": "a"}, {}, "column 'fold' is text; write folds as integers"),
        ({"age": pd.Timestamp("2026-01-01")}, {}, "column 'age' is timestamp"),
        ({"age": np.inf}, {}, "'age' has [0-9]+ infinite values"),
        ({}, {"covariates": ["age", "opened"]}, r"named for two things: \['opened'\]"),
        ({}, {"covariates": []}, "0 covariates"),
        ({}, {"segment": {"calm": "mood"}}, "is in no segment"),
    ],
)
def test_what_is_wrong_with_the_table_is_said(tmp_path, monkeypatch, changed, asked, message):
    monkeypatch.setattr(feature_table, "CHUNK_ROWS", 400)
    source = written(tmp_path / "table", table().assign(**changed), parts=1)
    with pytest.raises(InputError, match=message):
        exposures_from_parquet(source, **({**COLUMNS, "segment": SEGMENT} | asked), folder=tmp_path / "rows")


def test_a_folder_without_a_table_is_said(tmp_path):
    with pytest.raises(InputError, match="no Parquet file at or under"):
        exposures_from_parquet(tmp_path, **COLUMNS, segment=SEGMENT, folder=tmp_path / "rows")
