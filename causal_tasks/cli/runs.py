"""Commands that run experiments, whole or stage by stage, and show what came out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from causal_tasks.cli import terminal
from causal_tasks.cli.terminal import Lake, Revision, experiment_address, settings_of
from causal_tasks.errors import InputError
from causal_tasks.pipelines import MINE, PIPELINES, Pipeline
from causal_tasks.pipelines.execution import StageResult, load_experiment, require_ready, run_pipeline, run_stage
from causal_tasks.run_folder import Failure, RunFolder
from causal_tasks.settings import Settings


def run(
    experiment: Annotated[str, typer.Argument(help="Id of an experiment in the lake, or its file (JSON or YAML).")],
    lake: Lake = None,
    revision: Revision = None,
) -> None:
    """Mine one finished experiment here, without Airflow."""
    settings = settings_of(lake)
    stated = load_experiment(experiment_address(experiment), settings, revision=revision)
    require_ready(stated)
    folder = RunFolder.open(stated, settings)
    bar = Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=terminal.errors,
    )
    with bar:
        task = bar.add_task("starting", total=len(MINE.stages))
        finished: set[str] = set()

        def show(stage: str, item: str | None, result: StageResult | None) -> None:
            if result:
                finished.add(stage)
            bar.update(task, description=f"{stage} {item or ''}".strip(), completed=len(finished))

        run_pipeline(MINE, folder, progress=show)
        bar.update(task, description="done", completed=len(MINE.stages))
    _summarise(folder)


def _summarise(folder: RunFolder) -> None:
    language = folder.experiment.delivery.languages[0]
    result = folder.storage.read_json(f"{folder.uri}/result.json")
    terminal.console.print(f"\n{result['verdict']['headline'][language]}", style="bold", markup=False, highlight=False)
    terminal.console.print(result["verdict"]["action"][language], markup=False)
    for row in result["subpopulations"]:
        _print_subpopulation(row, language)
    terminal.console.print(f"\nreport: {folder.uri}/report.html", highlight=False, soft_wrap=True)


def _print_subpopulation(row: dict[str, Any], language: str) -> None:
    low, high = row["effect"]["interval"]
    terminal.console.print(f"\n{row['words'][language]}", markup=False, highlight=False)
    terminal.console.print(
        f"  {row['grade']}: {row['effect']['estimate']:+.4g} [{low:.4g}, {high:.4g}], "
        f"{row['share']:.1%} of users, q {row['q_value']:.2g}",
        markup=False,
        highlight=False,
    )


def stage(
    name: Annotated[str, typer.Argument(help="Name of the stage.")],
    experiment: Annotated[str | None, typer.Option(help="Id or file: opens the run folder (first stage).")] = None,
    run: Annotated[str | None, typer.Option(help="URI of an open run folder (later stages).")] = None,
    input: Annotated[list[str] | None, typer.Option(help="URI of a manifest that the stage reads; repeat.")] = None,  # noqa: A002
    item: Annotated[str | None, typer.Option(help="What a mapped stage is mapped over.")] = None,
    pipeline: Annotated[str, typer.Option(help="Graph that declares the stage.")] = MINE.name,
    result: Annotated[
        Path | None, typer.Option(help="File for the result, or the failure, instead of printing it.")
    ] = None,
    lake: Lake = None,
    revision: Revision = None,
) -> None:
    """Run one stage; prints its result as one line of JSON ("null" where there was nothing to do)."""
    with _failure_written(result, stage=name, item=item):
        folder = _stage_folder(experiment, run, settings_of(lake), revision)
        finished = run_stage(_declared(pipeline, name), name, run=folder, inputs=input or [], item=item)
    line = finished.model_dump_json() if finished else "null"
    if result:
        result.write_text(line, encoding="utf-8")
    else:
        typer.echo(line)


@contextmanager
def _failure_written(file: Path | None, *, stage: str, item: str | None) -> Iterator[None]:
    """Leave why the block failed in ``file``: a stage may fail before it has a folder for its record."""
    try:
        yield
    except Exception as error:
        if file:
            file.write_text(Failure.of(error, stage=stage, item=item).model_dump_json(), encoding="utf-8")
        raise


def _stage_folder(experiment: str | None, run: str | None, settings: Settings, revision: int | None) -> RunFolder:
    if (experiment is None) == (run is None):
        raise InputError("a stage belongs to one run", remedy="give either --experiment or --run")
    if experiment is not None:
        return RunFolder.open(load_experiment(experiment_address(experiment), settings, revision=revision), settings)
    return RunFolder.existing(str(run), settings)


def _declared(pipeline: str, name: str) -> Pipeline:
    """The pipeline of that name, which has that stage."""
    if pipeline not in PIPELINES:
        raise InputError(f"there is no pipeline {pipeline!r}", remedy=f"use one of {', '.join(PIPELINES)}")
    known = [declared.name for declared in PIPELINES[pipeline].stages]
    if name not in known:
        raise InputError(f"pipeline {pipeline!r} has no stage {name!r}", remedy=f"use one of {', '.join(known)}")
    return PIPELINES[pipeline]


def message(
    experiment: Annotated[str, typer.Argument(help="Id of a mined experiment in the lake, or its file.")],
    lake: Lake = None,
    revision: Revision = None,
) -> None:
    """Print the message that the group gets, in every language of the report."""
    settings = settings_of(lake)
    stated = load_experiment(experiment_address(experiment), settings, revision=revision)
    folder = RunFolder.open(stated, settings)
    result = folder.storage.read_json(f"{folder.uri}/result.json")
    from causal_tasks.report.message import result_messages

    for language in stated.delivery.languages:
        for payload in result_messages(result, language, f"{folder.uri}/report.html"):
            terminal.show(payload[payload["msgtype"]].get("content", ""))
