"""The message of a job beside mining: verdict, headline, what is its own, checks and what to do next."""

from collections.abc import Sequence
from typing import Any, Protocol

from causal_tasks.report.message import (
    MARKDOWN_BYTES,
    checks_line,
    first_line,
    fit_lines,
    neutral,
    payloads,
    tail_lines,
)
from causal_tasks.report.sections.checks import Checks
from causal_tasks.report.text import Catalog

SENTENCE_CHARACTERS = 400


class JobContent(Protocol):
    """What every job tells."""

    @property
    def text(self) -> Catalog:
        """Of the language."""
        ...

    @property
    def badge(self) -> str:
        """The verdict in a word or two."""
        ...

    @property
    def title(self) -> str:
        """Of the experiment."""
        ...

    @property
    def headline(self) -> str:
        """What was found."""
        ...

    @property
    def action(self) -> str:
        """What to do."""
        ...

    @property
    def checks(self) -> Checks:
        """Of the experiment."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What to know besides."""
        ...

    @property
    def report_id(self) -> str:
        """Of the run."""
        ...


def job_messages(
    content: JobContent, own: Sequence[str], link: str | None, *, updated: bool, picture: bytes | None
) -> list[dict[str, Any]]:
    """One markdown_v2 message and, if there is a picture, one image.

    Args:
        content: Of the job.
        own: Lines that only this job tells, between headline and checks; empty ones are left out.
        link: To the report; None leaves it out.
        updated: Whether an earlier message told another result of the same run.
        picture: PNG.

    Raises:
        InputError: The link leaves no room for text, or the picture is larger than the robot takes.
    """
    text = content.text
    lines = [
        first_line(text, f"**{content.badge}**", title=content.title, updated=updated),
        neutral(content.headline, SENTENCE_CHARACTERS),
        *own,
        checks_line(text, content.checks),
        text("message.next", action=neutral(content.action, SENTENCE_CHARACTERS)),
        text("message.no_picture") if text("notes.picture_left_out") in content.notes else "",
    ]
    tail = tail_lines(text, content.report_id, link)
    return payloads(fit_lines([line for line in lines if line], tail, MARKDOWN_BYTES), picture)
