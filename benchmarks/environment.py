"""The variables under which measured processes run: those of a worker whose tasks share the cores evenly."""

import os

from causal_tasks.settings import Settings

_FOREIGN = ("AIRFLOW", "AWS_", "CAUSAL_", "OMP_")


def stage_environment(settings: Settings, *, parallel: int) -> dict[str, str]:
    """All variables of a process that runs one stage.

    Args:
        settings: Where the lake is.
        parallel: Processes that share the cores at the same time.
    """
    cores = len(os.sched_getaffinity(0))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return (
        inherited
        | settings.environment()
        | {
            "CAUSAL_PARALLEL_TASKS": str(parallel),
            "OMP_NUM_THREADS": str(max(1, cores // parallel)),
            "OMP_WAIT_POLICY": "PASSIVE",
        }
    )
