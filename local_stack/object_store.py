"""An S3 server with one bucket, the lake: SeaweedFS in a single process."""

import json
import os
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import requests
from pydantic import SecretStr

from causal_tasks.errors import CausalTasksError
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage
from local_stack.ports import GRPC_OFFSET, free_ports
from local_stack.processes import Processes

BUCKET = "lake"
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A running S3 server.

    Attributes:
        endpoint: Its address.
        key: Access key id.
        secret: Secret of ``key``.
    """

    endpoint: str
    key: str
    secret: str

    @property
    def settings(self) -> Settings:
        """Settings whose lake is the server's bucket."""
        return Settings(
            lake=f"s3://{BUCKET}",
            s3_endpoint=self.endpoint,
            s3_key=self.key,
            s3_secret=SecretStr(self.secret),
            s3_region=REGION,
        )

    @property
    def airflow_connection(self) -> str:
        """The Airflow connection that leads to it, as JSON."""
        extra = {"endpoint_url": self.endpoint, "region_name": REGION}
        return json.dumps({"conn_type": "aws", "login": self.key, "password": self.secret, "extra": extra})


def start_object_store(processes: Processes, folder: Path) -> ObjectStore:
    """Start the server on what ``folder`` holds, or on nothing; returns it once it answers.

    Raises:
        ConfigurationError: It did not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    s3, master, volume, filer, admin = ports = free_ports(5)
    store = ObjectStore(f"http://127.0.0.1:{s3}", secrets.token_hex(10), secrets.token_urlsafe(30))
    _write_identity(folder / "s3.json", store)
    processes.start(
        "object_store",
        [
            Path(sys.executable).parent / "weed",
            "mini",
            "-dir=.",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-bucket={BUCKET}",
            f"-s3.port={s3}",
            f"-master.port={master}",
            f"-volume.port={volume}",
            f"-filer.port={filer}",
            f"-admin.port={admin}",
            "-s3.config=s3.json",
            "-s3.iam=false",
            "-s3.autoCreateBucket=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
            # Relative, because a socket's path may have 107 characters at most.
            "-s3.localSocket=s3.sock",
            "-filer.localSocket=filer.sock",
        ],
        env={"HOME": str(folder), "PATH": os.environ["PATH"], "GOMEMLIMIT": "256MiB"},
        cwd=folder,
        grace=3,  # it may take 12; whatever it has acknowledged survives being killed
        leftovers=[
            f"{tempfile.gettempdir()}/seaweedfs-{part}-grpc-{port + GRPC_OFFSET}.sock"
            for part, port in zip(("s3", "master", "volume", "filer", "admin"), ports, strict=True)
        ],
    )
    processes.wait_until("object_store", lambda: _serves_lake(store), seconds=60)
    return store


def _write_identity(path: Path, store: ObjectStore) -> None:
    identity = {
        "name": "local",
        "credentials": [{"accessKey": store.key, "secretKey": store.secret}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps({"identities": [identity]}))


def _serves_lake(store: ObjectStore) -> bool:
    try:
        healthy = requests.get(f"{store.endpoint}/healthz", timeout=2).ok
        if healthy:  # a moment before the bucket is there
            Storage(store.settings).list_files(store.settings.lake)
    except (requests.RequestException, CausalTasksError):
        return False
    return healthy
