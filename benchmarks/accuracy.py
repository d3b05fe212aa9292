"""``python -m benchmarks.accuracy``: how near learners come to known effects, and how well they rank real users.

Simulated experiments and IHDP, whose effects are known, beside causalml and EconML; twins and Starbucks' promotion,
whose users are ranked, beside causalml. All learners of a part have the same base models with the same parameters.
"""

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from benchmarks.document import circumstances, table, write_section
from benchmarks.interruption import run_command
from benchmarks.problems import DESIGNS, FOLDS, KnownTruth, Matrix, Problem, Ranked, ihdp, starbucks, twins
from benchmarks.processes import measure
from causal_tasks.base_models import LightGBM, RandomForest, XGBoost
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc, qini, uplift_at

OURS = "causal_tasks"
ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "accuracy.md"
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
THREADS = 2

BASES: Mapping[str, Any] = {"lightgbm": LightGBM, "xgboost": XGBoost, "random_forest": RandomForest}
NETWORKS = ("dual_head", "dragon_net")
CANDIDATES = (*(f"{learner}_{base}" for learner in ("s", "t", "x", "r", "dr") for base in BASES), *NETWORKS)
SAME = "same for everybody"
"""The difference in means as everybody's effect: what a learner has to beat."""

FEW_ROWS = {"min_child_samples": 5}
"""For IHDP: none of the 111 treated could be told apart with leaves of 100 or 200 rows."""

Scores = dict[str, list[float]]
"""One value per draw, realisation or fold, by measure."""

Records = dict[str, dict[str, Scores]]
"""By candidate and library."""


@dataclass(frozen=True, slots=True)
class Part:
    """Problems of one kind with one table.

    Attributes:
        problems: What is solved, all with equal parameters.
        score: Measures of predicted effects, shape (m, K), on a problem.
        peers: Whom else to ask, and with which learners.
        error: Standard error of the mean of one measure's values.
        measures: Title and digits by measure.
        parameters: Of base models, in place of their defaults.
    """

    problems: Sequence[KnownTruth] | Sequence[Ranked]
    score: Callable[[Any, Matrix], Mapping[str, float]]
    peers: Mapping[str, Sequence[str]]
    error: Callable[[Sequence[float]], float]
    measures: Mapping[str, tuple[str, int]]
    parameters: Mapping[str, Any]


def errors(truth: KnownTruth, effects: Matrix) -> dict[str, float]:
    """Root mean squared error of the effects (PEHE) and error of their mean, as they are and by their true spread."""
    pehe = float(np.sqrt(np.mean((effects - truth.effect) ** 2)))
    ate = float(np.abs(effects.mean(axis=0) - truth.effect.mean(axis=0)).mean())
    spread = float(truth.effect.std()) or math.nan
    return {"pehe": pehe, "ate_error": ate, "pehe_by_spread": pehe / spread, "ate_error_by_spread": ate / spread}


def ranking(ranked: Ranked, effects: Matrix) -> dict[str, float]:
    """AUUC per user and the effect on the best 30 % in points, scikit-uplift's Qini coefficient in per cent."""
    seen = (ranked.outcome, effects[ranked.user, 0], ranked.arm)
    return {
        "auuc": 100 * auuc(*seen),
        "qini": 100 * qini(*seen, definition="sklift"),
        "uplift_at_30": 100 * uplift_at(*seen, share=0.3),
    }


def error_of_draws(values: Sequence[float]) -> float:
    """Of a mean of independent values."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def error_of_folds(values: Sequence[float]) -> float:
    """Of a mean over repeated cross-validation, whose folds share the users that were learned from.

    Source: Nadeau and Bengio (2003), the corrected resampled t-test: variance times 1/J + n_test / n_train.
    """
    return float(np.std(values, ddof=1) * np.sqrt(1 / len(values) + 1 / (FOLDS - 1)))


def same_for_everybody(problem: Problem) -> Matrix:
    """The difference in means of every treatment as everybody's effect, shape (m, K)."""
    means = [problem.outcome[problem.arm == arm].mean() for arm in range(int(problem.arm.max()) + 1)]
    return np.tile(np.array(means[1:]) - means[0], (len(problem.new), 1))


def solve(part: Part, candidates: Sequence[str]) -> tuple[Records, dict[str, Any]]:
    """Scores of all candidates of all libraries; and each library's version and CPU seconds by candidate.

    Raises:
        MeasurementError: A library failed.
    """
    asked = {OURS: list(candidates)}
    asked |= {library: [name for name in candidates if _is(name, has)] for library, has in part.peers.items()}
    parameters = {name: _deciding(base, part.parameters) for name, base in BASES.items()}
    records: Records = {SAME: {OURS: {}}} | {name: {} for name in candidates}
    told = {}
    for given in part.problems:
        _keep(records[SAME][OURS], part.score(given, same_for_everybody(given.problem)))
    with TemporaryDirectory(prefix="benchmark-accuracy-") as name:
        folder = Path(name)
        plan = {"candidates": asked, "parameters": parameters, "threads": THREADS}
        (folder / "plan.json").write_text(json.dumps(plan))
        for number, given in enumerate(part.problems):
            given.problem.write(folder / f"{number:03d}.npz")
        for library in asked:
            told[library] = _run(library, folder)
            _say(f"  {library}: {sum(told[library]['cpu_seconds'].values()):.0f} CPU s")
            for number, given in enumerate(part.problems):
                with np.load(folder / library / f"{number:03d}.npz") as effects:
                    for candidate in effects:
                        _keep(records[candidate].setdefault(library, {}), part.score(given, effects[candidate]))
    return records, told


def _is(name: str, learners: Sequence[str]) -> bool:
    return name not in NETWORKS and name.partition("_")[0] in learners


def _deciding(base: Any, changed: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a base model, with some of them changed where it has them."""
    own = base().get_params()
    return {name: changed.get(name, own[name]) for name in own if name not in {"device", "n_jobs", "random_state"}}


def _keep(scores: Scores, found: Mapping[str, float]) -> None:
    for measure_, value in found.items():
        scores.setdefault(measure_, []).append(value)


def _run(library: str, folder: Path) -> Any:
    python = sys.executable if library == OURS else str(PEERS_PYTHON)
    environment = os.environ | {
        "OMP_NUM_THREADS": str(THREADS),
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": str(ROOT),
    }
    output = measure([python, "-m", "benchmarks.peers.effects", library, str(folder)], environment)[1]
    return json.loads(output.splitlines()[-1])


def scores_table(part: Part, records: Records) -> str:
    """Every candidate's mean scores with their errors, ours beside the peers'."""
    columns = [(measure_, library) for measure_ in part.measures for library in (OURS, *part.peers)]
    header = ["", *(f"{part.measures[measure_][0]}: {library}" for measure_, library in columns)]
    rows = []
    for name, libraries in records.items():
        cells = (_told(part, measure_, libraries.get(library, {})) for measure_, library in columns)
        rows.append([name, *cells])
    return table(header, rows)


def differences_table(part: Part, records: Records) -> str:
    """Ours minus the peer's on the same folds or draws, candidate by candidate."""
    columns = [(measure_, library) for measure_ in part.measures for library in part.peers]
    header = [
        "ours minus theirs",
        *(f"{part.measures[measure_][0]}: {library}" for measure_, library in columns),
    ]
    rows = []
    for name, libraries in records.items():
        pairs = [(libraries[OURS], libraries.get(library, {}), measure_) for measure_, library in columns]
        if any(theirs for _, theirs, _ in pairs):
            rows.append([name, *(_told(part, by, _difference(own, theirs, by)) for own, theirs, by in pairs)])
    return table(header, rows)


def _difference(own: Scores, theirs: Scores, measure_: str) -> Scores:
    if measure_ not in theirs:
        return {}
    return {measure_: [a - b for a, b in zip(own[measure_], theirs[measure_], strict=True)]}


def _told(part: Part, measure_: str, scores: Scores) -> str:
    if measure_ not in scores:
        return ""
    digits, values = part.measures[measure_][1], scores[measure_]
    return f"{np.mean(values):.{digits}f} ± {part.error(values):.{digits}f}"


def parts_of(section: str, data: Path, rows: int, seeds: int, repeats: int) -> Iterator[tuple[str, Part]]:
    """The parts of a section of the page, by title."""
    meta, effects = ("s", "t", "x", "r", "dr"), {"pehe": ("PEHE", 3), "ate_error": ("ATE error", 3)}
    if section == "simulated":
        for title, design in DESIGNS.items():
            drawn = [design.draw(rows, seed) for seed in range(seeds)]
            # EconML's R-learner of any model takes one treatment only.
            single = drawn[0].effect.shape[1] == 1
            peers = {"causalml": meta, "econml": meta if single else ("s", "t", "x", "dr")}
            yield title, Part(drawn, errors, peers, error_of_draws, effects, {})
    elif section == "ihdp":
        drawn = list(ihdp(pd.read_csv(data / "ihdp_npci_1_10.csv.gz")))
        measures = effects | {"pehe_by_spread": ("PEHE / spread", 3)}
        peers = dict.fromkeys(("causalml", "econml"), meta)
        yield "IHDP", Part(drawn, errors, peers, error_of_draws, measures, FEW_ROWS)
    else:
        file, read = RANKED[section]
        folds = list(read(pd.read_csv(data / file), repeats))
        measures = {"auuc": ("AUUC", 3), "qini": ("Qini, %", 2), "uplift_at_30": ("uplift at 30 %", 2)}
        yield section, Part(folds, ranking, {"causalml": ("s", "t", "x")}, error_of_folds, measures, {})


RANKED = {"twins": ("twins_pairs.csv.gz", twins), "starbucks": ("starbucks_promo.csv.gz", starbucks)}
SECTIONS = ("simulated", "ihdp", *RANKED)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(
    data: Annotated[Path, typer.Option(envvar="CAUSAL_TEST_DATA", help="Folder of the public data sets.")],
    only: Annotated[list[str], typer.Option(help="Sections; can be repeated.")] = list(SECTIONS),  # noqa: B006
    rows: Annotated[int, typer.Option(help="Users of a simulated experiment.")] = 20_000,
    seeds: Annotated[int, typer.Option(min=2, help="Draws of each simulated experiment.")] = 3,
    repeats: Annotated[int, typer.Option(min=1, help="Cross-validations of the ranked data sets.")] = 2,
    candidate: Annotated[list[str], typer.Option(help="Candidates; can be repeated.")] = list(CANDIDATES),  # noqa: B006
    output: Annotated[Path | None, typer.Option("--json", help="File for the score of every draw and fold.")] = None,
    page: Annotated[Path, typer.Option(help="Markdown file with markers of every section.")] = PAGE,
) -> None:
    """Compare learners with the truth and with each other, and write the tables into the page."""
    if unknown := set(only) - set(SECTIONS):
        raise InputError(f"there is no section {sorted(unknown)}", remedy=f"use some of {', '.join(SECTIONS)}")
    if not PEERS_PYTHON.exists():
        raise InputError(f"{PEERS_PYTHON} does not exist", remedy="make peers")
    head, kept = circumstances("benchmarks.accuracy"), {}
    for section in only:
        texts, versions = [], {}
        for title, part in parts_of(section, data, rows, seeds, repeats):
            _say(f"{section}: {title}, {len(part.problems)} problems")
            records, told = solve(part, candidate)
            versions |= {library: found["version"] for library, found in told.items()}
            kept[f"{section}: {title}"] = {"scores": records, "libraries": told}
            texts += [f"**{title}**", scores_table(part, records), differences_table(part, records)]
            if output:
                output.write_text(json.dumps({"circumstances": head, "parts": kept}, indent=1))
        peers = ", ".join(f"{library} {number}" for library, number in versions.items() if library != OURS)
        content = "\n\n".join([f"{head}\nPeers: {peers}.", *texts])
        print(content)
        write_section(page, f"accuracy-{section}", content)


if __name__ == "__main__":
    run_command(main)
