"""What a stage and a pipeline are; importing this costs pydantic only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from causal_tasks.experiment import Experiment
from causal_tasks.lake import SourceName

ITEMS = "items"
"""Name of the output, a JSON list of strings, over which another stage is mapped."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a stage asks of the machine it runs on.

    Attributes:
        minutes: After which it is stopped; a batch of several items gets as many for each.
        gpu: Whether it profits from a GPU.
    """

    minutes: int = 30
    gpu: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """A pure function from files to files.

    Attributes:
        name: Unique in its pipeline.
        run: ``module:function``, resolved when the stage runs.
        code: Revision of the code; raise it when the same input gives another output.
        reads: Fields of the experiment that decide the outputs.
        needs: Stages whose outputs it reads; it is skipped where one of them was skipped.
        wants: Stages whose outputs it reads where they ran.
        over: Stage whose ``items`` output it is mapped over.
        batched_by: ``module:function`` from an item to what it shares with others: items of one key may run in one
            process, one after the other. None: every item by itself.
        sources: Tables of the experiment that it reads, and the logs of its budgeting.
        survives_failures: Whether it runs when some, not all, items of a mapped stage that it reads have failed.
        resources: What it asks of the machine.
    """

    name: str
    run: str
    code: int
    reads: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    over: str | None = None
    batched_by: str | None = None
    sources: tuple[SourceName, ...] = ()
    survives_failures: bool = False
    resources: Resources = Resources()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every stage that it reads."""
        return (*self.needs, *self.wants)

    def function(self) -> Callable[[Any], Mapping[str, str]]:
        """The function behind ``run``."""
        function: Callable[[Any], Mapping[str, str]] = _resolved(self.run)
        return function

    def batch_key(self, item: str) -> str:
        """What the item shares with others; the item itself where ``batched_by`` is None."""
        return str(_resolved(self.batched_by)(item)) if self.batched_by else item


def _resolved(address: str) -> Any:
    module, _, name = address.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages in an order in which each comes after all that it needs.

    Attributes:
        name: Of the pipeline, and of its DAG.
        stages: The graph.
        publishes: Outputs of the last stage that are copied to the root of the run folder, as name -> output.
        record: File at the root of the run folder that names the manifests behind what was published.
        messages: ``module:function`` from a result to what the group is told of it; None: nothing.
        claims: Folder in the run folder of who has told what.
        announces: Name under which a scheduler announces finished runs to others; None: it does not.
        restates: ``module:function`` from an experiment and the params of an Airflow run to the experiment as these
            params change it; None: they change nothing but languages.
    """

    name: str
    stages: tuple[Stage, ...]
    publishes: Mapping[str, str]
    record: str = "run.json"
    messages: str | None = None
    claims: str = "notify"
    announces: str | None = None
    restates: str | None = None

    def __getitem__(self, name: str) -> Stage:
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(f"pipeline {self.name} has no stage {name!r}; it has {', '.join(s.name for s in self.stages)}")

    def published(self, output: str) -> str:
        """The name at the root of the run folder under which an output of the last stage is published.

        Raises:
            KeyError: It is not published.
        """
        return {source: name for name, source in self.publishes.items()}[output]

    def tell(self) -> Callable[..., list[dict[str, Any]]]:
        """The function behind ``messages``.

        Raises:
            ValueError: There is none.
        """
        if self.messages is None:
            raise ValueError(f"pipeline {self.name} tells nothing")
        function: Callable[..., list[dict[str, Any]]] = _resolved(self.messages)
        return function

    def restated(self, experiment: Experiment, params: Mapping[str, Any]) -> Experiment:
        """The experiment as the params of a run change it.

        Raises:
            InputError: What results is no valid statement.
        """
        changed: Experiment = _resolved(self.restates)(experiment, params) if self.restates else experiment
        return changed

    def mapped_over(self, name: str) -> Stage | None:
        """The stage that is mapped over the items of the stage ``name``; None where there is none.

        Raises:
            ValueError: Several stages are mapped over it: they would have to agree on its batches.
        """
        mapped = [stage for stage in self.stages if stage.over == name]
        if len(mapped) > 1:
            raise ValueError(f"{', '.join(stage.name for stage in mapped)} are all mapped over {name!r}")
        return mapped[0] if mapped else None
