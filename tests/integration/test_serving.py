"""A real server process: answers as a batch does, outlives what is thrown at it, swaps under load, and ends when told."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causal_tasks.dynamic.serving.hot_swap import HotSwap
from local_stack.ports import free_ports
from tests.unit.dynamic.serving.published_feed import DAY, FEED, as_requests, publish_day, random_request

PROGRAM = str(Path(sys.executable).with_name("causal-tasks"))
SECONDS = 60


class Client:
    """A connection that is kept."""

    def __init__(self, port):
        self.port = port
        self.connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)

    def ask(self, method, path, content=None):
        body = json.dumps(content) if isinstance(content, dict) else content
        self.connection.request(method, path, body=body)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if path != "/metrics" else text

    def health(self):
        return self.ask("GET", "/health")[1]


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


@contextmanager
def serving(lake, *options, **environment):
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [PROGRAM, "serve", "videos", "--port", str(port), "--poll", "0.2", *map(str, options)],
        env=os.environ | {"CAUSAL_LAKE": f"file://{lake}"} | environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: process.poll() is not None or listens(port))
        assert process.poll() is None, process.stderr.read()
        yield Client(port), process
    finally:
        process.kill()
        process.communicate()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def lake(tmp_path):
    publish_day(tmp_path / "lake")
    return tmp_path / "lake"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One for the tests that leave its lake alone."""
    root = tmp_path_factory.mktemp("serving")
    publish_day(root / "lake")
    with serving(root / "lake") as (client, process):
        wait_until(lambda: client.health()["status"] == "ok")
        yield client, process


def test_answers_equal_those_of_a_batch(server, lake, tmp_path):
    client, _ = server
    generator = np.random.default_rng(11)
    asked = pd.DataFrame([random_request(generator) for _ in range(400)])
    swap = HotSwap("videos", publish_day(lake)[0], cache=tmp_path / "own", poll=60)
    swap.look()
    decider = swap.served.decider
    batch = decider.decide(asked["user_id"].tolist(), as_requests(asked), asked["request_id"].tolist())
    reasons = set()
    for place, body in enumerate(asked.to_dict("records")):
        status, answer = client.ask("POST", "/decide", body)
        assert status == 200, answer
        reasons.add(answer["reason"])
        assert answer["reason"] == batch.reason[place]
        assert answer["arm"] == FEED.arms[batch.arm[place]]
        assert answer["decided"] == FEED.arms[batch.decided[place]]
        assert answer["propensity"] == pytest.approx(batch.propensity[place], abs=1e-12)
        if answer["gains"] is not None:
            assert list(answer["gains"].values()) == pytest.approx(batch.gains[place], rel=1e-9, abs=1e-6)
            assert list(answer["interest"].values()) == pytest.approx(batch.interest[place], rel=1e-9, abs=1e-6)
        durations = [item["duration"] for item in body["candidates"]]
        order = decider.decision.adjust(durations, batch.arm[place], FEED.durations, body["slate_size"])
        assert answer["order"] == [f"v{position}" for position in order]
    assert reasons >= {"gain", "no_gain", "unknown_user"}


RAW = {
    "no HTTP": b"\x00\x01\x02\r\n\r\n",
    "half a request": b"POST /decide HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
    "endless header": b"GET /health HTTP/1.1\r\nX: " + b"a" * 200_000,
    "negative length": b"POST /decide HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    "bad chunk": b"POST /decide HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "other path": b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
}


def test_nothing_that_is_sent_ends_it(server):
    client, process = server
    for content in RAW.values():
        with socket.create_connection(("127.0.0.1", client.port), timeout=SECONDS) as raw:
            raw.sendall(content)
    generator = np.random.default_rng(2)
    for _ in range(200):
        noise = bytes(generator.integers(0, 256, generator.integers(1, 300), dtype=np.uint8))
        assert client.ask("POST", "/decide", noise)[0] == 422
    for _ in range(200):
        whole = json.dumps(random_request(generator))
        cut = generator.integers(len(whole))
        status, answer = client.ask("POST", "/decide", whole[:cut] + "}" * generator.integers(3) + whole[cut + 3 :])
        assert status in {200, 422}
        assert status == 200 or answer["detail"][0]["field"]
    assert client.ask("GET", "/nothing")[0] == 404
    assert client.ask("GET", "/decide")[0] == 405
    assert client.ask("POST", "/decide", random_request(generator))[0] == 200
    assert process.poll() is None
    assert 'status="500"' not in client.ask("GET", "/metrics")[1]


def test_a_new_day_takes_over_while_requests_come_in(lake):
    with serving(lake) as (client, _):
        wait_until(lambda: client.health()["status"] == "ok")
        met, stop = [], threading.Event()

        def ask_on():
            own, generator = Client(client.port), np.random.default_rng(3)
            while not stop.is_set():
                status, answer = own.ask("POST", "/decide", random_request(generator))
                met.append((status, answer.get("date")))

        askers = [threading.Thread(target=ask_on) for _ in range(3)]
        for asker in askers:
            asker.start()
        try:
            publish_day(lake, DAY + timedelta(days=1), seed=1)
            wait_until(lambda: (200, "2026-10-31") in met[-20:])
        finally:
            stop.set()
            for asker in askers:
                asker.join()
        assert set(met) == {(200, "2026-10-30"), (200, "2026-10-31")}


def test_a_lake_that_vanishes_leaves_it_deciding_and_restarting(lake, tmp_path):
    body = random_request(np.random.default_rng(4))
    with serving(lake, "--cache", tmp_path / "cache") as (client, process):
        wait_until(lambda: client.health()["status"] == "ok")
        shutil.rmtree(lake)
        wait_until(lambda: client.health()["status"] == "degraded")
        before = client.ask("POST", "/decide", body)
        assert before[0] == 200
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)
    with serving(lake, "--cache", tmp_path / "cache") as (restarted, _):
        wait_until(lambda: restarted.health()["status"] == "degraded")
        assert restarted.ask("POST", "/decide", body) == before
        publish_day(lake, DAY + timedelta(days=1))
        wait_until(lambda: restarted.health()["status"] == "ok")
        assert restarted.health()["date"] == "2026-10-31"


def test_it_waits_for_the_first_manifest_and_ends_when_told(tmp_path):
    (tmp_path / "lake").mkdir()
    (tmp_path / "temporary").mkdir()
    body = random_request(np.random.default_rng(6))
    with serving(tmp_path / "lake", TMPDIR=str(tmp_path / "temporary")) as (client, process):
        assert client.ask("GET", "/health")[0] == 503
        assert client.ask("POST", "/decide", body)[0] == 503
        publish_day(tmp_path / "lake")
        wait_until(lambda: client.ask("GET", "/health")[0] == 200)
        assert client.ask("POST", "/decide", body)[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert "Traceback" not in process.stderr.read()
    assert list((tmp_path / "temporary").iterdir()) == [], "copies were left behind"


@pytest.mark.parametrize(
    ("feed", "lake", "said"),
    [
        ("lake/feeds/videos.json", "lake", "is no id of a feed"),
        ("../videos", "lake", "is no id of a feed"),
        ("videos", "ftp://lake", "is no address of a file"),
    ],
)
def test_what_could_never_be_found_is_refused_at_once(tmp_path, feed, lake, said):
    done = subprocess.run(
        [PROGRAM, "serve", feed, "--lake", lake],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_without_the_extra_the_command_says_what_to_install(tmp_path):
    blocked = "import sys; sys.modules['fastapi'] = None; from causal_tasks.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", blocked, "serve", "videos", "--lake", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 1
    assert 'pip install "causal-tasks[serve]"' in done.stderr
