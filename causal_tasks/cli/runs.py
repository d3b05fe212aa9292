"""Commands that run experiments, whole or stage by stage, and show what came out."""

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from causal_tasks.cli import terminal
from causal_tasks.cli.terminal import Lake, Revision, experiment_address, settings_of, stages_bar
from causal_tasks.errors import CausalTasksError, InputError
from causal_tasks.pipelines import MINE, PIPELINES, Pipeline
from causal_tasks.pipelines.execution import (
    Outcome,
    decisive_error,
    load_experiment,
    require_ready,
    run_items,
    run_pipeline,
)
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
    run_with_progress(MINE, folder)
    _summarise(folder)


def run_with_progress(pipeline: Pipeline, folder: RunFolder) -> None:
    """Run every stage here, showing which one is at work."""
    with stages_bar() as bar:
        task = bar.add_task("starting", total=len(pipeline.stages))
        finished: set[str] = set()

        def show(stage: str, item: str | None, outcome: Outcome | None) -> None:
            if outcome and outcome.result:
                finished.add(stage)
            bar.update(task, description=f"{stage} {item or ''}".strip(), completed=len(finished))

        run_pipeline(pipeline, folder, progress=show)
        bar.update(task, description="done", completed=len(pipeline.stages))


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
    item: Annotated[
        list[str] | None, typer.Option(help="What a mapped stage is mapped over; repeat to share what they read.")
    ] = None,
    pipeline: Annotated[str, typer.Option(help="Graph that declares the stage.")] = MINE.name,
    result: Annotated[
        Path | None, typer.Option(help="File for the results, failures too, instead of printing them.")
    ] = None,
    lake: Lake = None,
    revision: Revision = None,
) -> None:
    """Run one stage; each item that ends prints its result as one line of JSON ("null": there was nothing to do)."""
    items: list[str | None] = [*item] if item else [None]
    if result:
        result.write_text("", encoding="utf-8")
    ended: list[Outcome] = []

    def tell(_stage: str, _item: str | None, outcome: Outcome | None) -> None:
        if outcome:
            ended.append(outcome)
            _write(name, outcome, result)

    try:
        folder = _stage_folder(experiment, run, settings_of(lake), revision)
        run_items(_declared(pipeline, name), name, run=folder, inputs=input or [], items=items, progress=tell)
    except Exception as error:
        for one in items[len(ended) :]:
            _write(name, Outcome(one, error=error), result)
        raise
    if decisive := decisive_error(ended):
        _print_beside(decisive, ended)
        raise decisive


def _write(stage: str, outcome: Outcome, file: Path | None) -> None:
    """One line for an item that has ended, a failure in a file only: it is printed as an error."""
    if outcome.error:
        line = Failure.of(outcome.error, stage=stage, item=outcome.item).model_dump_json()
    else:
        line = outcome.result.model_dump_json() if outcome.result else "null"
    if file:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(f"{line}\n")
    elif not outcome.error:
        typer.echo(line)


def _print_beside(raised: Exception, ended: Sequence[Outcome]) -> None:
    """Print what the error that is raised does not say: the other items' errors, and which items failed."""
    for error in (outcome.error for outcome in ended if outcome.error is not raised):
        if isinstance(error, CausalTasksError):
            terminal.errors.print(str(error), markup=False, highlight=False)
        elif error:
            traceback.print_exception(error)
    if isinstance(raised, CausalTasksError):
        for note in getattr(raised, "__notes__", []):
            terminal.errors.print(note, markup=False, highlight=False)


def _stage_folder(experiment: str | None, run: str | None, settings: Settings, revision: int | None) -> RunFolder:
    if (experiment is None) == (run is None):
        raise InputError("a stage belongs to one run", remedy="give either --experiment or --run")
    if experiment is not None:
        return RunFolder.open(load_experiment(experiment_address(experiment), settings, revision=revision), settings)
    return RunFolder.existing(str(run), settings)


def _declared(pipeline: str, name: str) -> Pipeline:
    """The pipeline of that name, which has that stage."""
    declared = _known(pipeline)
    known = [stage.name for stage in declared.stages]
    if name not in known:
        raise InputError(f"pipeline {pipeline!r} has no stage {name!r}", remedy=f"use one of {', '.join(known)}")
    return declared


def _known(pipeline: str) -> Pipeline:
    if pipeline not in PIPELINES:
        raise InputError(f"there is no pipeline {pipeline!r}", remedy=f"use one of {', '.join(PIPELINES)}")
    return PIPELINES[pipeline]


def message(
    experiment: Annotated[str, typer.Argument(help="Id of an experiment in the lake that was run, or its file.")],
    pipeline: Annotated[str, typer.Option(help="Graph whose message is wanted.")] = MINE.name,
    lake: Lake = None,
    revision: Revision = None,
) -> None:
    """Print the message that the group gets, in every language of the report."""
    settings, declared = settings_of(lake), _known(pipeline)
    stated = load_experiment(experiment_address(experiment), settings, revision=revision)
    folder = RunFolder.open(stated, settings)
    uri = f"{folder.uri}/{declared.published('result')}"
    try:
        result = folder.storage.read_json(uri)
    except FileNotFoundError as error:
        raise InputError(f"there is no result at {uri}", remedy="run it first") from error
    for language in stated.delivery.languages:
        for payload in declared.tell()(result, language, f"{folder.uri}/{declared.published('report')}"):
            terminal.show(payload[payload["msgtype"]].get("content", ""))
