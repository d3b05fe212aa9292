"""TARNet and DragonNet as learners of the effect on each user; torch is imported when they are used."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from causal_tasks.base_models import DesignMatrix, Features, Range, deciding
from causal_tasks.errors import InputError
from causal_tasks.uplift.learner import Effects, UpliftLearner
from causal_tasks.uplift.training_data import TrainingData

if TYPE_CHECKING:
    from causal_tasks.uplift.networks.fitted import FittedNetwork
    from causal_tasks.uplift.networks.trainer import Training

_SEARCHED: Mapping[str, Range] = {
    "learning_rate": Range(5e-4, 1e-2, log=True),
    "hidden": Range(16, 256, log=True),
    "weight_decay": Range(1e-4, 3e-1, log=True),
    "batch_size": Range(128, 2048, log=True),
}

_COUNTS = ("hidden", "head", "batch_size", "max_steps", "patience", "n_jobs")


class NetworkLearner(UpliftLearner):
    """What both networks share.

    Attributes:
        network_: The fitted network with its encoding of features.
        training_: Held-out losses and the epoch that was kept; not of a network that was loaded.
    """

    FITS_EACH_ARM: ClassVar[bool] = False
    device: Literal["cpu", "cuda"] = "cpu"

    network_: "FittedNetwork"
    training_: "Training"

    def __init__(
        self,
        *,
        hidden: int = 64,
        head: int = 32,
        learning_rate: float = 5e-3,
        weight_decay: float = 2e-2,
        batch_size: int = 512,
        max_steps: int = 1500,
        patience: int = 4,
        validation_share: float = 0.2,
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.hidden = hidden
        self.head = head
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_steps = max_steps
        self.patience = patience
        self.validation_share = validation_share
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def features_(self) -> Features:
        """The features it was fitted on, with their levels."""
        return self.network_.encoding.features

    @property
    def search_space(self) -> Mapping[str, Range]:
        """What tuning may set, by parameter."""
        return _SEARCHED

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

    @property
    @abstractmethod
    def _weights(self) -> tuple[float, float | None]:
        """Weights of the propensity and of targeted regularisation in the loss; None: there is none."""

    @property
    @abstractmethod
    def _targeted(self) -> bool:
        """Whether outcomes are predicted with the correction."""

    def _fit(self, data: TrainingData) -> None:
        from causal_tasks.uplift.networks.fitted import FittedNetwork, Plan
        from causal_tasks.uplift.networks.trainer import Schedule

        self._require_parameters()
        alpha, beta = self._weights
        plan = Plan(
            hidden=self.hidden,
            head=self.head,
            schedule=Schedule(
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                batch_size=self.batch_size,
                max_steps=self.max_steps,
                patience=self.patience,
                seed=self.random_state,
            ),
            validation_share=self.validation_share,
            alpha=alpha,
            beta=beta,
            device=self.device,
            n_jobs=self.n_jobs,
        )
        self.network_, self.training_ = FittedNetwork.fit(data, plan)

    def _require_parameters(self) -> None:
        alpha, beta = self._weights
        right = {
            **{name: getattr(self, name) >= 1 for name in _COUNTS},
            "learning_rate": self.learning_rate > 0,
            "weight_decay": self.weight_decay >= 0,
            "validation_share": 0 < self.validation_share < 1,
            "alpha": alpha >= 0,
            "beta": beta is None or beta >= 0,
        }
        if wrong := {name: getattr(self, name) for name, is_right in right.items() if not is_right}:
            raise InputError(
                f"{type(self).__name__} has {', '.join(f'{name}={value}' for name, value in wrong.items())}",
                remedy=f"make {', '.join(_COUNTS)} at least 1, learning_rate positive, the weights of penalties and "
                "losses not negative, and let validation_share lie between 0 and 1",
            )

    def _predict_outcomes(self, X: DesignMatrix) -> Effects:
        return self.network_.outcomes(X, targeted=self._targeted, n_jobs=self.n_jobs)

    def _write(self, folder: Path) -> dict[str, Any]:
        return self.network_.write(folder)

    def _read(self, folder: Path, state: Mapping[str, Any]) -> None:
        from causal_tasks.uplift.networks.fitted import FittedNetwork

        self.network_ = FittedNetwork.read(folder, state)


class DualHead(NetworkLearner):
    """TARNet: one representation of the user, and on it a network for the outcome under each arm.

    Three shared layers, two layers and a linear unit for each arm, ELU throughout, and an L2 penalty on the weights of
    the heads alone, as in Shi, Blei and Veitch's code. Their TARNet also has a propensity unit that reads the features
    and lets no gradient into the representation; since it changes nothing else it is left out here.

    Outcomes of only 0 and 1 are fitted with log loss, all others standardised and with squared error, and either loss
    is divided by that of a constant. The authors use squared error for both; on simulated rare outcomes log loss
    recovers the effects better. Missing numbers and levels are features of their own. Layers are narrower and the
    penalty is stronger than the authors': effects are small beside the noise of an outcome.

    The same data, parameters and machine give the same network bit by bit on the processor; on a GPU nearly so.

    Args:
        hidden: Units of a shared layer.
        head: Units of a head's layer.
        learning_rate: Of Adam.
        weight_decay: L2 penalty on the weights of the heads, added to the mean loss of a mini-batch; the authors' 0.01
            is added to a sum.
        batch_size: Rows of a mini-batch; fewer, but not below 32, where a pass over the rows would have less than 16.
        max_steps: Mini-batches, at most.
        patience: Training ends after so many times 100 mini-batches without a smaller loss on the held-out rows.
        validation_share: Share of rows of every arm that are held out to decide when to stop, at most 50,000 in all.
        device: ``cuda`` trains on a GPU, in mixed precision; predictions are made on the processor.
        n_jobs: Threads; more than one seldom pays for layers this narrow.
        random_state: Seed.

    Source: Shalit, Johansson, Sontag (2017), section 4.
    """

    @property
    def _weights(self) -> tuple[float, float | None]:
        return 0.0, None

    @property
    def _targeted(self) -> bool:
        return False


class DragonNet(NetworkLearner):
    """DragonNet: the network of ``DualHead`` that must also tell who is treated, with targeted regularisation.

    The propensity head, linear in the representation, keeps in it what decides the treatment and so confounds the
    outcome. Targeted regularisation teaches one number epsilon for each treatment that corrects the outcomes; formulas
    and the form for several treatments are in ``losses``. After training epsilon is solved for exactly on the rows that
    were trained on, so that the score equations of the average effects hold there.

    Where the shares of the arms are known, as in a randomised experiment, they take the place of the modelled
    propensity and there is no propensity head, since it could only learn noise: ``alpha`` then has no effect, and the
    correction moves the effects of all users alike and leaves their ranking as it was.

    Effects come in two kinds. Targeted ones, the default, are q_k - q_0 with the correction, which is the paper's
    estimator of the average effect. Plain ones are q_k - q_0 alone, which the authors' tables average. The penalty that
    keeps effects from following noise also leaves confounding in plain ones, and the correction takes it out: see
    ``docs/calibration.md``. The correction divides by the propensity, so where one arm is rarely seen it is large, up
    to about 100 times epsilon: plain effects may rank such users better. The choice may be changed after ``fit``.

    Args:
        hidden: Units of a shared layer.
        head: Units of a head's layer.
        learning_rate: Of Adam.
        weight_decay: L2 penalty on the weights of the heads, added to the mean loss of a mini-batch.
        alpha: Weight of the propensity's log loss.
        beta: Weight of targeted regularisation.
        targeted: Whether to predict targeted effects or plain ones.
        batch_size: Rows of a mini-batch; fewer, but not below 32, where a pass over the rows would have less than 16.
        max_steps: Mini-batches, at most.
        patience: Training ends after so many times 100 mini-batches without a smaller loss on the held-out rows.
        validation_share: Share of rows of every arm that are held out to decide when to stop, at most 50,000 in all.
        device: ``cuda`` trains on a GPU, in mixed precision; predictions are made on the processor.
        n_jobs: Threads; more than one seldom pays for layers this narrow.
        random_state: Seed.

    Source: Shi, Blei, Veitch (2019), sections 2 and 3.
    """

    def __init__(
        self,
        *,
        hidden: int = 64,
        head: int = 32,
        learning_rate: float = 5e-3,
        weight_decay: float = 2e-2,
        alpha: float = 1.0,
        beta: float = 1.0,
        targeted: bool = True,
        batch_size: int = 512,
        max_steps: int = 1500,
        patience: int = 4,
        validation_share: float = 0.2,
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            hidden=hidden,
            head=head,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            batch_size=batch_size,
            max_steps=max_steps,
            patience=patience,
            validation_share=validation_share,
            device=device,
            n_jobs=n_jobs,
            random_state=random_state,
        )
        self.alpha = alpha
        self.beta = beta
        self.targeted = targeted

    @property
    def search_space(self) -> Mapping[str, Range]:
        """What tuning may set, by parameter."""
        return {**_SEARCHED, "alpha": Range(1e-2, 1e1, log=True), "beta": Range(1e-2, 1e1, log=True)}

    @property
    def _weights(self) -> tuple[float, float | None]:
        return self.alpha, self.beta

    @property
    def _targeted(self) -> bool:
        return self.targeted
