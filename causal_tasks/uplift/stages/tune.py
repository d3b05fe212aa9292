"""Stage ``tune``: search better parameters for one finalist; a search that was interrupted goes on."""

from dataclasses import asdict
from typing import Any

import numpy as np

from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri, json_bytes
from causal_tasks.uplift.stages.fitting import unfitted
from causal_tasks.uplift.stages.users import Users
from causal_tasks.uplift.tuning import Trial, Tuning, edited_space
from causal_tasks.uplift.tuning import tune as search

TUNING_FOLDS = (0, 1, 2, 3)
"""The discovery folds that trials are fitted and scored on; the last of them are held out."""


def tune(context: StageContext) -> dict[str, Uri]:
    """Write the trials of the finalist ``context.item``.

    Raises:
        InputError: A fold has no user with an outcome in some arm, or ``mining.search_spaces`` names what there is not.
    """
    experiment, name = context.experiment, str(context.item)
    mining = experiment.mining
    learner = unfitted(context, name)
    space = edited_space(name, learner, mining.search_spaces)
    features: list[str] = context.read_json("validate", "features")["used"]
    users = Users.read(context, features)
    fold = users.frame["fold"].to_numpy()
    rows = users.scored & np.isin(fold, TUNING_FOLDS)
    trials = _Trials(context)
    tuning = search(
        learner,
        users.frame.loc[rows, features],
        users.outcome[rows],
        users.labels[rows],
        fold[rows],
        held_out=TUNING_FOLDS[-mining.tuning_folds :],
        control=experiment.control,
        propensity=users.propensity,
        propensity_scores=users.propensity_scores_by_label(rows),
        clusters=users.frame.loc[rows, "cluster"] if experiment.cluster else None,
        sign=experiment.primary.sign,
        search_space=space,
        sampler=mining.sampler,
        trials=mining.trials,
        seconds=mining.seconds,
        seed=mining.seed,
        finished=trials.finished(),
        on_trial=trials.keep,
    )
    return {"tuning": context.write_json("tuning.json", _record(name, tuning))}


class _Trials:
    """Finished trials, one object each, beside the attempts of this stage instance."""

    def __init__(self, context: StageContext) -> None:
        self._storage = context.storage
        self._folder = f"{context.shared_folder}/trials"
        self._count = context.experiment.mining.trials

    def finished(self) -> list[Trial]:
        """Trials 0, 1, … up to the first that is not there."""
        found: list[Trial] = []
        while len(found) < self._count and self._storage.exists(self._uri(len(found))):
            found.append(self._read(len(found)))
        return found

    def keep(self, trial: Trial) -> Trial:
        """Write a trial; returns it, or the one of whoever was first."""
        written = self._storage.create_exclusively(self._uri(trial.number), json_bytes(asdict(trial)))
        return trial if written else self._read(trial.number)

    def _read(self, number: int) -> Trial:
        return Trial.from_json(self._storage.read_json(self._uri(number)))

    def _uri(self, number: int) -> Uri:
        return f"{self._folder}/{number}.json"


def _record(name: str, tuning: Tuning) -> dict[str, Any]:
    best = tuning.best
    notes = {"stopped_early": tuning.stopped_early, "default_outside_space": bool(tuning.default_outside)}
    return {
        "candidate": name,
        "trials": [asdict(trial) for trial in tuning.trials],
        "best": {"number": best.number, "parameters": dict(best.parameters), "auuc": best.auuc},
        "rungs": list(tuning.rungs),
        "rows": tuning.rows,
        "scored": tuning.scored,
        "notes": [note for note, holds in notes.items() if holds],
    }
