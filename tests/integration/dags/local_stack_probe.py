"""What the tests of the local stack run: a mapped task in a pool, and a task that fails."""

import logging
import os

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False)
def local_stack_probe():
    @task(pool="cpu")
    def variables() -> list[str]:
        logging.getLogger(__name__).info("the probe speaks")
        return sorted(f"{name}={os.environ.get(name)}" for name in ("CAUSAL_LAKE", "OMP_WAIT_POLICY"))

    @task
    def echo(text: str) -> str:
        return text

    echo.expand(text=variables())


@dag(schedule=None, catchup=False)
def local_stack_failure():
    @task
    def fail() -> None:
        raise ValueError("planted failure")

    fail()


local_stack_probe()
local_stack_failure()
