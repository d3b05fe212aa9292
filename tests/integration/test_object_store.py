"""Storage against a real S3 server: exclusive creation under concurrency, errors that name the remedy, links."""

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from uuid import uuid4

import boto3
import pandas as pd
import pytest
import requests
from pydantic import SecretStr

from causal_tasks.errors import ConfigurationError, StorageError
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage
from local_stack.ports import free_ports


@pytest.fixture(scope="session")
def object_store(request):
    """The server with a bucket ``lake`` that CAUSAL_TEST_S3_ENDPOINT names; without it the one that all tests share."""
    endpoint = os.environ.get("CAUSAL_TEST_S3_ENDPOINT")
    if endpoint is None:
        return request.getfixturevalue("object_store")
    return Settings(
        lake="s3://lake",
        s3_endpoint=endpoint,
        s3_key=os.environ["CAUSAL_TEST_S3_KEY"],
        s3_secret=SecretStr(os.environ["CAUSAL_TEST_S3_SECRET"]),
        s3_region="us-east-1",
    )


@pytest.fixture
def storage(object_store):
    return Storage(object_store)


@pytest.fixture
def folder():
    return f"s3://lake/test-{uuid4().hex}"


RACER = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage
uri, claims = sys.argv[1], sys.argv[2:]
storage = Storage(Settings())
storage.exists(uri)
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(len(claims)) as pool:
    won = list(pool.map(lambda claim: storage.create_exclusively(uri, claim.encode()), claims))
print(json.dumps([claim for claim, one in zip(claims, won) if one]))
"""


def test_of_sixteen_threads_in_four_processes_one_creates_the_file(object_store, storage, folder):
    claims = [[f"{process}.{thread}" for thread in range(4)] for process in range(4)]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, f"{folder}/claim", *own],
            env=os.environ | object_store.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for own in claims
    ]
    assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 4
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    winners = [claim for racer in racers for claim in json.loads(racer.communicate()[0])]
    assert len(winners) == 1
    assert storage.read_bytes(f"{folder}/claim") == winners[0].encode()


@pytest.mark.parametrize("round_", range(2))
def test_of_sixteen_threads_one_creates_the_file(storage, folder, round_):
    claims = [f"{round_}.{thread}".encode() for thread in range(16)]
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda claim: storage.create_exclusively(f"{folder}/claim", claim), claims))
    assert sum(won) == 1
    assert storage.read_bytes(f"{folder}/claim") == claims[won.index(True)]


def test_a_large_file_is_created_once_too(storage, folder):
    parts = [bytes([k]) * 12_000_000 for k in range(2)]  # more than one part of a multipart upload
    assert storage.create_exclusively(f"{folder}/large", parts[0])
    assert not storage.create_exclusively(f"{folder}/large", parts[1])
    assert storage.read_bytes(f"{folder}/large") == parts[0]


def test_the_server_honours_conditional_creation_and_the_probe_leaves_nothing(storage, object_store, folder):
    storage.check_exclusive_creation(folder)
    client = boto3.client(
        "s3",
        endpoint_url=object_store.s3_endpoint,
        aws_access_key_id=object_store.s3_key,
        aws_secret_access_key=object_store.s3_secret.get_secret_value(),
        region_name=object_store.s3_region,
    )
    prefix = folder.removeprefix("s3://lake/")
    assert client.list_objects_v2(Bucket="lake", Prefix=f"{prefix}/")["KeyCount"] == 0


def test_listing_tells_the_etag_without_reading_the_files(storage, folder):
    for name in ("date=2026-01-01/part.parquet", "part.parquet", "_SUCCESS", ".hidden/part.parquet", "notes.txt"):
        storage.write_bytes(f"{folder}/{name}", name.encode())
    files = storage.list_files(folder, suffix=".parquet")
    assert [file.path for file in files] == ["date=2026-01-01/part.parquet", "part.parquet"]
    assert [file.digest for file in files] == [hashlib.md5(file.path.encode()).hexdigest() for file in files]
    assert [file.size for file in files] == [len(file.path) for file in files]
    assert storage.list_files(f"{folder}/nothing-here") == []


def test_a_replaced_file_has_another_digest_in_the_very_next_listing(storage, folder):
    storage.write_bytes(f"{folder}/a", b"1")
    (before,) = storage.list_files(folder)
    storage.write_bytes(f"{folder}/a", b"2")
    (after,) = storage.list_files(folder)
    assert before.digest != after.digest


def test_a_missing_key_is_a_missing_file_and_not_a_wrong_configuration(storage, folder):
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(f"{folder}/absent")
    assert not storage.exists(f"{folder}/absent")
    assert storage.content_digest(f"{folder}/absent") is None


def test_a_deleted_folder_is_empty(storage, folder):
    for name in ("a", "b/c"):
        storage.write_bytes(f"{folder}/{name}", b"x")
    storage.delete(folder)
    assert storage.list_files(folder) == []
    assert not storage.exists(f"{folder}/a")


def test_a_table_of_two_files_comes_back_in_file_order_with_the_columns_asked_for(storage, folder):
    frame = pd.DataFrame({"unit": [1, 2], "x": [0.5, None], "level": pd.Categorical(["a", "b"])})
    storage.write_table(f"{folder}/users/part-0.parquet", frame)
    storage.write_table(f"{folder}/users/part-1.parquet", frame.assign(unit=[3, 4]))
    table = storage.read_table(f"{folder}/users", ["unit", "level"])
    assert table["unit"].tolist() == [1, 2, 3, 4]
    assert list(table.columns) == ["unit", "level"]


WRONG_LOGINS = [{"s3_key": "nobody"}, {"s3_secret": SecretStr("wrong")}]


@pytest.mark.parametrize("wrong", WRONG_LOGINS, ids=["key", "secret"])
@pytest.mark.parametrize("action", ["read", "write", "create", "list", "exists"])
def test_a_wrong_login_is_refused_with_the_remedy_and_without_the_secret(object_store, folder, wrong, action):
    storage = Storage(object_store.model_copy(update=wrong))
    with pytest.raises(ConfigurationError, match="access refused") as caught:
        perform(storage, action, f"{folder}/a")
    assert "access key" in caught.value.remedy
    assert object_store.s3_secret.get_secret_value() not in str(caught.value)


def test_an_absent_file_is_not_taken_for_an_absent_bucket_whatever_its_name(storage, folder):
    assert not storage.exists(f"{folder}/no_bucket/r1/experiment.json")
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(f"{folder}/no_bucket/r1/experiment.json")


@pytest.mark.parametrize("action", ["read", "write", "create", "list"])
def test_a_missing_bucket_is_named_with_the_remedy(storage, action):
    with pytest.raises(ConfigurationError, match="bucket 'no-such-bucket' does not exist") as caught:
        perform(storage, action, "s3://no-such-bucket/a")
    assert "CAUSAL_LAKE" in caught.value.remedy


@pytest.mark.parametrize("action", ["read", "create"])
def test_a_store_that_does_not_answer_may_be_tried_again(object_store, folder, action):
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    storage = Storage(object_store.model_copy(update={"s3_endpoint": nobody}))
    with pytest.raises(StorageError, match="no answer"):
        perform(storage, action, f"{folder}/a")


def perform(storage: Storage, action: str, uri: str) -> None:
    match action:
        case "read":
            storage.read_bytes(uri)
        case "write":
            storage.write_bytes(uri, b"x")
        case "create":
            storage.create_exclusively(uri, b"x")
        case "list":
            storage.list_files(uri)
        case "exists":
            storage.exists(uri)


def test_a_link_is_signed_by_version_4_and_opens_that_one_file_without_a_login(storage, folder):
    storage.write_bytes(f"{folder}/report.html", b"<p>report</p>")
    storage.write_bytes(f"{folder}/other.html", b"<p>other</p>")
    link = storage.presigned_url(f"{folder}/report.html", hours=2)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link
    assert "X-Amz-Expires=7200" in link
    assert requests.get(link, timeout=10).content == b"<p>report</p>"
    assert requests.get(link.replace("report.html", "other.html"), timeout=10).status_code == 403
    assert requests.get(link.split("?", 1)[0], timeout=10).status_code == 403


def test_a_link_leads_to_the_address_that_browsers_can_reach(object_store, folder):
    public = object_store.s3_endpoint.replace("127.0.0.1", "localhost")
    storage = Storage(object_store.model_copy(update={"s3_public_endpoint": public}))
    storage.write_bytes(f"{folder}/report.html", b"<p>report</p>")
    link = storage.presigned_url(f"{folder}/report.html", hours=1)
    assert link.startswith(f"{public}/lake/")
    assert requests.get(link, timeout=10).content == b"<p>report</p>"


class ReplacingStore(BaseHTTPRequestHandler):
    """An S3 server that knows nothing of conditions: every PUT succeeds and replaces what was there."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]

    def do_PUT(self):
        self.objects[self.key] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200)

    def do_GET(self):
        if "list-type" in self.path:
            found = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in sorted(self.objects))
            self.answer(200, f"<ListBucketResult>{found}</ListBucketResult>".encode())
        else:
            content = self.objects.get(self.key)
            self.answer(404 if content is None else 200, content or b"")

    def do_DELETE(self):
        self.objects.pop(self.key, None)
        self.answer(204)

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        self.objects.clear()
        self.answer(200, b"<DeleteResult></DeleteResult>")

    @property
    def key(self) -> str:
        return self.path.split("?", 1)[0].removeprefix("/lake/")

    def answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.md5(content).hexdigest()}"')
        self.send_header("Last-Modified", "Mon, 02 Nov 2026 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextmanager
def replacing_store():
    handler = type("Bound", (ReplacingStore,), {"objects": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", handler.objects
        server.shutdown()


def test_a_store_that_replaces_files_is_refused_with_the_remedy():
    with replacing_store() as (address, objects):
        storage = Storage(Settings(s3_endpoint=address, s3_key="key", s3_secret=SecretStr("secret")))
        with pytest.raises(ConfigurationError, match="does not honour conditional creation") as caught:
            storage.check_exclusive_creation("s3://lake")
        assert "SeaweedFS" in caught.value.remedy
        assert objects == {}
