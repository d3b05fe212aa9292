"""A WeCom group robot for this machine: a real HTTP server with the real robot's answers, limits and bad moments."""

import argparse
import base64
import hashlib
import json
import signal
import threading
import time
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

SEND_PATH = "/cgi-bin/webhook/send"
MESSAGE_TYPES = frozenset({"text", "markdown", "markdown_v2", "image", "news", "file", "voice", "template_card"})
BYTE_LIMITS = {"text": 2048, "markdown": 4096, "markdown_v2": 4096}
IMAGE_BYTES = 2 * 1024 * 1024

ERRORS = {
    0: "ok",
    -1: "system error",
    40008: "invalid message type",
    40009: "invalid image size",
    40058: "invalid parameter",
    45009: "api freq out of limit",
    93000: "invalid webhook url",
    301019: "image md5 does not match",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the robot does with one message, in place of its usual judgement.

    Attributes:
        errcode: Code to answer; None judges the message as usual.
        body: Raw answer in place of JSON; the message is not accepted.
        status: HTTP status.
        location: Where a redirect points to.
        delay: Seconds until the answer is written.
        hang_up: Whether the connection is closed without an answer, after the message was judged.
    """

    errcode: int | None = None
    body: bytes | None = None
    status: int = 200
    location: str | None = None
    delay: float = 0.0
    hang_up: bool = False


class Robot:
    """A group robot that listens on this machine while its ``with`` block lasts.

    Attributes:
        url: Root address, without path and key.
        key: The secret that the address of a message must carry.
        messages: Accepted messages, oldest first.
        refusals: The errcode of each message that was not accepted; None where the answer was no JSON.
    """

    def __init__(
        self,
        port: int = 0,
        inbox: Path | None = None,
        *,
        key: str = "local-robot-key",
        answers: Iterable[Answer] = (),
        per_minute: int = 20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Bind the port; port 0 takes a free one.

        Args:
            port: On the loopback interface.
            inbox: Folder in which each accepted message becomes a numbered JSON file.
            key: The secret.
            answers: What to do with the first messages; later ones are judged as usual.
            per_minute: Messages accepted within any 60 seconds.
            clock: Seconds; tests give their own.
        """
        self.key = key
        self.messages: list[dict[str, Any]] = []
        self.refusals: list[int | None] = []
        self._answers = list(answers)
        self._per_minute = per_minute
        self._clock = clock
        self._accepted_at: list[float] = []
        self._inbox = inbox
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def next_answer(self) -> Answer:
        """The scripted answer to the message that just came in."""
        with self._lock:
            return self._answers.pop(0) if self._answers else Answer()

    def judge(self, key: str, payload: bytes, answer: Answer) -> int | None:
        """Accept or refuse a message; returns its errcode, None where the answer holds none."""
        with self._lock:
            if answer.body is not None or answer.location is not None:
                errcode = None
            elif answer.errcode is not None:
                errcode = answer.errcode
            else:
                errcode = self._errcode(key, payload)
            if errcode == 0:
                self._accept(json.loads(payload))
            else:
                self.refusals.append(errcode)
            return errcode

    def pause(self, seconds: float) -> None:
        """Wait, or stop waiting when the robot closes."""
        self._closing.wait(seconds)

    def _errcode(self, key: str, payload: bytes) -> int:
        if key != self.key:
            return 93000
        now = self._clock()
        self._accepted_at = [at for at in self._accepted_at if now - at < 60]
        if len(self._accepted_at) >= self._per_minute:
            return 45009
        return content_errcode(payload)

    def _accept(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self._accepted_at.append(self._clock())
        if self._inbox is not None:
            self._inbox.mkdir(parents=True, exist_ok=True)
            number = len(list(self._inbox.glob("*.json"))) + 1
            content = json.dumps(message, ensure_ascii=False, indent=1)
            (self._inbox / f"{number:04d}.json").write_text(content, encoding="utf-8")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        return type("_BoundHandler", (_Handler,), {"robot": self})


def content_errcode(payload: bytes) -> int:
    """The errcode that WeCom gives to a message body, 0 for a good one."""
    try:
        message = json.loads(payload)
    except ValueError:
        return 40058
    kind = message.get("msgtype") if isinstance(message, dict) else None
    if kind not in MESSAGE_TYPES:
        return 40008
    content = message.get(kind)
    if not isinstance(content, dict):
        return 40058
    if kind in BYTE_LIMITS:
        text = content.get("content")
        return 0 if isinstance(text, str) and 0 < len(text.encode()) <= BYTE_LIMITS[kind] else 40058
    return _image_errcode(content) if kind == "image" else 0


def _image_errcode(content: dict[str, Any]) -> int:
    try:
        picture = base64.b64decode(str(content.get("base64")), validate=True)
    except Base64Error:
        return 40058
    if not 0 < len(picture) <= IMAGE_BYTES:
        return 40009
    digest = hashlib.md5(picture, usedforsecurity=False).hexdigest()
    return 0 if content.get("md5") == digest else 301019


class _Handler(BaseHTTPRequestHandler):
    robot: Robot

    def do_POST(self) -> None:
        address = urlsplit(self.path)
        payload = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.robot.next_answer()
        key = parse_qs(address.query).get("key", [""])[0] if address.path == SEND_PATH else ""
        errcode = self.robot.judge(key, payload, answer)
        self.robot.pause(answer.delay)
        if answer.hang_up:
            self.close_connection = True
            return
        body = answer.body
        if body is None:
            body = json.dumps({"errcode": errcode or 0, "errmsg": ERRORS.get(errcode or 0, "unknown error")}).encode()
        try:
            self._write(body, answer)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client gave up waiting, which is what a delay is for

    def _write(self, body: bytes, answer: Answer) -> None:
        self.send_response(answer.status)
        if answer.location:
            self.send_header("Location", answer.location)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by the base class
        """Stay silent: the request line holds the key."""


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--inbox", type=Path, required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--per-minute", type=int, default=20)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Robot(options.port, options.inbox, key=options.key, per_minute=options.per_minute) as robot:
        print(f"WeCom robot at {robot.url}, inbox {options.inbox}", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("WeCom robot stopped", flush=True)


if __name__ == "__main__":
    main()
