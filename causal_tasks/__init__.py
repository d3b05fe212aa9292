"""Causal subpopulation mining: for whom does an A/B-tested strategy work?"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from causal_tasks.experiment import Experiment
    from causal_tasks.pipelines.execution import run_experiment
    from causal_tasks.run_folder import RunFolder
    from causal_tasks.settings import Settings

__all__ = ["Experiment", "RunFolder", "Settings", "run_experiment"]

_HOMES = {
    "Experiment": "causal_tasks.experiment",
    "RunFolder": "causal_tasks.run_folder",
    "Settings": "causal_tasks.settings",
    "run_experiment": "causal_tasks.pipelines.execution",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
