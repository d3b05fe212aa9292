"""A plain text to the group when a task succeeds or fails, as an Airflow callback."""

from collections.abc import Sequence

from airflow.sdk import BaseNotifier, Context

from causal_airflow.wecom.delivery import send_patiently
from causal_airflow.wecom.hook import WeComRobotHook

TEXT_BYTES = 2048
_CUT = "…"


class WeComNotifier(BaseNotifier):
    """Sends a text to a group robot.

    Nothing is claimed for it, so a callback that Airflow repeats may repeat the text. Results of experiments go
    through :func:`causal_airflow.wecom.delivery.deliver` instead.

    Attributes:
        text: Template; more than 2,048 bytes of what it renders to are cut off.
        wecom_conn_id: Connection of the robot.
    """

    template_fields: Sequence[str] = ("text", "wecom_conn_id")

    def __init__(self, text: str, wecom_conn_id: str = WeComRobotHook.default_conn_name) -> None:
        super().__init__()
        self.text = text
        self.wecom_conn_id = wecom_conn_id

    def notify(self, context: Context) -> None:  # noqa: ARG002 - the base class renders the text from it
        """Send the rendered text.

        Raises:
            RobotError: The robot did not take it.
        """
        message = {"msgtype": "text", "text": {"content": fitting_text(self.text)}}
        send_patiently(message, WeComRobotHook(self.wecom_conn_id).send)


def fitting_text(text: str) -> str:
    """``text`` cut to what a text message holds, between characters, and without anything that would ping people."""
    harmless = text.replace("<@", "< @")
    encoded = harmless.encode()
    if len(encoded) <= TEXT_BYTES:
        return harmless
    return encoded[: TEXT_BYTES - len(_CUT.encode())].decode(errors="ignore") + _CUT
