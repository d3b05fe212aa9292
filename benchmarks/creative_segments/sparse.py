"""Part ``sparse``: a path of penalties for a million people with 2,000 indicators, 20 of each person's being 1."""

from benchmarks.creative_segments.solvers import ask
from benchmarks.creative_segments.speed import HEADER, described, setting
from benchmarks.document import ratio, table

SIZES = (100_000, 1_000_000)
COVARIATES = 2_000


def section(_: int) -> str:
    """The table by size, and how the time grows."""
    found = {people: ask("sparse_path", people, COVARIATES) for people in SIZES}
    small, large = (taken.seconds for taken in found.values())
    return "\n\n".join(
        [
            setting(f"{COVARIATES:,} indicators of the levels of 20 columns of text, CSR"),
            table(HEADER, [described(f"{people:,}", taken) for people, taken in found.items()]),
            f"From {SIZES[0]:,} to {SIZES[1]:,} people the time grows {ratio(large / small)} times.",
        ]
    )
