"""The load of the server's benchmark hides no delay behind the requests that it has not sent."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from benchmarks.serving.load import load_at_rate, load_without_pause
from benchmarks.serving.workload import encoded, random_requests, user_ids

REQUESTS = encoded(random_requests(20, user_ids(50), seed=0))


@contextmanager
def server(answer):
    """Runs ``answer(number)``, which returns a status or 0 to hang up, for each request; yields the port."""
    lock, counted = threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                counted[0] += 1
                status = answer(counted[0])
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield running.server_address[1]
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def stall(number):
    if number == 50:
        time.sleep(0.5)
    return 200


def test_one_stall_is_met_by_all_requests_that_were_due_meanwhile():
    with server(stall) as port:
        load = load_at_rate(port, REQUESTS, rate=100, seconds=2)
    assert len(load.latency) == 200
    # About 50 were due in half a second, evenly: a fifth of them in its first tenth.
    assert 25 < (load.latency > 0.1).sum() < 120
    assert load.latency.max() >= 0.45


def test_more_requests_than_connections_wait_and_are_counted_from_when_they_were_due():
    def slow(number):
        time.sleep(0.02)
        return 200

    with server(slow) as port:
        load = load_at_rate(port, REQUESTS, rate=100, seconds=1, connections=2)
    assert len(load.latency) == 100
    assert np.max(load.latency) > 0.5, "at 50 answers a second half of them are a second late in the end"


def test_answers_that_are_no_decision_are_counted():
    with server(lambda number: 200 if number % 2 else 422) as port:
        load = load_without_pause(port, REQUESTS, seconds=0.3, connections=2)
    assert load.failures == pytest.approx(len(load.latency) / 2, abs=1)
    assert len(load.latency) > 4


def test_requests_whose_connection_is_closed_are_counted():
    with server(lambda number: 0) as port:
        load = load_at_rate(port, REQUESTS, rate=100, seconds=0.2, connections=4)
    assert load.failures == 20
