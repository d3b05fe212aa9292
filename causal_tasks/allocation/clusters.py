"""Clusters of units that respond alike: one arm for each, so that an allocation is a small table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.utils.validation import check_is_fitted

from causal_tasks.allocation.cluster_means import ClusterMeans, Shrinkage
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.network_model import NetworkModel
from causal_tasks.allocation.partition import Partition
from causal_tasks.allocation.programme import Programme, Scenarios, solve_programme
from causal_tasks.allocation.responses import Responses
from causal_tasks.base_models import DesignMatrix, StoredDesign
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import Estimate, mean_estimate

if TYPE_CHECKING:
    from causal_tasks.allocation.networks.decision_value import DecisionValue

Codes = NDArray[np.intp]

CANDIDATES = (5, 10, 20, 60, 200)
"""Numbers of clusters that are tried where none is stated."""

_UNITS_PER_CELL = 5
"""Units of an arm in a cluster, on average, below which more clusters are not tried."""


class Distillation(BaseModel):
    """How well the classifier stands in for network and partition, on units that neither it nor they learned from.

    Attributes:
        accuracy: Share of units that it puts in their cluster.
        value_loss: Outcome per unit that is lost by the others, over the declared budgets; below zero: it gains.
    """

    model_config = ConfigDict(frozen=True)

    accuracy: Estimate
    value_loss: Estimate


class ClusterAllocation(NetworkModel):
    """Groups of units with one forecast each: shrunken means of the experiment's units in every arm.

    A network learns outcome and cost of all arms at once; units are grouped by what it makes of them; the means of the
    groups come from the experiment and not from the network. A classifier is then taught the groups, for serving.

    Groups give up what tells their units apart. Where the network predicts well, deciding for every unit brings more
    (see ``docs/allocation-measured.md``); a group is for when an allocation must be a table that people can read and a
    plan that is made before the budget is known.

    Args:
        on: ``hidden``: group by the network's last hidden layer, as published; ``uplift``: by predicted uplifts, which
            are closer to the decision.
        clusters: How many; None: of 5, 10, 20, 60 and 200 the number with the largest value on held-out units.
        shrinkage: How far means are drawn to those of everybody, see ``ClusterMeans.of``.
        hidden: Units of the network's hidden layers; with none, ``on="hidden"`` groups by the features themselves.
        distilled: Units of the classifier's hidden layers; None: those of the network, from which it then starts.
        budgets: Per unit, likely budgets, for which the number of clusters is chosen and plans are made; None: 10 to
            60 % of the cost if every unit got its dearest arm.
        budget_weights: How likely each is; None: all alike.
        learning_rate: Of the networks.
        weight_decay: L2 penalty on their weights.
        batch_size: Units of a mini-batch.
        epochs: Passes over the units, at most.
        patience: Epochs without progress on the held-out units, after which training ends.
        validation_share: Share of every arm that is held out: to stop training, to choose the number of clusters and to
            measure the classifier.
        device: Where the networks are.
        n_jobs: Threads.
        random_state: Seed.

    Attributes:
        means_: Means by cluster and arm, of all units of the experiment.
        values_: Value per unit on the held-out units by number of clusters, in outcome units.
        scenarios_: Budgets and how likely they are.
        distillation_: How well the classifier does.

    Source: "Hidden-representation clustering" (2025), arXiv 2506.00959, as far as its abstract tells: network,
    partition of its hidden layer, stochastic programme, distilled classifier. How means are estimated, drawn together
    and how the number of clusters is chosen is this package's.
    """

    def __init__(
        self,
        on: Literal["hidden", "uplift"] = "hidden",
        *,
        clusters: int | None = None,
        shrinkage: Shrinkage = "empirical_bayes",
        hidden: Sequence[int] = (64, 32),
        distilled: Sequence[int] | None = None,
        budgets: Sequence[float] | None = None,
        budget_weights: Sequence[float] | None = None,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-5,
        batch_size: int = 512,
        epochs: int = 100,
        patience: int = 10,
        validation_share: float = 0.2,
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.on = on
        self.clusters = clusters
        self.shrinkage = shrinkage
        self.hidden = hidden
        self.distilled = distilled
        self.budgets = budgets
        self.budget_weights = budget_weights
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.validation_share = validation_share
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def clusters_(self) -> int:
        """How many clusters there are."""
        return len(self._partition)

    def assign_cluster(self, X: Any, *, distilled: bool = False) -> Codes:
        """The cluster of every unit, shape (n,), codes from 0 on.

        Args:
            X: As for ``predict``.
            distilled: Whether the classifier says it, as in serving, instead of network and partition.

        Raises:
            InputError: As for ``predict``.
        """
        check_is_fitted(self, "means_")
        return self._clusters_of(self._design(X), self._classifier.classify if distilled else self._assign)

    def programme(self, *, overrun: float = 1.0, caution: float = 0.0) -> Programme:
        """Plans for the declared budgets: one for each, and one for all of them.

        Args:
            overrun: Largest probability that the shared plan costs more than the budget and has to be cut.
            caution: Standard errors that outcomes are taken lower and costs higher than their means.

        Raises:
            InputError: As for ``causal_tasks.allocation.programme.shared_plan``.
        """
        check_is_fitted(self, "means_")
        return solve_programme(self.means_, self.scenarios_, overrun=overrun, caution=caution)

    def serving_table(self, *, shared: bool = False, overrun: float = 1.0, caution: float = 0.0) -> pd.DataFrame:
        """What to give a unit of a cluster under a budget.

        Args:
            shared: Whether the arm of a cluster is the same under every budget, so that it can be assigned before the
                budget is known.
            overrun: As for ``programme``.
            caution: Likewise.

        Returns:
            One row for each budget and cluster: ``budget`` per unit, ``cluster``, ``arm``, the ``share`` of the units
            that get it, drawn at random, and the arm ``otherwise``. Without ``shared`` at most one cluster of a budget
            is divided.

        Raises:
            InputError: As for ``programme``.
        """
        return self.programme(overrun=overrun, caution=caution).table(self.arms_, shared=shared)

    def _fit(self, data: Responses, logs: Responses | None) -> None:  # noqa: ARG002 - USES_LOGS is False
        from causal_tasks.allocation.networks.decision_value import DecisionValue, UnbiasedLevels
        from causal_tasks.allocation.networks.forecaster import Forecaster
        from causal_tasks.allocation.networks.prices import BudgetPrices
        from causal_tasks.uplift.networks.trainer import threads

        self._require_parameters()
        held_out = data.held_out(self.validation_share, seed=self.random_state)
        training, validation = data.take(~held_out), data.take(held_out)
        with threads(self.n_jobs):
            self.forecaster_ = Forecaster.fitted_to(
                training, validation, self._schedule, hidden=tuple(self.hidden), device=self.device
            )
            learned, unseen = (
                self.forecaster_.predict_units(self.forecaster_.units(part)) for part in (training, validation)
            )
            prices = BudgetPrices.of(learned, self.budgets, self.budget_weights)
            self.scenarios_ = Scenarios(prices.budgets, prices.weights)
            value = DecisionValue(UnbiasedLevels.of(validation, unseen), prices)
            self._partition = self._best_partition(training, validation, value)
            self._distil(training, validation, value)
            self.means_ = self._means(data, self._clusters_of(data.X, self._assign), self.clusters_)
        self.notes_ += prices.notes
        if empty := self.means_.empty_cells:
            self.notes_ += (f"arm_missing_in_cluster:{empty}",)

    def _best_partition(self, training: Responses, validation: Responses, value: "DecisionValue") -> Partition:
        """The partition whose means, learned on some units, have the largest value on the others."""
        from threadpoolctl import threadpool_limits

        from causal_tasks.allocation.networks.representation import closeness

        seen = self._represent(training.X)
        weight = closeness(seen, self.on, price=float(value.prices.prices @ value.prices.weights))
        most = len(training) // (_UNITS_PER_CELL * len(training.labels))
        tried = [self.clusters] if self.clusters else [k for k in CANDIDATES if k <= most] or [CANDIDATES[0]]
        self.values_: dict[int, Estimate] = {}
        partitions, unseen = {}, self._represent(validation.X)
        for clusters in tried:
            with threadpool_limits(self.n_jobs, user_api="openmp"):
                partition = Partition.learn(seen, clusters, weight=weight, seed=self.random_state)
            means = self._means(training, partition.nearest(seen), clusters)
            self.values_[clusters] = mean_estimate(value.of_units(means.forecast(partition.nearest(unseen))))
            partitions[clusters] = partition
        return partitions[max(tried, key=lambda clusters: self.values_[clusters].estimate)]

    def _distil(self, training: Responses, validation: Responses, value: "DecisionValue") -> None:
        """Teach the classifier the clusters of some units; of the others one half stops it, one half measures it."""
        from causal_tasks.allocation.networks.cluster_classifier import ClusterClassifier, ClusteredUnits

        seen, unseen = (self._clusters_of(part.X, self._assign) for part in (training, validation))
        some = next(training.X.chunks())
        stopping = validation.held_out(0.5, seed=self.random_state)
        self._classifier = ClusterClassifier.learn(
            ClusteredUnits.of_units(self.forecaster_.units(training), seen),
            ClusteredUnits.of_units(self.forecaster_.units(validation.take(stopping)), unseen[stopping]),
            self.forecaster_,
            nearness=self._partition.nearness(self._represent(some)),
            hidden=None if self.distilled is None else tuple(self.distilled),
            schedule=self._schedule,
        )
        means = self._means(training, seen, self.clusters_)
        said = self._clusters_of(validation.X, self._classifier.classify)
        lost = value.of_units(means.forecast(unseen)) - value.of_units(means.forecast(said))
        self.distillation_ = Distillation(
            accuracy=mean_estimate((said == unseen)[~stopping].astype(np.float64)),
            value_loss=mean_estimate(lost[~stopping]),
        )

    def _clusters_of(self, design: DesignMatrix | StoredDesign, assign: Callable[[DesignMatrix], Codes]) -> Codes:
        from causal_tasks.uplift.networks.trainer import threads

        with threads(self.n_jobs):
            return np.concatenate([assign(chunk) for chunk in design.chunks()])

    def _means(self, data: Responses, cluster: Codes, clusters: int) -> ClusterMeans:
        return ClusterMeans.of(data, cluster, clusters=clusters, shrinkage=self.shrinkage)

    def _represent(self, X: DesignMatrix) -> NDArray[np.float32]:
        from causal_tasks.allocation.networks.representation import represent

        return np.concatenate([represent(self.forecaster_, chunk, self.on) for chunk in X.chunks()])

    def _assign(self, chunk: DesignMatrix) -> Codes:
        return self._partition.nearest(self._represent(chunk))

    def _predict(self, chunk: DesignMatrix) -> Forecast:
        from causal_tasks.uplift.networks.trainer import threads

        with threads(self.n_jobs):
            return self.means_.forecast(self._assign(chunk))

    def _write(self, folder: Path) -> dict[str, Any]:
        return {
            "forecaster": super()._write(folder),
            "classifier": self._classifier.write(folder),
            "partition": self._partition.to_state(),
            "means": {field.name: getattr(self.means_, field.name).tolist() for field in fields(ClusterMeans)},
            "values": {str(clusters): value.model_dump() for clusters, value in self.values_.items()},
            "scenarios": {"budgets": self.scenarios_.budgets.tolist(), "weights": self.scenarios_.weights.tolist()},
            "distillation": self.distillation_.model_dump(),
        }

    def _read(self, folder: Path, state: Mapping[str, Any]) -> None:
        from causal_tasks.allocation.networks.cluster_classifier import ClusterClassifier

        super()._read(folder, state["forecaster"])
        self._classifier = ClusterClassifier.read(folder, state["classifier"], self.forecaster_.encoding)
        self._partition = Partition.from_state(state["partition"])
        self.means_ = ClusterMeans(**{name: np.asarray(values) for name, values in state["means"].items()})
        self.values_ = {int(clusters): Estimate(**value) for clusters, value in state["values"].items()}
        self.scenarios_ = Scenarios(*(np.asarray(state["scenarios"][name]) for name in ("budgets", "weights")))
        self.distillation_ = Distillation(**state["distillation"])

    def _require_parameters(self) -> None:
        if self.on not in ("hidden", "uplift"):
            raise InputError(f"on {self.on!r} is unknown", remedy="use hidden or uplift")
        if self.clusters is not None and not (isinstance(self.clusters, int) and self.clusters >= 2):
            raise InputError(
                f"clusters is {self.clusters!r}", remedy="ask for a whole number from 2 on, or None to have it chosen"
            )
