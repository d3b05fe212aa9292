"""Local files behave like objects in a store: whole or absent, created once."""

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from causal_tasks.errors import ConfigurationError, InputError
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, json_bytes


@pytest.fixture
def storage():
    return Storage(Settings())


def test_of_many_concurrent_creators_one_wins_and_its_bytes_stay(storage, tmp_path):
    uri = f"file://{tmp_path}/deep/claim"
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda k: storage.create_exclusively(uri, f"writer {k}".encode()), range(16)))
    assert sum(won) == 1
    assert storage.read_bytes(uri) == f"writer {won.index(True)}".encode()


def test_a_creator_whose_acknowledgement_got_lost_recognises_itself(storage, tmp_path):
    uri = f"file://{tmp_path}/claim"
    assert storage.create_exclusively(uri, b"mine")
    assert storage.create_exclusively(uri, b"mine")
    assert not storage.create_exclusively(uri, b"yours")


def test_nothing_but_the_file_is_left_after_writing(storage, tmp_path):
    storage.create_exclusively(f"file://{tmp_path}/a", b"1")
    storage.create_exclusively(f"file://{tmp_path}/a", b"2")
    storage.write_bytes(f"file://{tmp_path}/b", b"3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_store_that_replaces_files_is_refused_with_a_remedy(storage, tmp_path, monkeypatch):
    monkeypatch.setattr(Storage, "create_exclusively", lambda *_: True)
    with pytest.raises(ConfigurationError, match="conditional creation") as caught:
        storage.check_exclusive_creation(f"file://{tmp_path}")
    assert "MinIO" in caught.value.remedy


def test_the_probe_leaves_nothing_behind(storage, tmp_path):
    storage.check_exclusive_creation(f"file://{tmp_path}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uri", ["/plain/path", "ftp://host/file", "s3:/bucket", ""])
def test_an_address_without_a_supported_scheme_is_refused(storage, uri):
    with pytest.raises(InputError, match="no address"):
        storage.read_bytes(uri)


def test_listing_names_files_relative_to_the_folder_and_skips_hidden_ones(storage, tmp_path):
    for name in ("date=2026-01-01/part.parquet", "part.parquet", "_SUCCESS", ".hidden/part.parquet", "notes.txt"):
        storage.write_bytes(f"file://{tmp_path}/{name}", name.encode())
    files = storage.list_files(f"file://{tmp_path}", suffix=".parquet")
    assert [file.path for file in files] == ["date=2026-01-01/part.parquet", "part.parquet"]
    assert files[0].digest != files[1].digest


def test_listing_a_single_file_names_it(storage, tmp_path):
    storage.write_bytes(f"file://{tmp_path}/table.parquet", b"x")
    assert [f.path for f in storage.list_files(f"file://{tmp_path}/table.parquet")] == ["table.parquet"]
    assert storage.list_files(f"file://{tmp_path}/absent") == []


def test_the_content_digest_sees_names_and_contents_but_not_the_place(storage, tmp_path):
    for folder in ("one", "two"):
        storage.write_bytes(f"file://{tmp_path}/{folder}/a", b"1")
    first, second = (storage.content_digest(f"file://{tmp_path}/{folder}") for folder in ("one", "two"))
    assert first == second
    storage.write_bytes(f"file://{tmp_path}/two/b", b"1")
    assert storage.content_digest(f"file://{tmp_path}/two") != first
    assert storage.content_digest(f"file://{tmp_path}/none") is None


def test_a_table_comes_back_with_only_the_columns_asked_for(storage, tmp_path):
    frame = pd.DataFrame({"unit": [1, 2], "x": [0.5, None], "level": pd.Categorical(["a", "b"])})
    storage.write_table(f"file://{tmp_path}/users/part-0.parquet", frame)
    storage.write_table(f"file://{tmp_path}/users/part-1.parquet", frame)
    assert storage.read_table(f"file://{tmp_path}/users", ["unit"])["unit"].tolist() == [1, 2, 1, 2]


def test_json_refuses_numbers_that_are_none():
    with pytest.raises(ValueError, match="JSON"):
        json_bytes({"x": float("nan")})


def test_settings_reach_another_process_through_its_environment(monkeypatch):
    settings = Settings(lake="s3://lake", s3_key="k", s3_secret="hidden", slices=4)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize("half", [{"s3_key": "k"}, {"s3_secret": "hidden"}, {"s3_key": "k", "s3_secret": ""}])
def test_half_a_login_is_refused_instead_of_taking_another_from_the_machine(half):
    with pytest.raises(ConfigurationError, match=r"an S3 (key|secret) without its") as refused:
        Storage(Settings(lake="s3://lake", **half))
    assert "hidden" not in str(refused.value)
