"""Part ``speed``: a path of penalties for a million people with 300 covariates, from memory and from Parquet."""

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.creative_segments.solvers import Taken, ask
from benchmarks.document import gigabytes, ratio, seconds, table
from benchmarks.peers.segments import ALPHA, CREATIVES, LAMS, LOWEST, SEGMENTS

SIZES = (100_000, 1_000_000)
COVARIATES = 300

HEADER = (
    "people",
    "wall s",
    "CPU s",
    "passes in all",
    "most at one penalty",
    "largest relative gap",
    "peak GB beyond the data",
    "peak GB",
)


def section(_: int) -> str:
    """The table by size and source, and how the time grows."""
    memory = {people: ask("path", people, COVARIATES) for people in SIZES}
    with TemporaryDirectory(prefix="benchmark-segments-") as folder:
        files = {people: Path(folder) / f"{people}.parquet" for people in SIZES}
        for people, file in files.items():
            ask("write", people, COVARIATES, file)
        mapped = {people: ask("mapped", people, COVARIATES, file) for people, file in files.items()}
        size = files[SIZES[-1]].stat().st_size
    rows = [described(f"{people:,}, from memory", taken) for people, taken in memory.items()]
    rows += [described(f"{people:,}, from Parquet", taken) for people, taken in mapped.items()]
    small, large = (taken.seconds for taken in memory.values())
    last = mapped[SIZES[-1]]
    own = " and ".join(
        f"{gigabytes(taken.answer['anonymous_bytes'])} GB ({people:,} people)" for people, taken in mapped.items()
    )
    return "\n\n".join(
        [
            setting(f"{COVARIATES} covariates, each pair of which has the correlation 0.2"),
            table(HEADER, rows),
            f"From {SIZES[0]:,} to {SIZES[-1]:,} people the time from memory grows {ratio(large / small)} times.",
            f"The larger Parquet file has {gigabytes(size)} GB. Reading it twice, to standardise and to write rows by "
            f"creative, took {seconds(last.answer['prepared_seconds'])} s of the {seconds(last.seconds)} s. At the "
            f"peak {own} were the process's own; the rest were pages of the files it had written, which the system "
            "takes back when it needs them.",
        ]
    )


def setting(covariates: str) -> str:
    """What is solved, in a sentence."""
    return (
        f"{SEGMENTS} segments of {CREATIVES} creatives, one of which departs in each; {covariates}. "
        f"`CreativeSegments(alpha={ALPHA})`: {LAMS} penalties down to {LOWEST:.0%} of the one that leaves everything "
        "zero, each to a relative duality gap of 1e-8, which is computed in double precision; rows in single "
        "precision. Passes are means over segments."
    )


def described(title: str, taken: Taken) -> list[str]:
    """A line of the table with ``HEADER``."""
    answer = taken.answer
    return [
        title,
        seconds(taken.seconds),
        seconds(taken.cpu_seconds),
        f"{answer['passes']:,}",
        f"{answer['most_passes']:,}",
        f"{answer['largest_gap']:.1e}" + ("" if answer["converged"] else " (not reached)"),
        gigabytes(taken.peak_bytes),
        gigabytes(taken.held_bytes),
    ]
