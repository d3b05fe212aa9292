"""DHCL: learns the number that decides, such as the return on cost, in place of outcome and cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from causal_tasks.allocation.contrasts import (
    Contrasts,
    Differences,
    Kind,
    contrasts_of,
    require_rising_cost,
    suitable_kind,
)
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.network_model import LearnedByNetworks
from causal_tasks.allocation.responses import Responses
from causal_tasks.base_models import DesignMatrix, Features
from causal_tasks.errors import InputError

if TYPE_CHECKING:
    from causal_tasks.allocation.networks.decision_value import UnbiasedLevels
    from causal_tasks.allocation.networks.training import Training

AnyKind = Literal["auto", "uplift_rank", "direct_roi", "marginal_roi"]
Means = Literal["unit", "arm"]

_CHOICES = {"kind": get_args(AnyKind), "means": get_args(Means)}
_COUNTS = ("batch_size", "epochs", "patience", "n_jobs")

_ABOVE_AVERAGE = 5.0
"""How far returns may lie above the average of all units unless stated: beyond, they are not told apart."""

_SMALLEST_STEP = 0.05
"""Of the mean step in cost: a network may predict that a dearer arm costs a unit less, but then nothing could be said
of the return."""


class DecisionFactor(LearnedByNetworks):
    """A network that learns what an allocation sorts units by, without a model of the outcome.

    A unit of cost is spent where it brings most. What decides is therefore one number for each pair of arms, which can
    be learned from the randomisation directly: the effects on outcome and cost enter a convex loss whose optimum is
    their ratio, and what moves the outcome in all arms alike need not be learned. ``kind`` says which number:

    - ``uplift_rank``: what a treatment brings beyond the control, for treatments that cost the same.
    - ``direct_roi``: the same for a unit of what it costs beyond the cheapest arm (DRP).
    - ``marginal_roi``: what the next dearer arm brings for a unit of what it costs beyond the one before (DPM). Returns
      diminish by construction: at the price p of money a unit climbs while the next return is above p.
    - ``auto``: ``marginal_roi`` where several treatments rise in cost step by step, ``direct_roi`` where there is one
      or some cost alike, ``uplift_rank`` where all arms do.

    ``predict`` gives levels that lead to these decisions: outcomes are the sums of return times step in cost, costs are
    known prices or those of a network that predicts them.

    Args:
        kind: See above.
        means: What guesses of a unit's effects start from before what was seen is added, weighed by the inverse
            propensity: ``unit``: networks that have not seen it, which makes them doubly robust; ``arm``: the mean of
            each arm, which is the loss as published, on centred outcomes and costs.
        largest_return: Beyond which no return is told from others, outcome units for a unit of cost; None: 5 times the
            highest average return of a pair, taken two standard errors above its estimate. ``uplift_rank`` has no use
            for it.
        hidden: Units of each hidden layer; () is a linear model.
        learning_rate: Of Adam.
        weight_decay: L2 penalty on all weights.
        batch_size: Units of a mini-batch; large, since the loss of single units is mostly noise.
        epochs: Passes over the units, at most.
        patience: Epochs without a better held-out value, after which training ends.
        validation_share: Share of every arm that is held out to decide when to stop.
        device: Where the networks are.
        n_jobs: Threads.
        random_state: Seed.

    Attributes:
        kind_: Which number was learned.
        pairs_: Lower and upper arm of every pair, in the order of columns of ``roi``.
        training_: Held-out value before training and after every epoch, what the decisions bring net of cost averaged
            over prices; not of a model that was loaded. Where no epoch was better than the average of all units,
            ``notes_`` has ``only_the_average``.

    Source: Zhou et al. (2023), "Direct heterogeneous causal learning for resource allocation problems in marketing".
    """

    training_: "Training"

    def __init__(
        self,
        kind: AnyKind = "auto",
        *,
        means: Means = "unit",
        largest_return: float | None = None,
        hidden: Sequence[int] = (32, 32),
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-3,
        batch_size: int = 1024,
        epochs: int = 100,
        patience: int = 10,
        validation_share: float = 0.2,
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.kind = kind
        self.means = means
        self.largest_return = largest_return
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.validation_share = validation_share
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    def roi(self, X: Any) -> NDArray[np.float32]:
        """The factor itself: shape (n,) for one treatment, (n, K) in the order of ``pairs_`` for more.

        Returns:
            Outcome units for a unit of cost; outcome units for ``uplift_rank``.

        Raises:
            InputError: As for ``predict``.
        """
        check_is_fitted(self, "arms_")
        design = self._design(X)
        factor = np.concatenate([self.network_.factor(chunk) for chunk in design.chunks()])
        return factor[:, 0] if len(self.arms_) == 2 else factor

    @property
    def features_(self) -> Features:
        """The features it was fitted on, with their levels."""
        return self.network_.encoding.features

    @property
    def pairs_(self) -> tuple[tuple[Any, Any], ...]:
        """Lower and upper arm of every pair."""
        return self._contrasts.named(self.arms_)

    def _fit(self, data: Responses, logs: Responses | None) -> None:  # noqa: ARG002 - USES_LOGS is False
        from causal_tasks.allocation.networks.factor_network import FactorNetwork
        from causal_tasks.allocation.networks.forecaster import Forecaster
        from causal_tasks.uplift.networks.trainer import threads

        self._require_parameters()
        with threads(self.n_jobs):
            levels = self._levels(data)
            self.kind_: Kind = suitable_kind(levels.cost) if self.kind == "auto" else self.kind
            self._contrasts = contrasts_of(self.kind_, levels.cost)
            gain, extra_cost = (self._contrasts.effects(values) for values in levels)
            scale = self._scale(Differences.of(gain), Differences.of(extra_cost))
            self.network_: FactorNetwork
            self.network_, self.training_ = FactorNetwork.learn(
                data,
                gain,
                extra_cost,
                self.kind_,
                scale=scale,
                hidden=tuple(self.hidden),
                schedule=self._schedule,
                **self._where,
            )
            self.costs_: Forecaster | None = None
            if data.price is None:
                self.costs_ = Forecaster.fitted(data, self._schedule, hidden=tuple(self.hidden), **self._where)
        base = self._contrasts.lower[0]
        self._base_outcome = float(levels.outcome[:, base].mean())
        self._smallest_steps = _SMALLEST_STEP * np.maximum(extra_cost.mean(axis=0), 0.0)
        if self.training_.best == 0:
            self.notes_ += ("only_the_average",)

    def _levels(self, data: Responses) -> "UnbiasedLevels":
        """Guesses of what every unit would have brought and cost in every arm."""
        from causal_tasks.allocation.networks.cross_fitting import CrossFitted
        from causal_tasks.allocation.networks.decision_value import UnbiasedLevels

        if self.means == "arm":
            means = _arm_means(data)
        else:
            means = CrossFitted.fit(data, self._schedule, **self._where).out_of_fold
        levels = UnbiasedLevels.of(data, means)
        if data.price is None:
            return levels
        return UnbiasedLevels(levels.outcome, np.broadcast_to(data.price, levels.cost.shape))

    def _scale(self, gain: Differences, extra_cost: Differences) -> float:
        """Outcome units, for a unit of cost where that plays a part, of which the network learns a share.

        Raises:
            InputError: There is no gain to rank by, or an arm costs no more than the one that it is compared with.
        """
        if self.kind_ == "uplift_rank":
            if not (mean := float(gain.mean.mean())) > 0:
                raise InputError(
                    f"treatments bring {mean:g} beyond {self.control_!r} on average: uplift_rank learns shares of a "
                    "gain, and there is none",
                    remedy="use TwoStage, which learns effects below zero too",
                )
            return mean
        self.notes_ += require_rising_cost(extra_cost, self.pairs_)
        if self.largest_return is not None:
            return self.largest_return
        return _ABOVE_AVERAGE * float(((np.abs(gain.mean) + 2 * gain.standard_error) / extra_cost.mean).max())

    @property
    def _where(self) -> dict[str, Any]:
        """What is held out of the training of every network, and where that is done."""
        return {"validation_share": self.validation_share, "device": self.device}

    def _require_parameters(self) -> None:
        right = {
            **{name: getattr(self, name) in choices for name, choices in _CHOICES.items()},
            **{name: getattr(self, name) >= 1 for name in _COUNTS},
            "largest_return": self.largest_return is None or self.largest_return > 0,
            "learning_rate": self.learning_rate > 0,
            "weight_decay": self.weight_decay >= 0,
            "hidden": all(units >= 1 for units in self.hidden),
            "validation_share": 0 < self.validation_share < 1,
        }
        if wrong := [name for name, is_right in right.items() if not is_right]:
            choices = "; ".join(f"{name} one of {', '.join(values)}" for name, values in _CHOICES.items())
            raise InputError(
                f"{type(self).__name__} has {', '.join(f'{name}={getattr(self, name)!r}' for name in wrong)}",
                remedy=f"make {choices}; learning_rate and largest_return positive, weight_decay not negative; hidden "
                f"and {', '.join(_COUNTS)} at least 1; and let validation_share lie between 0 and 1",
            )

    def _predict(self, chunk: DesignMatrix) -> Forecast:
        from causal_tasks.uplift.networks.trainer import threads

        with threads(self.n_jobs):
            factor, costs = self.network_.factor(chunk), self._predict_cost(chunk)
        base = np.full(len(chunk), self._base_outcome, dtype=np.float32)
        if self.kind_ == "uplift_rank":
            return Forecast(self._contrasts.levels(base, factor), costs)
        steps = np.maximum(self._contrasts.effects(costs), self._smallest_steps.astype(np.float32))
        return Forecast(
            self._contrasts.levels(base, factor * steps),
            self._contrasts.levels(costs[:, self._contrasts.lower[0]], steps),
        )

    def _predict_cost(self, chunk: DesignMatrix) -> NDArray[np.float32]:
        if self.costs_ is not None:
            return self.costs_.predict(chunk).cost
        return np.broadcast_to(np.asarray(self.prices_by_arm_, dtype=np.float32), (len(chunk), len(self.arms_)))

    def _write(self, folder: Path) -> dict[str, Any]:
        return {
            "factor": self.network_.write(folder),
            "costs": None if self.costs_ is None else self.costs_.write(folder),
            "pairs": [self._contrasts.lower.tolist(), self._contrasts.upper.tolist()],
            "base_outcome": self._base_outcome,
            "smallest_steps": self._smallest_steps.tolist(),
        }

    def _read(self, folder: Path, state: Mapping[str, Any]) -> None:
        from causal_tasks.allocation.networks.factor_network import FactorNetwork
        from causal_tasks.allocation.networks.forecaster import Forecaster

        self.network_ = FactorNetwork.read(folder, state["factor"])
        self.kind_ = self.network_.kind
        self.costs_ = None if state["costs"] is None else Forecaster.read(folder, state["costs"])
        self._contrasts = Contrasts(*(np.asarray(arms, dtype=np.intp) for arms in state["pairs"]))
        self._base_outcome = state["base_outcome"]
        self._smallest_steps = np.asarray(state["smallest_steps"])


def _arm_means(data: Responses) -> Forecast:
    """The same levels for every unit: means of the arms, weighed by the inverse propensity."""
    total = np.bincount(data.arm, data.weight)
    means = (np.bincount(data.arm, data.weight * values) / total for values in (data.outcome, data.cost))
    shape = data.propensity.shape
    outcome, cost = (np.broadcast_to(values.astype(np.float32), shape) for values in means)
    return Forecast(outcome, cost)
