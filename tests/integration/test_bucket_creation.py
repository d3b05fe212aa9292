"""The script that makes the lake's bucket, against a real S3 server."""

import importlib.util
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from causal_tasks.errors import ConfigurationError
from causal_tasks.storage import Storage

SCRIPT = Path(__file__).parents[2] / "docker/create_bucket.py"


@pytest.fixture(scope="module")
def create_bucket():
    specification = importlib.util.spec_from_file_location("create_bucket", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.create_bucket


def test_a_new_bucket_is_made_and_one_that_exists_keeps_its_files(create_bucket, object_store):
    lake = f"s3://new-{uuid4().hex[:12]}"
    settings = object_store.model_copy(update={"lake": lake})
    storage = Storage(settings)
    with pytest.raises(ConfigurationError, match="does not exist"):
        storage.list_files(lake)
    create_bucket(settings)
    storage.write_bytes(f"{lake}/experiments/a.json", b"{}")
    create_bucket(settings)
    assert [file.path for file in storage.list_files(lake)] == ["experiments/a.json"]


def test_a_wrong_key_makes_no_bucket_and_is_not_taken_for_success(create_bucket, object_store):
    lake = f"s3://new-{uuid4().hex[:12]}"
    wrong = object_store.model_copy(update={"lake": lake, "s3_secret": SecretStr("wrong")})
    with pytest.raises(PermissionError):
        create_bucket(wrong)
