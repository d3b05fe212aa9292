"""Where a stage runs: in this process, or in another environment's interpreter that need not have Airflow."""

import ctypes
import logging
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import TypeAdapter

from causal_airflow.settings import Orchestration
from causal_tasks import errors
from causal_tasks.errors import CausalTasksError, ConfigurationError
from causal_tasks.pipelines import Pipeline
from causal_tasks.pipelines.execution import Outcome, Progress, StageResult, run_items
from causal_tasks.run_folder import Failure, RunFolder
from causal_tasks.storage import Uri, json_bytes

log = logging.getLogger(__name__)

_NOT_INHERITED = ("AIRFLOW", "_AIRFLOW", "PYTHON", "VIRTUAL_ENV")
"""Beginnings of variables that say how this environment works, or hold Airflow's secrets."""

_GRACE_SECONDS = 10
_PR_SET_PDEATHSIG = 1
_KEPT_LINES = 20

_LINE: TypeAdapter[StageResult | Failure | None] = TypeAdapter(StageResult | Failure | None)
"""What the other process writes for each item that has ended."""

_children: set[subprocess.Popen[str]] = set()


class StageKilledError(Exception):
    """The other process was killed: by a person, or for want of memory. It is tried again."""


def run_in_python(
    pipeline: Pipeline,
    name: str,
    *,
    run: RunFolder,
    inputs: Sequence[Uri] = (),
    items: Sequence[str | None] = (None,),
    progress: Progress | None = None,
) -> list[Outcome]:
    """``run_items`` in the interpreter that ``CAUSAL_RUNNER_PYTHON`` names; arguments and errors are the same.

    Secrets travel in the environment. What the stage prints goes to this task's log. ``progress`` is called when the
    process has ended, however that was.

    Raises:
        ConfigurationError: There is no such interpreter, or its ``causal-tasks`` is of another version.
        StageKilledError: The process was killed.
        RuntimeError: It ended without a word on some of the items.
    """
    python = _interpreter()
    environment = _environment(run)
    _require_same_version(python, environment)
    with TemporaryDirectory(prefix="causal-stage-") as folder:
        statement, answers = Path(folder) / "experiment.json", Path(folder) / "results.jsonl"
        statement.write_bytes(json_bytes(run.experiment.model_dump(mode="json", by_alias=True)))
        command = [python, "-m", "causal_tasks", "stage", name, "--pipeline", pipeline.name]
        command += ["--experiment", str(statement), "--result", str(answers)]
        command += [argument for uri in inputs for argument in ("--input", uri)]
        command += [argument for item in items if item for argument in ("--item", item)]
        outcomes: list[Outcome] = []
        try:
            status, last_lines = _follow(command, environment)
        finally:
            for outcome in _outcomes(answers, items):
                outcomes.append(outcome)
                if progress:
                    progress(name, outcome.item, outcome)
    if status < 0:
        raise StageKilledError(f"killed by {signal.Signals(-status).name}: out of memory, or by hand")
    if len(outcomes) < len(items) or bool(status) != any(outcome.error for outcome in outcomes):
        raise RuntimeError("\n".join([f"the stage's process ended with status {status}:", *last_lines]))
    return outcomes


def stop_children() -> None:
    """End every process that a runner has started here, with all that it started itself."""
    for child in list(_children):
        _stop(child)


Runner = Callable[..., list[Outcome]]
RUNNERS: Mapping[str, Runner] = {"in_process": run_items, "python": run_in_python}
"""By name, functions with the signature of ``run_items``."""


def runner(name: str) -> Runner:
    """The runner of that name.

    Raises:
        ConfigurationError: There is none.
    """
    if name not in RUNNERS:
        raise ConfigurationError(
            f"CAUSAL_RUNNER is {name!r}", remedy=f"set it to one of {', '.join(RUNNERS)}, or unset it"
        )
    return RUNNERS[name]


def _interpreter() -> str:
    stated = Orchestration().runner_python
    if stated is None or not os.access(stated, os.X_OK):
        raise ConfigurationError(
            f"CAUSAL_RUNNER is 'python' and CAUSAL_RUNNER_PYTHON is {str(stated)!r}, which is no program",
            remedy="set it to the interpreter of an environment that has causal-tasks, such as /opt/gpu/bin/python",
        )
    return str(stated)


def _environment(run: RunFolder) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    return (
        inherited
        | {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
        | run.settings.environment()
    )


def _require_same_version(python: str, environment: Mapping[str, str]) -> None:
    asked = subprocess.run(  # noqa: S603 - the deployment names the program
        [python, "-c", "from importlib.metadata import version; print(version('causal-tasks'))"],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    there, here = asked.stdout.strip(), version("causal-tasks")
    if asked.returncode or there != here:
        found = f"has causal-tasks {there}" if there else "has no causal-tasks"
        raise ConfigurationError(
            f"{python} {found}, Airflow has {here}", remedy=f"install causal-tasks {here} into that environment"
        )


def _follow(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, list[str]]:
    """Run a command, its lines to the log; returns its exit status and its last lines."""
    last_lines: list[str] = []
    with _started(command, environment) as child:
        for line in child.stdout or ():
            text = line.rstrip()
            log.info("%s", text)
            last_lines = [*last_lines, text][-_KEPT_LINES:]
        return child.wait(), last_lines


@contextmanager
def _started(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process of its own group, which ends when this block does, and with this process whatever kills that."""
    with subprocess.Popen(  # noqa: S603 - the deployment names the program
        list(command),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - sets one flag of the new process
    ) as child:
        _children.add(child)
        try:
            yield child
        finally:
            _children.discard(child)
            _stop(child)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop(child: subprocess.Popen[Any]) -> None:
    """End the child and its whole group, also where the child itself has ended already."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sign)
        except ProcessLookupError:
            return
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_SECONDS)


def _outcomes(answers: Path, items: Sequence[str | None]) -> Iterator[Outcome]:
    """What the process wrote of its items, in their order; a line that it was killed in does not count."""
    lines = answers.read_text(encoding="utf-8").split("\n")[:-1] if answers.exists() else []
    for item, line in zip(items, lines, strict=False):
        told = _LINE.validate_json(line)
        yield Outcome(item, error=_error(told)) if isinstance(told, Failure) else Outcome(item, told)


def _error(failure: Failure) -> Exception:
    """The error that a process recorded."""
    kind = getattr(errors, failure.error, None)
    if isinstance(kind, type) and issubclass(kind, CausalTasksError):
        return kind(failure.message, remedy=failure.remedy)
    return RuntimeError(failure.message)
