"""The model that a run chose to spend budgets with, as it was saved."""

from dataclasses import dataclass
from typing import Self

from causal_tasks.allocation.budget_model import BudgetModel
from causal_tasks.allocation.methods import load_budget_model
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.lake import ALLOCATION_RECORD, uri_of_run
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri
from causal_tasks.uplift.local_copy import local_copy


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A fitted method of a run.

    Attributes:
        uri: The run folder.
        method: Its name.
        model: What it says decides.
        experiment: Of the run.
    """

    uri: Uri
    method: str
    model: BudgetModel
    experiment: Experiment

    @classmethod
    def read(cls, run: str, settings: Settings) -> Self:
        """The model that a run chose.

        Args:
            run: Run id ``<experiment_id>.r<revision>``, or address of the run folder.
            settings: Where the lake is, and how many threads may be used.

        Raises:
            InputError: There is no such run, it has allocated nothing, or the model does not fit the installed
                libraries or has been changed since it was saved.
        """
        folder = RunFolder.existing(uri_of_run(run, settings), settings)
        try:
            published = folder.storage.read_json(f"{folder.uri}/{ALLOCATION_RECORD}")["manifests"]
        except FileNotFoundError as error:
            raise InputError(
                f"the run at {folder.uri} has allocated nothing", remedy="run causal-tasks allocate first"
            ) from error
        if "choose" not in published:
            raise InputError(
                f"the run at {folder.uri} has chosen no method: its experiment did not allow it",
                remedy="read its allocation.html, and take another run",
            )

        def output(key: str, name: str) -> Uri:
            return f"{folder.uri}/{folder.read_manifest(f'{folder.uri}/{published[key]}').outputs[name].path}"

        method = folder.storage.read_json(output("choose", "choice"))["chosen"]
        model = read_budget_model(folder.storage, output(f"fit/{method}", "models"), threads=settings.threads)
        return cls(folder.uri, method, model, folder.experiment)


def read_budget_model(storage: Storage, uri: Uri, *, threads: int) -> BudgetModel:
    """The model that was saved at ``uri``, to predict with so many threads.

    Raises:
        InputError: As for ``load_budget_model``.
    """
    with local_copy(storage, uri) as folder:
        model = load_budget_model(folder)
    if "n_jobs" in model.get_params(deep=False):
        model.set_params(n_jobs=threads)
    return model
