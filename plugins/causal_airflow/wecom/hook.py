"""The WeCom group robot as an Airflow hook: one message, one request, one clear outcome.

The webhook key is the whole secret and travels in the URL, so nothing that may hold the URL leaves this module:
neither an exception of ``requests`` nor a log record of ``urllib3``.
"""

import logging
import re
from typing import Any
from urllib.parse import urlsplit

import requests
from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError, SSLError

from causal_tasks.errors import CausalTasksError, ConfigurationError

DEFAULT_HOST = "https://qyapi.weixin.qq.com"
SEND_PATH = "/cgi-bin/webhook/send"
TIMEOUTS = (5.0, 15.0)
"""Seconds to connect and to wait for the answer."""

_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")


class RobotError(CausalTasksError):
    """The group did not get the message, or may not have got it."""


class RobotUnreachableError(RobotError):
    """No connection came about, so nothing was sent; trying again later may help."""


class RobotBusyError(RobotError):
    """WeCom is busy or something else answered in its place; trying again soon may help."""


class RateLimitedError(RobotError):
    """The robot has sent its 20 messages of this minute."""


class MessageRefusedError(RobotError):
    """The key or the message is wrong; trying again changes nothing."""


class ReplyLostError(RobotError):
    """The request was sent and no answer came: the group may have got the message or not."""


_REFUSALS = {
    93000: "check the key in the connection's password, and that the robot is still in the group",
    40058: "report this as a bug: the message breaks a limit of WeCom",
    40008: "report this as a bug: WeCom does not know the message type",
}


class WeComRobotHook(BaseHook):
    """Sends messages to one group robot.

    The connection holds the webhook key as password and, where it is not WeCom's own, the host. ``https`` is required
    unless the connection's extra says ``{"allow_http": true}``.

    Attributes:
        host: Name of the host, the only part of the address that errors and logs may show.
    """

    conn_name_attr = "wecom_conn_id"
    default_conn_name = "wecom_default"
    conn_type = "wecom"
    hook_name = "WeCom group robot"

    def __init__(self, wecom_conn_id: str = default_conn_name) -> None:
        """Read the connection.

        Raises:
            ConfigurationError: There is no such connection, or it has no usable key or host.
        """
        super().__init__()
        self.wecom_conn_id = wecom_conn_id
        connection = _existing_connection(wecom_conn_id)
        key = connection.password or ""
        if key:
            mask_secret(key)
        root = _root_address(connection)
        if not _KEY.fullmatch(key):
            raise ConfigurationError(
                f"connection {wecom_conn_id!r} has no usable webhook key",
                remedy="put the key alone, the part after 'key=' in the robot's address, in its password",
            )
        self.host = str(urlsplit(root).hostname)
        self._address = f"{root}{SEND_PATH}"
        self._key = key
        logging.getLogger("urllib3.connectionpool").addFilter(_names_no_webhook)

    def get_conn(self) -> requests.Session:
        """A session; ``requests`` repeats nothing by itself."""
        return requests.Session()

    def send(self, message: dict[str, Any]) -> None:
        """Send one message in one request.

        Args:
            message: Payload with ``msgtype``.

        Raises:
            RobotUnreachableError: Nothing was sent.
            ReplyLostError: It was sent, its fate is unknown.
            RateLimitedError: Not before the next minute.
            RobotBusyError: WeCom could not take it now.
            MessageRefusedError: It never will.
        """
        problem: RobotError
        try:
            with self.get_conn() as session:
                response = session.post(
                    self._address,
                    params={"key": self._key},
                    json=message,
                    timeout=TIMEOUTS,
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            problem = self._connection_problem(error)
        else:
            self._require_accepted(response)
            return
        raise problem  # outside of the handler: the original exception names the URL, and with it the key

    def _connection_problem(self, error: requests.RequestException) -> RobotError:
        reason = error.args[0] if error.args else None
        cause = reason.reason if isinstance(reason, MaxRetryError) else reason
        never_connected = isinstance(error, requests.ConnectTimeout) or isinstance(
            cause, (NewConnectionError, ConnectTimeoutError, ProxyError, SSLError)
        )
        # TLS that breaks off in the middle may do so after the request went out
        if never_connected and "EOF" not in str(cause):
            return RobotUnreachableError(
                f"WeCom robot: no connection to {self.host} ({type(cause).__name__})",
                remedy="check the connection's host, the network and the proxy",
            )
        return ReplyLostError(
            f"WeCom robot: the message went to {self.host} and no answer came back ({type(error).__name__})",
            remedy="look into the group before sending it again",
        )

    def _require_accepted(self, response: requests.Response) -> None:
        if response.is_redirect or 400 <= response.status_code < 500:
            raise MessageRefusedError(
                f"WeCom robot: {self.host} answered HTTP {response.status_code}",
                remedy="correct the connection's host; the robot itself always answers 200",
            )
        errcode = _errcode(response)
        if errcode is None:
            raise RobotBusyError(
                f"WeCom robot: {self.host} answered HTTP {response.status_code} without an errcode",
                remedy="check what answers at the connection's host",
            )
        if errcode == 45009:
            raise RateLimitedError("WeCom robot: over 20 messages a minute (45009)", remedy="try again in a minute")
        if errcode in _REFUSALS:
            raise MessageRefusedError(f"WeCom robot refused the message ({errcode})", remedy=_REFUSALS[errcode])
        if errcode != 0:
            raise RobotBusyError(f"WeCom robot did not take the message ({errcode})", remedy="try again later")


def _existing_connection(connection_id: str) -> Connection:
    try:
        return BaseHook.get_connection(connection_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"there is no connection {connection_id!r} to a WeCom robot",
            remedy="create it with the robot's key as password, or start runs with notify off",
        ) from error


def _errcode(response: requests.Response) -> int | None:
    try:
        answer = response.json()
    except requests.JSONDecodeError:
        return None
    errcode = answer.get("errcode") if isinstance(answer, dict) else None
    return errcode if isinstance(errcode, int) else None


def _root_address(connection: Connection) -> str:
    """Scheme, host and port of the robot.

    Raises:
        ConfigurationError: The host is no plain address, or ``http`` is not allowed.
    """
    stated = connection.host or DEFAULT_HOST
    parts = urlsplit(stated if "://" in stated else f"https://{stated}")
    plain = parts.hostname and not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    if parts.scheme not in {"https", "http"} or not plain:
        raise ConfigurationError(
            f"the host of connection {connection.conn_id!r} is more than a scheme, a host and a port",
            remedy=f"write it as {DEFAULT_HOST}, or leave it empty; the key belongs in the password",
        )
    if parts.scheme == "http" and connection.extra_dejson.get("allow_http") is not True:
        raise ConfigurationError(
            f"connection {connection.conn_id!r} would send the key unencrypted to {parts.hostname}",
            remedy='use https, or set extra to {"allow_http": true} for a local stand-in',
        )
    port = parts.port or connection.port
    name = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{parts.scheme}://{name}" + (f":{port}" if port else "")


def _names_no_webhook(record: logging.LogRecord) -> bool:
    """Whether a log record may be written: urllib3 writes whole paths, and this one ends in the key."""
    return SEND_PATH not in record.getMessage()
