"""Stage ``learn_segments``: who belongs to which segment, and for comparison a model of each creative by itself."""

import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.base_models.features import Features
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.segments.assigned_table import chosen_segments
from causal_tasks.segments.balance import UnbalancedExposureWarning
from causal_tasks.segments.creative_segments import CollapsedPenaltyWarning, CreativeSegments
from causal_tasks.segments.creative_segments_cv import CreativeSegmentsCV
from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.mapped_exposures import mapped_exposures
from causal_tasks.segments.separate import SeparateCreativesCV
from causal_tasks.segments.stages.plan import SEGMENTS, SMALLEST_CREATIVE
from causal_tasks.segments.stages.users import Mask, SegmentUsers
from causal_tasks.segments.statement import modelled_response, response_metric, stated_segmenting
from causal_tasks.storage import Uri
from causal_tasks.uplift.feature_table import FeatureTable

Model = CreativeSegmentsCV | SeparateCreativesCV

UNBALANCED = "unbalanced_exposure"
"""Note of an estimator that does not know of clusters."""


def learn_segments(context: StageContext) -> dict[str, Uri]:
    """Learn ``context.item``; write ``model``, ``cv``, how it was chosen, and ``summary``, what was learned.

    Raises:
        InputError: No feature tells users apart.
    """
    people = LearnedPeople.read(context)
    with tempfile.TemporaryDirectory() as scratch:
        exposures = people.exposures(Path(scratch) / "exposures")
        # What estimators warn of is among their notes, which the report words.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnbalancedExposureWarning)
            warnings.simplefilter("ignore", CollapsedPenaltyWarning)
            model = _estimator(context).fit_exposures(exposures)
        saved = Path(scratch) / "model"
        model.save(saved)
        written = context.write_folder("model", saved)
    return {
        "model": written,
        "cv": context.write_json("cv.json", _curve(model)),
        "summary": context.write_json("summary.json", _summary(model, people)),
    }


@dataclass(frozen=True, slots=True)
class LearnedPeople:
    """The users who are learned from, n of them.

    Attributes:
        table: All users of the run.
        rows: Shape (users,), who is learned from.
        response: Shape (n,), benefit scale.
        creative: Shape (n,), what each was shown.
        fold: Shape (n,).
        plan: Says which features count, and the family.
        experiment: The experiment.
    """

    table: FeatureTable
    rows: Mask
    response: NDArray[np.float64]
    creative: NDArray[np.object_]
    fold: NDArray[np.int8]
    plan: Mapping[str, Any]
    experiment: Experiment

    @classmethod
    def read(cls, context: StageContext) -> Self:
        """Those of the run, with all features that are used."""
        plan, users = context.read_json("plan_segments", "plan"), SegmentUsers.read(context)
        kinds = context.read_json("prepare", "profile")["features"]
        levels = {name: () if kinds[name]["kind"] == "categorical" else None for name in plan["features"]}
        table = FeatureTable.checked(context.storage, context.uri("prepare", "users"), Features(levels), (), unit=None)
        rows = users.learned
        return cls(table, rows, users.response[rows], users.labels[rows], users.fold[rows], plan, users.experiment)

    def features(self, names: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """These features, all where None, of some users at a time."""
        begin = 0
        for batch in self.table.batches(names):
            yield self.table.raw(batch)[self.rows[begin : begin + len(batch)]]
            begin += len(batch)

    def exposures(self, folder: Path) -> Exposures:
        """What an estimator is fitted on, memory-mapped in ``folder``."""
        family = self.plan["family"]
        return mapped_exposures(
            self.features,
            modelled_response(self.response, response_metric(self.experiment), family),
            creative=self.creative,
            segment=stated_segmenting(self.experiment).segment_of,
            fold=self.fold,
            family=family,
            folder=folder,
        )

    def best_in_segment(self, model: CreativeSegments) -> dict[str, str]:
        """By segment the creative to which users who are assigned it responded most.

        Where it has few such users who were shown a creative of it, the one that did best on the whole.
        """
        best: Mapping[str, Any] = self.plan["best"]
        scores = [model.segment_scores(features) for features in self.features(model.terms_.features.names)]
        assigned = chosen_segments(np.concatenate(scores), model.segments_, best=best["segment"])
        responses = pd.Series(self.response).groupby([assigned, self.creative]).agg(["count", "mean"])
        many = responses["mean"][responses["count"] >= SMALLEST_CREATIVE].to_dict()
        found: dict[str, str] = dict(best["in_segment"])
        for segment, creatives in stated_segmenting(self.experiment).segments.items():
            means = {creative: many[segment, creative] for creative in creatives if (segment, creative) in many}
            if means:
                found[segment] = max(means, key=means.__getitem__)
        return found


def _estimator(context: StageContext) -> Model:
    segmenting, settings = stated_segmenting(context.experiment), context.settings
    search: dict[str, Any] = {
        "n_lams": segmenting.lams,
        "lam_ratio": segmenting.lam_ratio,
        "rule": segmenting.rule,
        "device": settings.device,
        "n_jobs": settings.threads,
    }
    if context.item == SEGMENTS:
        return CreativeSegmentsCV(segmenting.alphas, count_intercepts=segmenting.count_intercepts, **search)
    return SeparateCreativesCV(**search)


def _curve(model: Model) -> list[dict[str, Any]]:
    """Every penalty that was compared; of segments also which one was chosen."""
    results = model.cv_results_
    if isinstance(model, CreativeSegmentsCV):
        results = results.assign(chosen=np.arange(len(results)) == model.chosen_row_)
    return [{str(name): value for name, value in row.items()} for row in results.to_dict("records")]


def _summary(model: Model, people: LearnedPeople) -> dict[str, Any]:
    """What was learned, as the report tells it."""
    # Users of a cluster are alike and see the same: a test of single users takes that for imbalance.
    clustered = bool(people.experiment.cluster)
    told: dict[str, Any] = {
        "model": {
            "rule": model.rule,
            "count_intercepts": model.count_intercepts,
            "objective": model.objective_,
            "duality_gap": model.duality_gap_,
            "relative_gap": model.duality_gap_ / abs(model.objective_),
            "covariates": len(people.plan["features"]),
            "columns": len(model.terms_.terms),
            "people": int(model.counts_.sum()),
        },
        "balance": None if clustered else asdict(model.balance_),
        "notes": [note for note in model.notes_ if not (clustered and note == UNBALANCED)],
    }
    if not isinstance(model, CreativeSegmentsCV):
        lams = dict(zip(model.creatives_, model.lams_.tolist(), strict=True))
        return told | {"model": told["model"] | {"lams": lams}, "segments": []}
    lam = {"alpha": model.alpha_, "lam": model.lam_, "lam_max": model.lam_max_}
    lam |= {"lam_share": model.lam_ / model.lam_max_ if model.lam_max_ else 1.0}
    best = people.best_in_segment(model)
    segments = [
        asdict(segment) | {"people": segment.people, "best_creative": best[segment.segment]}
        for segment in model.summary()
    ]
    return told | {"model": lam | told["model"], "segments": segments}
