"""The ledger: what was predicted of every finding that was followed up, and what came of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment, Follows
from causal_tasks.lake import ledger_folder, ledger_uri
from causal_tasks.rule import LANGUAGES, Language, Rule
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, json_bytes
from causal_tasks.subpopulations.confirmation import Verdict

_PARALLEL_READS = 16


class Realised(BaseModel):
    """The effect that a follow-up measured; nulls where its data define none."""

    model_config = ConfigDict(frozen=True)

    estimate: float | None
    interval: tuple[float | None, float | None]


class Entry(BaseModel):
    """What one run of a follow-up experiment said about the finding that it follows.

    Attributes:
        experiment_id: Of the follow-up.
        revision: Of the follow-up.
        follows: The finding, with the effect that was predicted.
        words: Whom it is about, by language.
        metric: On which the effect is measured, in whose unit.
        realised: The effect that the follow-up measured.
        verdict: On the finding.
    """

    model_config = ConfigDict(frozen=True)

    experiment_id: str
    revision: int
    follows: Follows
    words: dict[Language, str]
    metric: str
    realised: Realised
    verdict: Verdict

    @property
    def ratio(self) -> float | None:
        """Realised over predicted effect."""
        return None if self.realised.estimate is None else self.realised.estimate / self.follows.predicted.estimate

    @property
    def as_predicted(self) -> bool | None:
        """Whether the predicted interval holds the realised effect."""
        low, high = self.follows.predicted.interval
        return None if self.realised.estimate is None else low <= self.realised.estimate <= high


@dataclass(frozen=True, slots=True)
class Summary:
    """How predictions fared over all entries.

    Attributes:
        entries: How many there are.
        verdicts: How many of each verdict.
        measured: Entries with a realised effect, which the next two are of.
        as_predicted: Share whose predicted interval holds the realised effect; None without any.
        median_ratio: Median of realised over predicted effect; None without any.
    """

    entries: int
    verdicts: Mapping[Verdict, int]
    measured: int
    as_predicted: float | None
    median_ratio: float | None

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Self:
        """The summary of some entries."""
        ratios = [entry.ratio for entry in entries if entry.ratio is not None]
        held = sum(bool(entry.as_predicted) for entry in entries)
        return cls(
            entries=len(entries),
            verdicts=Counter(entry.verdict for entry in entries),
            measured=len(ratios),
            as_predicted=held / len(ratios) if ratios else None,
            median_ratio=median(ratios) if ratios else None,
        )


def record(storage: Storage, settings: Settings, experiment: Experiment, confirmation: Mapping[str, Any]) -> bool:
    """Enter into the ledger what a follow-up's run says; its first word stands.

    A later attempt with the same result finds its entry there. One with another result, because late rows changed the
    tables, leaves the entry as it is: looking until the result pleases would make every ledger look good. To enter a
    new analysis, raise the follow-up's ``revision``.

    Args:
        storage: Writes the entry.
        settings: Where the lake is.
        experiment: The follow-up, with ``follows``.
        confirmation: As ``confirmation`` returns it.

    Returns:
        Whether the ledger holds this result.

    Raises:
        InputError: The experiment follows nothing.
    """
    if experiment.follows is None:
        raise InputError(
            f"experiment {experiment.experiment_id!r} follows no finding", remedy="state follows, or enter nothing"
        )
    names, who = experiment.features.display_names(), experiment.eligible or Rule()
    entry = Entry(
        experiment_id=experiment.experiment_id,
        revision=experiment.revision,
        follows=experiment.follows,
        words={language: who.in_words(language, names) for language in LANGUAGES},
        metric=experiment.primary.name,
        realised=Realised.model_validate(confirmation["realised"]),
        verdict=confirmation["verdict"],
    )
    uri = ledger_uri(experiment, experiment.follows, settings)
    return storage.create_exclusively(uri, json_bytes(entry.model_dump(mode="json")))


def read_ledger(storage: Storage, settings: Settings) -> list[Entry]:
    """Every entry of the lake's ledger, by finding and then by the run that followed it."""
    folder = ledger_folder(settings)
    files = [file.path for file in storage.list_files(folder, suffix=".json", hash_local=False)]
    with ThreadPoolExecutor(_PARALLEL_READS) as pool:
        return [Entry.model_validate(value) for value in pool.map(lambda p: storage.read_json(f"{folder}/{p}"), files)]
