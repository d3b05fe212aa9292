"""Markdown in which names stay text: escaped lines, tables, fenced code."""

import re
from collections.abc import Sequence

from causal_tasks.report.content import Content
from causal_tasks.report.sections.effects import ShownEffect

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$])")


def escaped(text: str) -> str:
    """``text`` as one line in which Markdown and HTML mean nothing."""
    line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", line).replace("://", ":&#47;&#47;").replace("@", "&#64;")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; headings are taken as they are, cells are escaped."""
    lines = [headings, ["---"] * len(headings)]
    shown = [[escaped(cell) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [*lines, *shown])


def fenced(code: str, kind: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{kind}\n{code}\n{fence}"


def effect_text(effect: ShownEffect) -> str:
    """An effect with arrow and interval, not escaped."""
    return f"{effect.arrow} {effect.estimate} {effect.interval}"


def heading(content: Content, key: str) -> str:
    """The heading of a section."""
    return f"## {content.text(f'headings.{key}')}"


def subheading(text: str) -> str:
    """The heading of a part of a section."""
    return f"### {text}"
