"""One engine answers one question once, in a process of its own; prints what it took as one line of JSON."""

import json
import time
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import pyarrow.parquet as pq
import typer

from benchmarks.engines import ENGINES
from benchmarks.engines.question import ask
from causal_tasks.pipelines.execution import load_experiment
from causal_tasks.settings import Settings


def main(
    engine: Annotated[str, typer.Argument(help=f"One of {', '.join(ENGINES)}.")],
    task: Annotated[Literal["join", "write"], typer.Argument(help="Leave the rows in memory, or on disk, sorted.")],
    experiment: Annotated[str, typer.Argument(help="Id in the lake of the settings.")],
    target: Annotated[Path | None, typer.Option(help="Where the rows go; 'join' needs none.")] = None,
) -> None:
    """Answer the question."""
    settings = Settings()
    question = ask(load_experiment(experiment, settings), settings)
    module = import_module(ENGINES[engine])
    wall, cpu = time.perf_counter(), time.process_time()
    result = module.join(question) if task == "join" else module.write(question, target)
    taken = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    if task == "join" and target:
        pq.write_table(module.to_arrow(result), target)
    typer.echo(json.dumps(taken))


if __name__ == "__main__":
    typer.run(main)
