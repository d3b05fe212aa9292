"""One DAG run in memory: the part of the task SDK that stages and messages speak to, without a scheduler."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

DAG_ID = "small"


@dataclass
class AirflowRun:
    """XComs and states of a run, and contexts for its tasks.

    Attributes:
        params: As the run was started.
        run_id: Of the run.
        xcoms: By task id, map index and key.
        states: By task id and map index.
        asset_events: Extras of asset events.
        try_number: Of the tasks that are executed.
    """

    params: dict[str, Any]
    run_id: str = "demo.r1"
    xcoms: dict[tuple[str, int, str], Any] = field(default_factory=dict)
    states: dict[tuple[str, int], str] = field(default_factory=dict)
    asset_events: dict[Any, Any] = field(default_factory=dict)
    try_number: int = 1

    def execute(self, task: BaseOperator, map_index: int = -1) -> Any:
        """Run one task instance to its final state; returns its return value, raises what it raised."""
        key = (task.task_id, map_index)
        self.xcoms = {k: value for k, value in self.xcoms.items() if k[:2] != key}
        context = self.context(task.task_id, map_index)
        try:
            value = task.execute(context)
        except AirflowSkipException:
            self.states[key] = "skipped"
            raise
        except BaseException:
            self.states[key] = "failed"
            raise
        self.states[key] = "success"
        if value is not None:
            self.xcoms[*key, "return_value"] = value
        return value

    def context(self, task_id: str, map_index: int) -> Any:
        """The context of a task instance."""
        ti = SimpleNamespace(
            dag_id=DAG_ID,
            try_number=self.try_number,
            xcom_push=lambda key, value: self.xcoms.update({(task_id, map_index, key): value}),
            xcom_pull=self._pull,
            get_task_breadcrumbs=self._breadcrumbs,
        )
        events = _OutletEvents(self.asset_events)
        return {"ti": ti, "params": self.params, "run_id": self.run_id, "outlet_events": events}

    def _pull(self, *, task_ids: list[str], key: str) -> list[Any]:
        """As in the SDK: every map index of each task, None for a task that pushed nothing."""
        pulled: list[Any] = []
        for wanted in task_ids:
            found = [self.xcoms[k] for k in sorted(self.xcoms) if (k[0], k[2]) == (wanted, key)]
            pulled += found or [None]
        return pulled

    def _breadcrumbs(self, *, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        assert (dag_id, run_id) == (DAG_ID, self.run_id)
        return [
            {"task_id": task_id, "map_index": map_index, "state": state}
            for (task_id, map_index), state in sorted(self.states.items())
        ]


class _OutletEvents:
    def __init__(self, extras: dict[Any, Any]) -> None:
        self._extras = extras

    def __getitem__(self, asset: Any) -> Any:
        extras = self._extras

        class Event:
            def __setattr__(self, name: str, value: Any) -> None:
                assert name == "extra"
                extras[asset] = value

        return Event()
