"""What a run has learned about segments, as it was saved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from causal_tasks.base_models.features import Features
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.lake import SEGMENTS_RECORD, uri_of_run
from causal_tasks.run_folder import RunFolder
from causal_tasks.segments.creative_segments import CreativeSegments
from causal_tasks.segments.likelihood import Family
from causal_tasks.segments.saved_segments import load
from causal_tasks.segments.separate import SeparateCreatives
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri
from causal_tasks.uplift.local_copy import local_copy


@dataclass(frozen=True, slots=True)
class LearnedSegments:
    """What is needed to assign a segment to anybody.

    Attributes:
        segments: Says who belongs to which segment.
        separate: One model for each creative, which the former is held against.
        best: ``creative`` and ``segment`` that did best on the discovery part, and ``in_segment``, of each segment the
            creative that did best among those who are assigned it.
        family: Of the likelihood.
        experiment: Of the run.
    """

    segments: CreativeSegments
    separate: SeparateCreatives
    best: Mapping[str, Any]
    family: Family
    experiment: Experiment

    @property
    def features(self) -> Features:
        """The columns that both read."""
        return self.segments.terms_.features

    @classmethod
    def of(cls, storage: Storage, experiment: Experiment, output: Callable[[str, str], Uri]) -> Self:
        """What stages have written.

        Args:
            storage: Reads it.
            experiment: Of the run.
            output: From a stage instance, ``stage`` or ``stage/item``, and the name of an output to its address.

        Raises:
            InputError: A model has been changed since it was saved.
        """
        plan = storage.read_json(output("plan_segments", "plan"))
        summary = storage.read_json(output("learn_segments/segments", "summary"))
        in_segment = {told["segment"]: told["best_creative"] for told in summary["segments"]}
        with local_copy(storage, output("learn_segments/segments", "model")) as folder:
            segments = load(folder, CreativeSegments)
        with local_copy(storage, output("learn_segments/separate", "model")) as folder:
            separate = load(folder, SeparateCreatives)
        return cls(segments, separate, plan["best"] | {"in_segment": in_segment}, plan["family"], experiment)

    @classmethod
    def of_run(cls, run: str, settings: Settings) -> Self:
        """What a finished run has learned.

        Args:
            run: Run id ``<experiment_id>.r<revision>``, or address of the run folder.
            settings: Where the lake is.

        Raises:
            InputError: There is no such run, it has learned nothing, or a model has been changed since it was saved.
        """
        folder = RunFolder.existing(uri_of_run(run, settings), settings)
        try:
            published = folder.storage.read_json(f"{folder.uri}/{SEGMENTS_RECORD}")["manifests"]
        except FileNotFoundError as error:
            raise InputError(
                f"the run at {folder.uri} has segmented nobody", remedy="run causal-tasks segment first"
            ) from error
        if "assign_segments" not in published:
            raise InputError(
                f"the run at {folder.uri} has learned no segments: its experiment did not allow it",
                remedy="read its segments.html, and take another run",
            )

        def output(instance: str, name: str) -> Uri:
            manifest = folder.read_manifest(f"{folder.uri}/{published[instance]}")
            return f"{folder.uri}/{manifest.outputs[name].path}"

        return cls.of(folder.storage, folder.experiment, output)
