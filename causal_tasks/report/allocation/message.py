"""What the chat group gets to read of an allocation, within the limits of the group robot."""

from collections.abc import Mapping
from typing import Any

from causal_tasks.report.allocation.content import AllocationContent, tell_allocation
from causal_tasks.report.job_message import job_messages
from causal_tasks.report.message import neutral
from causal_tasks.rule import Language

_BUDGETS = 4


def allocation_messages(
    result: Mapping[str, Any],
    language: Language,
    link: str | None,
    *,
    updated: bool = False,
    picture: bytes | None = None,
) -> list[dict[str, Any]]:
    """The messages that tell an allocation: one markdown_v2 message and, if there is a picture, one image.

    Args:
        result: The content of ``allocation.json``.
        language: Of the group.
        link: To the report; None leaves it out.
        updated: Whether an earlier message told another result of the same run.
        picture: PNG.

    Raises:
        InputError: The link leaves no room for text, or the picture is larger than the robot takes.
    """
    content = tell_allocation(result, language)
    return job_messages(content, _own_lines(content), link, updated=updated, picture=picture)


def _own_lines(content: AllocationContent) -> list[str]:
    text, more = content.text, len(content.budgets) - _BUDGETS
    return [
        *_budgets(content),
        text("allocation.message.more", more=more) if more > 0 else "",
        _methods(content),
    ]


def _budgets(content: AllocationContent) -> list[str]:
    return [
        content.text(
            "allocation.message.budget",
            budget=neutral(row.budget),
            arrow=row.over_all.arrow,
            gain=neutral(row.over_all.estimate),
            interval=row.over_all.interval,
            next=neutral(row.next),
        )
        for row in content.budgets[:_BUDGETS]
    ]


def _methods(content: AllocationContent) -> str:
    """Which method was chosen, and how many failed."""
    chosen = next((row.method for row in content.methods.rows if row.state == "chosen"), None)
    failed = content.methods.brief_failures
    if chosen is None:
        return content.text("allocation.message.failed", failed=failed) if failed else ""
    key = "methods" if failed else "method"
    return content.text(f"allocation.message.{key}", method=neutral(chosen), failed=failed)
