"""``python -m benchmarks.learners``: S-, T- and X-learners against causalml, EconML, scikit-uplift and one by hand.

All are given the same data and the same parameters of trees, each in a process of its own with two threads. Then the
nine candidates of an experiment are fitted in one process that shares what they have in common, against the sum of
nine hand-written ones.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.document import PAGE, circumstances, ratio, seconds, table, write_section
from benchmarks.interruption import run_command
from benchmarks.peers.learners import BASES, LEARNERS, THREADS
from benchmarks.processes import measure
from causal_tasks.errors import InputError

OURS = "causal_tasks"
FLOOR = "floor"
PEERS = {"causalml": LEARNERS, "econml": LEARNERS, "sklift": ("s", "t")}
"""What other libraries have, by name."""

PEERS_BASES = ("lightgbm", "xgboost")
"""Base models with which the peers are asked too: on a third, what they add of their own would be the same."""

ROOT = Path(__file__).resolve().parent.parent
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
TITLES = {"lightgbm": "LightGBM", "xgboost": "XGBoost", "random_forest": "random forest", FLOOR: "by hand"}


@dataclass(frozen=True, slots=True)
class Case:
    """What one process does.

    Attributes:
        library: Of ``benchmarks.peers.learners``.
        learner: ``s``, ``t`` or ``x``; ``all`` with base ``all``: the nine candidates.
        base: Base model.
        known: Whether it is told the propensity.
    """

    library: str
    learner: str
    base: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What a case took, and how right it was.

    Attributes:
        seconds: Wall time of fitting and predicting as many new users.
        cpu_seconds: All threads.
        peak_bytes: Memory beyond what the process held with data and imports.
        accuracy: ``correlation`` with the true effects and ``rmse``, by candidate.
        version: Of the library.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    accuracy: Mapping[str, Mapping[str, float]]
    version: str


Answers = Mapping[Case, Answer]

STAGE = Case(OURS, "all", "all")
DEFAULTS = tuple(Case(library, "x", "lightgbm", known=False) for library in (OURS, "causalml", "econml"))
"""The X-learner as each library fits it when nothing is said about the propensity."""


def cases(bases: Sequence[str]) -> list[Case]:
    """All cases on these base models; those that are compared follow each other."""
    found = []
    for base in bases:
        for learner in LEARNERS:
            peers = [name for name, has in PEERS.items() if base in PEERS_BASES and learner in has]
            found += [Case(library, learner, base) for library in (FLOOR, OURS, *peers)]
    if set(bases) == set(BASES):
        found.append(STAGE)
    return found + [case for case in DEFAULTS if case.base in bases]


def ask(case: Case, users: int) -> Answer:
    """One answer, in a process of its own.

    Raises:
        MeasurementError: The library failed.
    """
    python = str(PEERS_PYTHON) if case.library in PEERS else sys.executable
    environment = os.environ | {
        "OMP_NUM_THREADS": str(THREADS),
        "OMP_WAIT_POLICY": "PASSIVE",
        "OPENBLAS_NUM_THREADS": str(THREADS),
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": str(ROOT),
    }
    propensity = "known" if case.known else "unknown"
    command = [python, "-m", "benchmarks.peers.learners", case.library, case.learner, case.base, str(users), propensity]
    return Answer(**json.loads(measure(command, environment)[1].splitlines()[-1]))


def compare(asked: Sequence[Case], users: int, repeats: int) -> Answers:
    """The answer of every case that took the fewest CPU seconds, out of ``repeats`` rounds.

    Raises:
        MeasurementError: A library failed.
    """
    best: dict[Case, Answer] = {}
    for number in range(repeats):
        for case in asked:
            answer = ask(case, users)
            _say(f"{users:,} users, round {number + 1}: {case} {answer.cpu_seconds:.2f} CPU s")
            if case not in best or answer.cpu_seconds < best[case].cpu_seconds:
                best[case] = answer
    return best


def learners_table(answers: Answers, users: int) -> str:
    """Every learner of every library beside the hand-written one."""
    lines = []
    for case, found in answers.items():
        if case.learner == "all" or not case.known:
            continue
        by_hand = answers[Case(FLOOR, case.learner, case.base)]
        (score,) = found.accuracy.values()
        lines.append(
            [
                f"{case.learner.upper()}, {_title(case.base)}: {_title(case.library)}",
                seconds(found.cpu_seconds),
                f"{found.peak_bytes / 1e6:,.0f}",
                ratio(found.cpu_seconds / by_hand.cpu_seconds),
                ratio(found.peak_bytes / by_hand.peak_bytes),
                f"{score['correlation']:.3f}",
                f"{score['rmse']:.3f}",
            ]
        )
    header = [f"{users:,} users", "CPU s", "peak MB", "CPU / by hand", "peak / by hand", "correlation", "RMSE"]
    return table(header, lines)


def stage_table(answers: Answers, users: int) -> str:
    """The nine candidates that share, beside nine that do not."""
    ways = {
        f"{title}, one by one": [answers[Case(library, s, b)] for b in BASES for s in LEARNERS]
        for title, library in (("by hand", FLOOR), ("causal_tasks", OURS))
    }
    ways["causal_tasks, sharing"] = [answers[STAGE]]
    floor = sum(answer.cpu_seconds for answer in ways["by hand, one by one"])
    lines = []
    for title, found in ways.items():
        cpu = sum(answer.cpu_seconds for answer in found)
        scores = [score["rmse"] for answer in found for score in answer.accuracy.values()]
        peak = max(answer.peak_bytes for answer in found)
        mean_rmse = sum(scores) / len(scores)
        lines.append([title, seconds(cpu), f"{peak / 1e6:,.0f}", ratio(cpu / floor), f"{mean_rmse:.3f}"])
    return table([f"nine candidates, {users:,} users", "CPU s", "peak MB", "CPU / by hand", "mean RMSE"], lines)


def defaults_table(answers: Answers, users: int) -> str:
    """The X-learner with the propensity that each library makes up for itself."""
    ours = answers[DEFAULTS[0]]
    lines = []
    for case in DEFAULTS:
        found = answers[case]
        (score,) = found.accuracy.values()
        times = ratio(found.cpu_seconds / ours.cpu_seconds)
        lines.append([case.library, seconds(found.cpu_seconds), f"{found.peak_bytes / 1e6:,.0f}", times])
        lines[-1].append(f"{score['rmse']:.3f}")
    header = [f"X, LightGBM, propensity not told, {users:,} users", "CPU s", "peak MB", "CPU / ours", "RMSE"]
    return table(header, lines)


def tables(answers: Answers, users: int) -> Iterator[str]:
    """All tables that the answers are enough for."""
    yield learners_table(answers, users)
    if STAGE in answers:
        yield stage_table(answers, users)
    if DEFAULTS[0] in answers:
        yield defaults_table(answers, users)


def _title(name: str) -> str:
    return TITLES.get(name, name)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(
    rows: Annotated[list[int], typer.Option(help="Users; can be repeated.")] = [100_000, 1_000_000],  # noqa: B006
    repeats: Annotated[int, typer.Option(help="Rounds; the fewest CPU seconds of a case count.")] = 2,
    base: Annotated[list[str], typer.Option(help="Base models; can be repeated.")] = list(BASES),  # noqa: B006
    output: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
    page: Annotated[Path, typer.Option(help="Markdown file with the markers of section 'learners'.")] = PAGE,
) -> None:
    """Compare learners with those of the peers, and write the figures into the page."""
    if not PEERS_PYTHON.exists():
        raise InputError(f"{PEERS_PYTHON} does not exist", remedy="make peers")
    head, parts, records, versions = circumstances("benchmarks.learners"), [], [], {}
    for users in rows:
        answers = compare(cases(base), users, repeats)
        parts += tables(answers, users)
        versions |= {case.library: found.version for case, found in answers.items() if case.library in PEERS}
        records += [{"users": users, **asdict(case), **asdict(found)} for case, found in answers.items()]
        if output:
            output.write_text(json.dumps({"circumstances": head, "answers": records}, indent=1))
    peers = ", ".join(f"{library} {version}" for library, version in versions.items())
    content = "\n\n".join([f"{head}\nPeers: {peers}.", *parts])
    print(content)
    write_section(page, "learners", content)


if __name__ == "__main__":
    run_command(main)
