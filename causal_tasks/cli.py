"""The command line: everything the library does, for people and for other processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

# Before any OpenMP library loads: threads that spin while they wait slow down fits that share cores up to 80 times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from causal_tasks.errors import CausalTasksError, InputError
from causal_tasks.experiment import Experiment, Mining
from causal_tasks.lake import experiment_uri, truth_uri
from causal_tasks.pipelines import MINE, PIPELINES, Pipeline
from causal_tasks.pipelines.execution import StageResult, load_experiment, require_ready, run_pipeline, run_stage
from causal_tasks.run_folder import Failure, RunFolder
from causal_tasks.settings import Settings
from causal_tasks.storage import Uri

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)
console = Console()
errors = Console(stderr=True)

Lake = Annotated[str | None, typer.Option(help="Root of all data: s3://bucket or a folder. Default: CAUSAL_LAKE.")]
Revision = Annotated[int | None, typer.Option(help="Replaces the revision that the experiment states.")]


def main() -> None:
    """Run the command line; a known error prints its cause and remedy and exits with 2 (wrong input) or 1."""
    try:
        app()
    except CausalTasksError as error:
        errors.print(f"[bold red]{type(error).__name__}[/]: ", end="")
        errors.print(error.message, markup=False, highlight=False)
        if error.remedy:
            errors.print(f"What to do: {error.remedy}", markup=False, highlight=False)
        raise SystemExit(2 if isinstance(error, InputError) else 1) from None


def _uri(address: str) -> Uri:
    """An address as it is, a path as the ``file://`` address that ``Storage`` reads: nothing is encoded in it."""
    return address if "://" in address else f"file://{Path(address).resolve()}"


def _settings(lake: str | None) -> Settings:
    return Settings(lake=_uri(lake)) if lake else Settings()


def _experiment_address(experiment: str) -> str:
    return _uri(experiment) if Path(experiment).is_file() else experiment


@app.command()
def run(
    experiment: Annotated[str, typer.Argument(help="Id of an experiment in the lake, or its file (JSON or YAML).")],
    lake: Lake = None,
    revision: Revision = None,
) -> None:
    """Mine one finished experiment here, without Airflow."""
    settings = _settings(lake)
    stated = load_experiment(_experiment_address(experiment), settings, revision=revision)
    require_ready(stated)
    folder = RunFolder.open(stated, settings)
    bar = Progress(
        TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=errors
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
    console.print(f"\n{result['verdict']['headline'][language]}", style="bold", markup=False, highlight=False)
    console.print(result["verdict"]["action"][language], markup=False)
    for row in result["subpopulations"]:
        _print_subpopulation(row, language)
    console.print(f"\nreport: {folder.uri}/report.html", highlight=False, soft_wrap=True)


def _print_subpopulation(row: dict[str, Any], language: str) -> None:
    low, high = row["effect"]["interval"]
    console.print(f"\n{row['words'][language]}", markup=False, highlight=False)
    console.print(
        f"  {row['grade']}: {row['effect']['estimate']:+.4g} [{low:.4g}, {high:.4g}], "
        f"{row['share']:.1%} of users, q {row['q_value']:.2g}",
        markup=False,
        highlight=False,
    )


@app.command()
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
        folder = _stage_folder(experiment, run, _settings(lake), revision)
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
        return RunFolder.open(load_experiment(_experiment_address(experiment), settings, revision=revision), settings)
    return RunFolder.existing(str(run), settings)


def _declared(pipeline: str, name: str) -> Pipeline:
    """The pipeline of that name, which has that stage."""
    if pipeline not in PIPELINES:
        raise InputError(f"there is no pipeline {pipeline!r}", remedy=f"use one of {', '.join(PIPELINES)}")
    known = [declared.name for declared in PIPELINES[pipeline].stages]
    if name not in known:
        raise InputError(f"pipeline {pipeline!r} has no stage {name!r}", remedy=f"use one of {', '.join(known)}")
    return PIPELINES[pipeline]


@app.command()
def message(
    experiment: Annotated[str, typer.Argument(help="Id of a mined experiment in the lake, or its file.")],
    lake: Lake = None,
    revision: Revision = None,
) -> None:
    """Print the message that the group gets, in every language of the report."""
    settings = _settings(lake)
    stated = load_experiment(_experiment_address(experiment), settings, revision=revision)
    folder = RunFolder.open(stated, settings)
    result = folder.storage.read_json(f"{folder.uri}/result.json")
    from causal_tasks.report.message import result_messages

    for language in stated.delivery.languages:
        for payload in result_messages(result, language, f"{folder.uri}/report.html"):
            console.print(payload[payload["msgtype"]].get("content", ""), markup=False, highlight=False, soft_wrap=True)


@app.command()
def simulate(
    experiment_id: Annotated[str, typer.Option(help="Id of the experiment to make.")] = "music_autoplay",
    users: Annotated[int, typer.Option(help="Users in the experiment.", min=100)] = 100_000,
    treatments: Annotated[int, typer.Option(help="Treatment arms beside control.", min=1, max=4)] = 1,
    effect: Annotated[float, typer.Option(help="Scale of the planted effects; 0 plants none.", min=0, max=2)] = 1.0,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 7,
    candidate: Annotated[list[str] | None, typer.Option(help="Model to train; repeat. Default: all.")] = None,
    trials: Annotated[int, typer.Option(help="Tuning trials of a finalist.", min=1)] = Mining().trials,
    lake: Lake = None,
) -> None:
    """Write a music-streaming experiment with planted subpopulations into the lake."""
    from causal_tasks.data.simulate import simulate_experiment

    settings = _settings(lake)
    arms = ("treatment",) if treatments == 1 else tuple(f"treatment_{k}" for k in range(1, treatments + 1))
    mining = Mining(candidates=tuple(candidate) if candidate else Mining().candidates, trials=trials)
    made: Experiment = simulate_experiment(
        settings, experiment_id=experiment_id, users=users, treatments=arms, effect=effect, seed=seed, mining=mining
    )
    console.print(f"experiment: {experiment_uri(made.experiment_id, settings)}", highlight=False, soft_wrap=True)
    console.print(f"truth:      {truth_uri(made.experiment_id, settings)}", highlight=False, soft_wrap=True)


@app.command(name="import")
def import_dataset(
    layout: Annotated[str, typer.Argument(help="Public data set: hillstrom, criteo, lazada or starbucks.")],
    file: Annotated[str, typer.Argument(help="Its file as it was published (CSV, .csv.gz or Parquet), or a URI.")],
    experiment_id: Annotated[str | None, typer.Option(help="Id of the experiment to write. Default: LAYOUT.")] = None,
    lake: Lake = None,
) -> None:
    """Copy a public data set into the lake and state its experiment."""
    from causal_tasks.data.public import import_public

    made = import_public(layout, _uri(file), _settings(lake), experiment_id=experiment_id)
    for remark in made.remarks:
        console.print(f"note:       {remark}", markup=False, highlight=False, soft_wrap=True)
    users = f"{made.rows:,} users"
    console.print(f"dataset:    {made.dataset_uri} ({users})", markup=False, highlight=False, soft_wrap=True)
    console.print(f"experiment: {made.experiment_uri}", markup=False, highlight=False, soft_wrap=True)
    next_command = f"causal-tasks run {made.experiment.experiment_id}" + (f" --lake {lake}" if lake else "")
    console.print(f"next:       {next_command}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def doctor(lake: Lake = None) -> None:
    """Check that this machine and the lake are fit for a run; exits with 1 where they are not."""
    from causal_tasks.doctor import examine

    findings = examine(_settings(lake))
    table = Table("what", "found", "", "what to do")
    colours = {"pass": "green", "warn": "yellow", "fail": "red"}
    for finding in findings:
        status = Text(finding.status, style=colours[finding.status])
        table.add_row(finding.subject, Text(finding.found), status, Text(finding.remedy))
    console.print(table)
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """Print the JSON schema of an experiment file."""
    import json

    typer.echo(json.dumps(Experiment.model_json_schema(by_alias=True), indent=1, ensure_ascii=False))
