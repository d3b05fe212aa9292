"""Is this machine, and the lake, fit for a run? Asked before anything is spent."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal

import psutil

from causal_tasks.errors import CausalTasksError
from causal_tasks.lake import experiments_folder
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage

_PACKAGES = ("dask", "pandas", "pyarrow", "s3fs", "lightgbm", "optuna", "scikit-learn", "altair", "vl-convert-python")
_MODEL_LIBRARIES = ("xgboost", "torch", "safetensors")
_MEMORY_GB = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What was looked at.
        found: What was seen.
        status: ``fail`` stops runs, ``warn`` makes them slower or poorer.
        remedy: What to do about it; empty where all is well.
    """

    subject: str
    found: str
    status: Literal["pass", "warn", "fail"]
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Everything that a run depends on, in the order in which to mend it."""
    checks = (_packages, _models, _cores, _memory, _device, _font, _lake, _creation)
    return [_guarded(check, settings) for check in checks]


def _guarded(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return check(settings)
    except CausalTasksError as error:
        return Finding(check.__name__.strip("_"), error.message, "fail", error.remedy)


def _packages(_: Settings) -> Finding:
    missing = []
    for name in _PACKAGES:
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    found = f"Python {platform.python_version()}, causal-tasks {version('causal-tasks')}"
    if missing:
        return Finding("packages", f"{found}; missing {', '.join(missing)}", "fail", "pip install causal-tasks")
    return Finding("packages", found, "pass")


def _models(settings: Settings) -> Finding:
    """Whether what comes with an extra is there; candidates made with it fail where it is not."""
    missing = [name for name in _MODEL_LIBRARIES if find_spec(name) is None]
    if missing:
        extras = f"models,{'gpu' if settings.device == 'cuda' else 'cpu'}"
        found = f"missing {', '.join(missing)}: candidates that need them fail"
        return Finding("models", found, "warn", f"pip install 'causal-tasks[{extras}]'")
    return Finding("models", f"lightgbm, {', '.join(_MODEL_LIBRARIES)}", "pass")


def _cores(settings: Settings) -> Finding:
    found = f"{len(os.sched_getaffinity(0))} cores, {settings.threads} threads a task"
    if os.environ.get("OMP_WAIT_POLICY", "").upper() != "PASSIVE":
        return Finding("cores", found, "warn", "export OMP_WAIT_POLICY=PASSIVE before any worker starts")
    return Finding("cores", found, "pass")


def _memory(_: Settings) -> Finding:
    available = psutil.virtual_memory().available / 2**30
    enough = available >= _MEMORY_GB
    remedy = "" if enough else f"free {_MEMORY_GB} GB for a million users, or raise CAUSAL_SLICES"
    return Finding("memory", f"{available:.1f} GB free", "pass" if enough else "warn", remedy)


def _device(settings: Settings) -> Finding:
    if settings.device == "cpu":
        return Finding("device", "cpu", "pass")
    from causal_tasks.frames import require_gpu

    require_gpu()
    return Finding("device", "cuda", "pass")


def _font(_: Settings) -> Finding:
    from causal_tasks.report.picture import find_font

    font = find_font()
    if font is None:
        return Finding("font", "none with Chinese glyphs: no picture", "warn", "install fonts-wqy-zenhei")
    return Finding("font", font.family, "pass")


def _lake(settings: Settings) -> Finding:
    experiments = Storage(settings).list_files(experiments_folder(settings), hash_local=False)
    return Finding("lake", f"{settings.lake}: {len(experiments)} experiment files", "pass")


def _creation(settings: Settings) -> Finding:
    Storage(settings).check_exclusive_creation(settings.lake)
    return Finding("creation", "a file is created once and never replaced", "pass")
