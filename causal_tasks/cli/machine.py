"""Commands about the place and the product itself: is the machine fit, and what may an experiment state."""

import typer
from rich.table import Table
from rich.text import Text

from causal_tasks.cli import terminal
from causal_tasks.cli.terminal import Lake, settings_of
from causal_tasks.experiment import Experiment


def doctor(lake: Lake = None) -> None:
    """Check that this machine and the lake are fit for a run; exits with 1 where they are not."""
    from causal_tasks.doctor import examine

    findings = examine(settings_of(lake))
    table = Table("what", "found", "", "what to do")
    colours = {"pass": "green", "warn": "yellow", "fail": "red"}
    for finding in findings:
        status = Text(finding.status, style=colours[finding.status])
        table.add_row(finding.subject, Text(finding.found), status, Text(finding.remedy))
    terminal.console.print(table)
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)


def schema() -> None:
    """Print the JSON schema of an experiment file."""
    import json

    typer.echo(json.dumps(Experiment.model_json_schema(by_alias=True), indent=1, ensure_ascii=False))
