"""The page that `make calibrate` writes: every slow test replaces its own section."""

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"

INTRODUCTION = """# Calibration

How often the product is wrong, measured where the truth is known. Written by `make calibrate`, which runs the slow
tests of `tests/statistical`; a reduced version of each runs in `make test`.
"""

ORDER = (
    "Experiments without any effect",
    "From raw tables to the report",
    "Power",
    "Coverage of intervals",
    "Heavy-tailed metrics: STATE against CUPAC",
    "Matching: bias by number of buckets",
    "Networks: TARNet against DragonNet",
    "Real-time policies: coverage of intervals",
    "Real-time thresholds: false alarms of drift",
)


def write_section(heading: str, body: str) -> None:
    """Put a section in its place; the others stay as they are.

    Raises:
        KeyError: The heading is not one of ``ORDER``.
    """
    if heading not in ORDER:
        raise KeyError(f"{heading!r} is not in ORDER")
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    sections = dict(part.split("\n", 1) for part in text.split("\n## ")[1:])
    sections[heading] = f"\n{body.strip()}\n"
    kept = [f"\n## {name}\n{sections[name].rstrip()}\n" for name in ORDER if name in sections]
    PAGE.write_text(INTRODUCTION + "".join(kept), encoding="utf-8")


def table(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """A Markdown table."""
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
