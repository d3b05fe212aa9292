"""The daily preference: what a user brings over a period under every arm, from features alone."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from causal_tasks.base_models import DesignMatrix, Features, Range, deciding
from causal_tasks.dynamic.bucketing import Kind
from causal_tasks.dynamic.networks.choices import Guidance, LossName, Start
from causal_tasks.errors import InputError
from causal_tasks.uplift.learner import Effects, UpliftLearner
from causal_tasks.uplift.training_data import TrainingData

if TYPE_CHECKING:
    from causal_tasks.dynamic.networks.preference import FittedPreference, Plan
    from causal_tasks.dynamic.networks.training import Training


_AVERAGING = 0.99
"""An effect is a difference of towers, in which the noise of single steps does not cancel."""

_COUNTS = ("experts", "buckets", "embedding", "batch_size", "max_epochs", "patience", "n_jobs")

_CHOICES = {
    "bucketing": get_args(Kind),
    "guidance": get_args(Guidance),
    "loss": get_args(LossName),
    "start": get_args(Start),
}


class NegativeFeatureWarning(UserWarning):
    """A feature has negative values, which the paper's buckets do not tell apart."""


class LongTermUplift(UpliftLearner):
    """CPM of CDUM: experts that all arms share, mixed for each arm as its treatment says.

    Every feature is cut into buckets with an embedding each. Three experts of two layers read all embeddings. From the
    embedding of the treatment two small networks make the ``guidance``, from which the gate of the arm decides how much
    of each expert it takes, and the ``indicator``, by which the units of the arm's tower are multiplied. The outcome
    under an arm is softplus of the tower's last unit, so it is never negative. The loss of a row is that of the arm
    that its user was in; so no row teaches the tower or the gate of another arm.

    As in the authors' script, guidance reads the treatment alone: an arm mixes the experts for all users alike. The
    paper says that it filters user features, which ``guidance="features"`` makes true: it then reads the features'
    embeddings too.

    Outcomes that are not all 0 and 1 are divided by their standard deviation in the training rows, so that the Huber
    loss turns linear at an error of one; predictions are in outcome units. Huber loss fits something between mean and
    median: where outcomes are skewed to the right it is below the mean, and so are the effects. ``loss="squared"`` fits
    the mean.

    Effects are small beside the noise of outcomes, and embeddings that start at random must be learned bucket by
    bucket. ``start="ordered"`` therefore lets the arms start alike, so that every effect starts at zero, and numeric
    features start on a line, so that neighbouring buckets act alike until rows tell otherwise; the weights kept are
    averages over the last hundred mini-batches or so. This changes neither the network nor its loss. With
    ``start="keras"`` weights start and are kept as in the authors' script. Under both, the last units start at the mean
    outcome and not at zero.

    The same data, parameters and machine give the same network bit by bit on the processor; on a GPU nearly so.

    Args:
        bucketing: ``paper``: hundredths of the largest value, which cannot tell negative values apart; ``quantile``:
            equally many training rows in each bucket. A categorical feature has a bucket per level.
        guidance: What the gates read. ``paper``: the treatment; ``features``: the treatment and the user's features;
            ``none``: nothing, every arm takes the same share of every expert; ``mmoe``: the user's features, with
            weights of its own for each arm.
        indicator: Whether a tower's units are multiplied by what the treatment's indicator says.
        experts: Their number; 1: a bottom that all arms share, which leaves nothing to mix.
        loss: ``huber`` or ``squared`` error, or ``cross_entropy`` for outcomes of 0 and 1, with a sigmoid in place of
            the softplus.
        start: ``keras``: weights as the authors' script starts and keeps them; ``ordered``: see above.
        buckets: Less one, of a numeric feature.
        embedding: Size of a feature's embedding; a treatment's is four times as large.
        learning_rate: Of Adam; multiplied by 0.6 after two epochs without a smaller held-out loss.
        batch_size: Rows of a mini-batch; fewer, but not below 32, where a pass over the rows would have less than 16.
        max_epochs: Passes over the rows, at most.
        patience: Training ends after so many epochs without a smaller held-out loss.
        validation_share: Share of rows of every arm that are held out to decide when to stop, at most 50,000 in all.
        device: ``cuda`` trains on a GPU; predictions are made on the processor.
        n_jobs: Threads.
        random_state: Seed.

    Attributes:
        network_: The fitted network with its bucketing.
        training_: Held-out losses and the epoch that was kept; not of a model that was loaded.
        refreshes_: How often it was refreshed since it was trained from scratch.
        notes_: Codes of what a reader should know: ``negative_feature:<name>``.

    Source: arXiv 2410.16755 (RecSys 2025), and the authors' script for Criteo.
    """

    FITS_EACH_ARM: ClassVar[bool] = False
    device: Literal["cpu", "cuda"] = "cpu"

    network_: "FittedPreference"
    training_: "Training"
    refreshes_: int
    notes_: tuple[str, ...]

    def __init__(
        self,
        *,
        bucketing: Kind = "paper",
        guidance: Guidance = "paper",
        indicator: bool = True,
        experts: int = 3,
        loss: LossName = "huber",
        start: Start = "ordered",
        buckets: int = 100,
        embedding: int = 32,
        learning_rate: float = 1e-3,
        batch_size: int = 4096,
        max_epochs: int = 30,
        patience: int = 5,
        validation_share: float = 0.2,
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int = 1,
        random_state: int = 42,
    ) -> None:
        self.bucketing = bucketing
        self.guidance = guidance
        self.indicator = indicator
        self.experts = experts
        self.loss = loss
        self.start = start
        self.buckets = buckets
        self.embedding = embedding
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_share = validation_share
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def features_(self) -> Features:
        """The features it was fitted on, with their levels."""
        return self.network_.bucketing.features

    @property
    def search_space(self) -> Mapping[str, Range]:
        """What tuning may set, by parameter."""
        return {
            "learning_rate": Range(3e-4, 1e-2, log=True),
            "batch_size": Range(256, 8192, log=True),
            "embedding": Range(8, 64, log=True),
        }

    @property
    def parameters(self) -> dict[str, Any]:
        """All that decide the result, without ``device`` and ``n_jobs``."""
        return deciding(self.get_params())

    def with_parameters(self, parameters: Mapping[str, Any]) -> Self:
        """An unfitted clone with some of its ``parameters`` changed."""
        return self._with(**parameters)

    @property
    def library(self) -> str:
        """Module whose version decides whether a saved model can be read."""
        return "torch"

    def refreshed(
        self,
        X: Any,
        outcome: ArrayLike,
        treatment: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
        max_epochs: int = 5,
    ) -> Self:
        """A model that starts with the weights of this one and learns from newer rows; this one stays as it is.

        Buckets and the scale of the outcome stay those of the fit from scratch. Where no epoch makes the loss on the
        held-out new rows smaller, the weights stay as well.

        Args:
            X: Shape (n, p), the features of ``fit``, as for ``fit``.
            outcome: Shape (n,), in the unit of ``fit``.
            treatment: Shape (n,), the labels of ``fit``.
            sample_weight: As for ``fit``.
            clusters: As for ``fit``.
            max_epochs: Passes over the new rows, at most.

        Raises:
            InputError: As for ``fit``; or there is a feature, a level or an arm that was not there, or one is lacking.
        """
        check_is_fitted(self, "treatments_")
        data = TrainingData.checked(
            X,
            outcome,
            treatment,
            control=self.control_,
            propensity=None,
            sample_weight=sample_weight,
            clusters=clusters,
        )
        self._require_same(data)
        self._require_outcome(data)
        other: Self = clone(self)
        other.control_, other.treatments_ = self.control_, list(self.treatments_)
        other.propensity_ = self.propensity_
        other.feature_names_in_, other.n_features_in_ = self.feature_names_in_, self.n_features_in_
        other.network_, other.training_ = self.network_.continued(data, self._plan(max_epochs))
        other.refreshes_, other.notes_ = self.refreshes_ + 1, self.notes_
        return other

    def _fit(self, data: TrainingData) -> None:
        from causal_tasks.dynamic.networks.preference import FittedPreference

        self._require_parameters()
        self._require_outcome(data)
        self.network_, self.training_ = FittedPreference.fit(data, self._plan(self.max_epochs))
        self.refreshes_ = 0
        self.notes_ = tuple(self._warned())

    def _plan(self, epochs: int) -> "Plan":
        from causal_tasks.dynamic.networks.preference import Plan
        from causal_tasks.dynamic.networks.training import Schedule

        return Plan(
            bucketing=self.bucketing,
            buckets=self.buckets,
            architecture={
                "embedding": self.embedding,
                "experts": self.experts,
                "guidance": self.guidance,
                "indicator": self.indicator,
            },
            start=self.start,
            loss=self.loss,
            schedule=Schedule(
                learning_rate=self.learning_rate,
                batch_size=self.batch_size,
                epochs=epochs,
                patience=self.patience,
                averaging=_AVERAGING if self.start == "ordered" else 0.0,
                seed=self.random_state,
            ),
            validation_share=self.validation_share,
            device=self.device,
            n_jobs=self.n_jobs,
        )

    def _warned(self) -> list[str]:
        """Codes of the features whose negative values look alike, after a warning."""
        if found := self.network_.bucketing.losing_sign:
            shares = ", ".join(f"{name!r} (negative in {share:.0%} of rows)" for name, share in found.items())
            warnings.warn(
                f"bucketing='paper' puts all negative values into one bucket: {shares}; take bucketing='quantile', or "
                "add a constant to these features",
                NegativeFeatureWarning,
                stacklevel=4,
            )
        return [f"negative_feature:{name}" for name in found]

    def _require_parameters(self) -> None:
        right = {
            **{name: getattr(self, name) in choices for name, choices in _CHOICES.items()},
            **{name: getattr(self, name) >= 1 for name in _COUNTS},
            "learning_rate": self.learning_rate > 0,
            "validation_share": 0 < self.validation_share < 1,
        }
        if wrong := {name: getattr(self, name) for name, is_right in right.items() if not is_right}:
            choices = "; ".join(f"{name} is one of {', '.join(allowed)}" for name, allowed in _CHOICES.items())
            raise InputError(
                f"{type(self).__name__} has {', '.join(f'{name}={value!r}' for name, value in wrong.items())}",
                remedy=f"make {', '.join(_COUNTS)} at least 1, learning_rate positive, and let validation_share lie "
                f"between 0 and 1; {choices}",
            )

    def _require_outcome(self, data: TrainingData) -> None:
        if self.loss == "cross_entropy" and (other := ~np.isin(data.outcome, (0.0, 1.0))).any():
            raise InputError(
                f"outcome: loss='cross_entropy' takes 0 and 1, and row {np.argmax(other)} has "
                f"{data.outcome[np.argmax(other)]:g}",
                remedy="take loss='huber' or loss='squared'",
            )
        if (negative := data.outcome < 0).any():
            raise InputError(
                f"outcome is negative in {int(negative.sum())} rows (first: row {np.argmax(negative)}), and "
                f"{type(self).__name__} predicts none below 0",
                remedy="add a constant to all outcomes, or take DualHead",
            )

    def _require_same(self, data: TrainingData) -> None:
        """Refuse rows that a fit from scratch is needed for; levels are looked at when they are read."""
        for what, found, known in (
            ("the arms", data.labels, self.arms_),
            ("the features", data.X.columns, self.feature_names_in_),
        ):
            new, lacking = ([item for item in a if item not in set(b)] for a, b in ((found, known), (known, found)))
            if new or lacking:
                raise InputError(
                    f"a model is refreshed with {what} that it has: new are {new}, lacking are {lacking}",
                    remedy="pass the same ones, or fit a model anew",
                )

    def _predict_outcomes(self, X: DesignMatrix) -> Effects:
        return self.network_.outcomes(X, n_jobs=self.n_jobs)

    def _write(self, folder: Path) -> dict[str, Any]:
        return {"model": self.network_.write(folder), "refreshes": self.refreshes_, "notes": list(self.notes_)}

    def _read(self, folder: Path, state: Mapping[str, Any]) -> None:
        from causal_tasks.dynamic.networks.preference import FittedPreference

        self.network_ = FittedPreference.read(folder, state["model"])
        self.refreshes_, self.notes_ = state["refreshes"], tuple(state["notes"])
