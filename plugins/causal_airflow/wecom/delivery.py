"""Delivers messages at most once: every message is claimed in the store before it is sent.

WeCom knows no idempotency key, so a lost reply stays ambiguous: it is recorded, shown, and never sent again.
A refused message gives its claim back, so that a later attempt may send it.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict

from causal_airflow.wecom.hook import RateLimitedError, ReplyLostError, RobotBusyError, RobotError
from causal_tasks.errors import ConfigurationError, StorageError
from causal_tasks.storage import Storage, Uri, json_bytes

log = logging.getLogger(__name__)

Message = dict[str, Any]
Send = Callable[[Message], None]
Sleep = Callable[[float], None]
State = Literal["sending", "sent", "ambiguous"]

SPACING = 3.0
"""Seconds before every message, the first included: one sender at a time then stays below 20 a minute."""

TRIES = 3
_BUSY_WAIT, _RATE_WAIT = 5.0, 60.0
_SENDING_TIME = timedelta(minutes=15)


class Claim(BaseModel):
    """Who sends a message, and how far that went.

    Attributes:
        state: ``sending`` until the outcome is known, ``ambiguous`` where it never will be.
        attempt: Unique for each attempt.
        dag_run: Id of the run that sends.
        msgtype: Of the message.
        at: When it was claimed.
    """

    model_config = ConfigDict(frozen=True)

    state: State
    attempt: str
    dag_run: str
    msgtype: str
    at: AwareDatetime


def send_patiently(message: Message, send: Send, *, sleep: Sleep = time.sleep) -> None:
    """Send one message by the robot's own rules: spaced, and up to three times where WeCom says that it is busy.

    Raises:
        RobotError: What the last try ran into; a lost reply and a refusal are never tried again.
    """
    sleep(SPACING)
    for _ in range(TRIES - 1):
        try:
            send(message)
        except RobotBusyError:
            wait = _BUSY_WAIT
        except RateLimitedError:
            wait = _RATE_WAIT
        else:
            return
        log.info("the robot is busy, trying again in %g s", wait)
        sleep(wait)
    send(message)


def deliver(
    messages: Sequence[Message],
    *,
    claim: Uri,
    dag_run: str,
    storage: Storage,
    send: Send,
    sleep: Sleep = time.sleep,
) -> list[State]:
    """Send messages in order, each at most once, whoever else tries the same.

    Args:
        messages: Payloads that belong together.
        claim: Where the first message is claimed, ending in ``.json``; the others follow as ``.2.json`` and so on.
        dag_run: Id of the run that sends.
        storage: Holds the claims.
        send: Sends one message in one request.
        sleep: Waits; tests give their own.

    Returns:
        How each message stands.

    Raises:
        RobotError: A message was not sent; those before it are, and a later attempt goes on from here.
        StorageError: A message could not be claimed and was not sent.
        ConfigurationError: The same.
    """
    stem = claim.removesuffix(".json")
    claims = [claim, *(f"{stem}.{number}.json" for number in range(2, len(messages) + 1))]
    return [
        _deliver_one(message, uri, dag_run, storage, send, sleep) for message, uri in zip(messages, claims, strict=True)
    ]


def _deliver_one(message: Message, uri: Uri, dag_run: str, storage: Storage, send: Send, sleep: Sleep) -> State:
    claim = Claim(
        state="sending", attempt=uuid4().hex, dag_run=dag_run, msgtype=message["msgtype"], at=datetime.now(UTC)
    )
    if not storage.create_exclusively(uri, _content(claim)):
        return _state_of_other(uri, dag_run, storage)
    outcome: State = "sent"
    try:
        send_patiently(message, send, sleep=sleep)
    except ReplyLostError as error:
        outcome = "ambiguous"
        log.warning("%s; the claim %s says 'ambiguous'", error, uri)
    except RobotError:
        storage.delete(uri)
        raise
    try:
        storage.write_bytes(uri, _content(claim.model_copy(update={"state": outcome})))
    except (StorageError, ConfigurationError) as error:
        log.warning("the message is %s but its claim still says 'sending': %s", outcome, error)
    return outcome


def _state_of_other(uri: Uri, dag_run: str, storage: Storage) -> State:
    """How a message stands that an earlier attempt or another run has claimed."""
    claim = Claim.model_validate(storage.read_json(uri))
    abandoned = claim.dag_run == dag_run or datetime.now(UTC) - claim.at > _SENDING_TIME
    if claim.state == "sending" and abandoned:
        claim = claim.model_copy(update={"state": "ambiguous"})
        storage.write_bytes(uri, _content(claim))
    if claim.state == "ambiguous":
        log.warning("not sent again, because it may have arrived: %s, claimed by %s", uri, claim.dag_run)
    else:
        log.info("%s since %s by %s: %s", claim.state, claim.at, claim.dag_run, uri)
    return claim.state


def _content(claim: Claim) -> bytes:
    return json_bytes(claim.model_dump(mode="json"))
