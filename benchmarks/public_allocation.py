"""``python -m benchmarks.public_allocation``: methods on public files in full, by the protocol that was published.

No file is at hand where this is developed but for samples: who has downloaded one passes its path, and is told which
were not given and so not run. Prints Markdown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from benchmarks.allocation.experiments import RealExperiment, hillstrom, lazada
from benchmarks.allocation.real_data import compare, described, forecast_all
from benchmarks.document import circumstances, table
from benchmarks.interruption import run_command
from causal_tasks.allocation.cost_curves import aucc, predicted_return
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.methods import budget_model
from causal_tasks.allocation.responses import Responses
from causal_tasks.errors import InputError

CRITEO_METHODS = (
    "two_stage_network",
    "two_stage_s_lightgbm",
    "two_stage_t_lightgbm",
    "pooled",
    "decision_factor",
    "decision_focused",
    "bilevel",
)
OTHER_METHODS = ("two_stage_t_lightgbm", "two_stage_network", "decision_factor", "decision_focused", "clusters")

POLICY_MODEL = "two_stage_network"
"""Plays the marketing policy whose decisions make the logs."""

PARTS = {"policy": 0.05, "logs": 0.5, "train": 0.05, "validation": 0.1, "test": 0.3}
"""Of the rows of Criteo's file, as printed; they add up to 1."""

BUDGETS = (0.15, 0.3, 0.45)
"""For methods that are trained for budgets: of the way from what control costs to what treating everybody costs."""

FEATURES = tuple(f"f{k}" for k in range(12))

PUBLISHED = {
    "two_stage_network": "TSM-SL 0.7143 ± 0.0299",
    "pooled": "TSM-SL on both 0.7438 ± 0.0032",
    "decision_factor": "DHCL 0.7278 ± 0.0358",
    "decision_focused": "DFCL 0.7416 ± 0.0170 to 0.7441 ± 0.0233",
    "bilevel": "Bi-DFCL 0.7797 ± 0.0094 to 0.7812 ± 0.0084",
}
"""AUCC on the hybrid split, 20 runs, Bi-DFCL paper (2025)."""


@dataclass(frozen=True, slots=True)
class HybridSplit:
    """Criteo's file as a small experiment and a large log of a policy's decisions.

    Attributes:
        logs: Rows of the part ``logs`` in which the logged arm is the one that the policy would have chosen.
        train: Randomised rows to learn from.
        validation: Randomised rows.
        test: Randomised rows.
    """

    logs: Responses
    train: Responses
    validation: Responses
    test: Responses


def hybrid_split(rows: pd.DataFrame, *, policy_model: str = POLICY_MODEL, seed: int = 0) -> HybridSplit:
    """Build the experiment and the logs.

    A model fitted on 5 % of the rows ranks those of the part ``logs`` by predicted return; the policy treats the better
    half. (The paper does not print the share; a half is what its number of logged rows implies.)

    Source: Bi-DFCL, NeurIPS 2025 (arXiv 2510.19517), appendix on Criteo's hybrid data.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    borders = np.round(np.cumsum(list(PARTS.values())) * len(rows)).astype(int)[:-1]
    parts = dict(zip(PARTS, np.split(order, borders), strict=True))
    policy = budget_model(policy_model, random_state=seed).fit_responses(responses(rows.iloc[parts["policy"]]))
    candidates = rows.iloc[parts["logs"]]
    score = predicted_return(policy.predict(candidates[list(FEATURES)]))
    kept = candidates["treatment"].to_numpy() == (score > np.median(score))
    experiment = {name: responses(rows.iloc[parts[name]]) for name in ("train", "validation", "test")}
    return HybridSplit(responses(candidates[kept]), **experiment)


def responses(rows: pd.DataFrame) -> Responses:
    """Reward is conversion, cost is visit."""
    numbers = rows[["conversion", "visit"]].to_numpy(dtype=float)
    treatment = rows["treatment"].to_numpy()
    return Responses.checked(rows[list(FEATURES)], numbers[:, 0], treatment, cost=numbers[:, 1], arms=(0, 1))


def criteo(rows: pd.DataFrame, methods: Sequence[str], *, runs: int, policy_model: str = POLICY_MODEL) -> str:
    """AUCC of every method on validation and test rows, the mean and standard deviation over runs."""
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    for seed in range(runs):
        split = hybrid_split(rows, policy_model=policy_model, seed=seed)
        for name in methods:
            model = budget_model(name, budgets=budgets_of(split.train), random_state=seed)
            model.fit_responses(split.train, logs=split.logs if model.USES_LOGS else None)
            validation, test = (area(model.predict(part.X), part) for part in (split.validation, split.test))
            scores[name].append((validation, test))
    lines = []
    for name, found in scores.items():
        values = np.array(found)
        told = [f"{mean:.4f} ± {sd:.4f}" for mean, sd in zip(values.mean(0), values.std(0, ddof=1), strict=True)]
        lines.append([name, *told, PUBLISHED.get(name, "")])
    said = (
        f"{len(rows):,} rows, {runs} random splits. AUCC as the papers compute it (200 points); reward conversion, "
        "cost visit. Methods learn from the part `train` alone and hold out some of it to stop by, so they see less "
        "than the published ones, which chose checkpoints on the part `validation`."
    )
    return f"{said}\n\n{table(['method', 'validation', 'test', 'published, test'], lines)}"


def budgets_of(train: Responses) -> tuple[float, ...]:
    """``BUDGETS`` in units of cost."""
    control, treated = (float(train.cost[train.arm == arm].mean()) for arm in (0, 1))
    return tuple(control + share * (treated - control) for share in BUDGETS)


def area(forecast: Forecast, part: Responses) -> float:
    """AUCC, the paper's definition."""
    return aucc(part.outcome, part.cost, predicted_return(forecast), part.arm)


def other(experiment: RealExperiment, methods: Sequence[str]) -> str:
    """Gains at budgets, each unit forecast by models of the other half."""
    forecasts, refused = forecast_all(experiment, methods)
    told = described(experiment, compare(experiment, forecasts))
    return "\n\n".join([*told, *(f"{name} does not apply: {reason}." for name, reason in refused.items())])


def read_rows(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A CSV or Parquet file's columns; numbers of a CSV in single precision.

    Raises:
        InputError: There is no such file, or it lacks a column.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}", remedy="pass the file as it was downloaded")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path, columns=list(columns))
        return pd.read_csv(path, usecols=list(columns), dtype=dict.fromkeys(columns, np.float32))
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: {error}", remedy="pass the file as it was published") from error


def main(
    criteo_file: Annotated[Path | None, typer.Option("--criteo", help="Criteo uplift v2.1, all rows.")] = None,
    lazada_file: Annotated[Path | None, typer.Option("--lazada", help="DESCN's randomised Lazada file.")] = None,
    hillstrom_file: Annotated[Path | None, typer.Option("--hillstrom", help="MineThatData e-mail challenge.")] = None,
    runs: Annotated[int, typer.Option(help="Random splits of Criteo; 20 were published.", min=2)] = 3,
) -> None:
    """Run the methods on the files that are given."""
    print(circumstances("benchmarks.public_allocation"))
    missing = []
    if criteo_file is None:
        missing.append("Criteo")
    else:
        rows = read_rows(criteo_file, (*FEATURES, "treatment", "conversion", "visit"))
        print(f"\n## Criteo\n\n{criteo(rows, CRITEO_METHODS, runs=runs)}")
    for title, path, read in (("Lazada", lazada_file, lazada), ("Hillstrom", hillstrom_file, hillstrom)):
        if path is None:
            missing.append(title)
        else:
            print(f"\n## {title}\n\n{other(read(path), OTHER_METHODS)}")
    if missing:
        print(f"\nNot given and so not run: {', '.join(missing)}.")
    print("\nNever public, so run nowhere: the marketing data of Meituan.")


if __name__ == "__main__":
    run_command(main)
