"""What a run or the folder of a saved learner holds that scores users: models, and the rules that were mined."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd

from causal_tasks.base_models import DesignMatrix, Features
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.lake import experiment_uri, run_uri, uri_of_run
from causal_tasks.rule import Rule
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri
from causal_tasks.uplift.cross_fitting import mean_outcomes
from causal_tasks.uplift.learner import UpliftLearner
from causal_tasks.uplift.registry import read_learners
from causal_tasks.uplift.saved_model import DESCRIPTION
from causal_tasks.uplift.stages.fitting import uplift_of


@dataclass(frozen=True, slots=True)
class MinedRule:
    """A subpopulation of a run's result.

    Attributes:
        id: Such as ``s1``.
        treatment: Arm that the rule compares with control.
        kind: ``positive`` or ``negative``.
        grade: How far the run trusts it.
        rule: Who belongs, with what the experiment asked of its users.
        words: The same in the first language of the experiment.
    """

    id: str
    treatment: str
    kind: str
    grade: str
    rule: Rule
    words: str

    @classmethod
    def read(cls, record: Mapping[str, Any], experiment: Experiment) -> Self:
        """The rule of one subpopulation in ``result.json``.

        Whom ``eligible`` of the experiment left out is no member: nothing is known about the effect on them.
        """
        rule = Rule.model_validate(record["rule"]).among(experiment.eligible)
        words = rule.in_words(experiment.delivery.languages[0], experiment.features.display_names())
        return cls(record["id"], record["treatment"], record["kind"], record["grade"], rule, words)

    def to_json(self) -> dict[str, Any]:
        """The rule as JSON values, as text and as a predicate too."""
        return {
            "id": self.id,
            "treatment": self.treatment,
            "kind": self.kind,
            "grade": self.grade,
            "words": self.words,
            "sql": self.rule.to_sql(),
            "rule": self.rule.to_json(),
        }


@dataclass(frozen=True, slots=True)
class TrainedModels:
    """Learners whose predictions are averaged, and what a run says about its users.

    Attributes:
        uri: The run folder, or the folder of the saved learner.
        learners: At least one, all of the same features and arms.
        arms: Labels, control first.
        experiment: Of the run; None for a saved learner.
        rules: Of the run, in the order of its result.
    """

    uri: Uri
    learners: tuple[UpliftLearner, ...]
    arms: tuple[Any, ...]
    experiment: Experiment | None = None
    rules: tuple[MinedRule, ...] = ()

    @classmethod
    def read(cls, model: str | Path, settings: Settings) -> Self:
        """The models at an address.

        Args:
            model: Path or address of a run folder or of the folder of a saved learner, a run id
                ``<experiment_id>.r<revision>``, or the id of an experiment in the lake: its stated revision.
            settings: Where the lake is.

        Raises:
            InputError: There is neither, the run has trained no model or has no result yet, or as for ``load`` of the
                learner.
        """
        storage, uri = Storage(settings), _folder(model, settings)
        if storage.exists(f"{uri}/{DESCRIPTION}"):
            (learner,) = read_learners(storage, uri)
            return cls(uri, (learner,), tuple(learner.arms_))
        if not storage.exists(f"{uri}/experiment.json"):
            raise InputError(
                f"{uri} holds neither a run (experiment.json) nor a saved learner ({DESCRIPTION})",
                remedy="give a run id <experiment_id>.r<revision>, an experiment's id, or a folder that does",
            )
        return cls._of_run(RunFolder.existing(uri, settings))

    @classmethod
    def _of_run(cls, run: RunFolder) -> Self:
        try:
            published = run.storage.read_json(f"{run.uri}/run.json")
            result = run.storage.read_json(f"{run.uri}/result.json")
        except FileNotFoundError as error:
            raise InputError(f"the run at {run.uri} has no result", remedy="let it finish first") from error
        if "select" not in published["manifests"]:
            raise InputError(
                f"the run at {run.uri} has trained no model: its verdict is {result['verdict']['status']!r}",
                remedy="read its report, and score with another run",
            )
        selected = run.read_manifest(f"{run.uri}/{published['manifests']['select']}")
        learners = read_learners(run.storage, f"{run.uri}/{selected.outputs['models'].path}")
        rules = tuple(MinedRule.read(record, run.experiment) for record in result["subpopulations"])
        return cls(run.uri, learners, run.experiment.arms, run.experiment, rules)

    @property
    def features(self) -> Features:
        """What the learners read; they have it in common."""
        return self.learners[0].features_

    def use_threads(self, threads: int) -> None:
        """Let every model predict with so many threads; the predictions do not depend on it."""
        for learner in self.learners:
            for model in (learner, *getattr(learner, "models_", {}).values()):
                if "n_jobs" in model.get_params(deep=False):
                    model.set_params(n_jobs=threads)

    def predict_outcomes(self, X: DesignMatrix) -> pd.DataFrame:
        """Mean outcomes, shape (n, K + 1), float32, columns as ``arms``: the mean of the learners' predictions."""
        return mean_outcomes(self.learners, X)[list(self.arms)]

    def uplift(self, means: pd.DataFrame) -> pd.DataFrame:
        """Effects of the treatments, shape (n, K): of a run on the benefit scale, else in the outcome's unit."""
        if self.experiment:
            return uplift_of(means, self.experiment)
        control, *treatments = self.arms
        effects: pd.DataFrame = means[treatments].sub(means[control], axis=0)
        return effects


def _folder(model: str | Path, settings: Settings) -> Uri:
    """The address of the folder that ``model`` means."""
    text = str(model)
    if "://" in text:
        return text.rstrip("/")
    if isinstance(model, Path) or Path(model).is_dir():
        return f"file://{Path(model).resolve()}"
    statement = experiment_uri(text, settings)
    try:
        stated = Storage(settings).read_json(statement)
    except FileNotFoundError:
        # Then only a run can be meant: an id may end like that of a run.
        return uri_of_run(text, settings)
    return run_uri(Experiment.parse(stated, source=statement), settings)
