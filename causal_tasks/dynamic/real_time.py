"""The request-time model: how much more or less than usual a user is in for each category of durations right now."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from causal_tasks.base_models import deciding
from causal_tasks.dynamic.interest_model import InterestModel
from causal_tasks.dynamic.request_encoding import RequestEncoding
from causal_tasks.dynamic.requests import Requests
from causal_tasks.errors import InputError
from causal_tasks.uplift.networks.held_out import MOST_ROWS
from causal_tasks.uplift.saved_model import FORMAT, ModelDescription, digests

if TYPE_CHECKING:
    from causal_tasks.dynamic.networks.interest import Plan
    from causal_tasks.dynamic.networks.training import Training

_COUNTS = ("experts", "embedding", "hidden", "tower", "n_jobs")

Numbers = NDArray[np.float64]


class RealTimeInterest(BaseEstimator):  # type: ignore[misc]
    """Interest r_k of a request in the category of durations that treatment k raises, about 1 (CDUM's FIC).

    Embeddings of what was played last and of the candidates are averaged and put beside the context; experts read them,
    and for every treatment a gate mixes the experts and a tower turns the mixture into a number above 0. Labels are
    those of ``interest_labels``. After training each treatment's interest is multiplied so that over the requests that
    were learned from it has the mean of the labels: Huber's loss draws skewed labels toward their median, and an
    interest that is 0.8 on average would make r_k y_k - y_0 negative for nearly everybody.

    It is trained by torch and predicts by numpy in double precision, so that a server needs no torch and a request
    gets the same answer alone and among others. The same data, parameters and machine give the same model bit by bit on
    the processor; on a GPU nearly so.

    Args:
        experts: Number of experts; of no meaning for ``shared_bottom``.
        embedding: Numbers that stand for a token.
        hidden: Units of an expert.
        tower: Units of a treatment's tower.
        mixture: ``mmoe``, or ``shared_bottom`` for one expert that all treatments share, without gates.
        loss: ``huber`` with delta 1 as published, or ``squared``.
        learning_rate: Of Adam in the first epoch.
        batch_size: Requests of a mini-batch; fewer where there would be less than 16.
        max_epochs: Passes over the requests, at most.
        patience: Epochs without a smaller held-out loss, after which training ends.
        validation_share: Share of users whose requests tell when to stop; of about 50,000 requests, at most.
        device: ``cuda`` trains on a GPU; predictions are made on the processor.
        n_jobs: Threads; more than one seldom pays for layers this narrow.
        random_state: Seed.

    Attributes:
        model_: The fitted model.
        n_treatments_: K.
        training_: Held-out losses and the epoch that was kept; not of a model that was loaded.

    Source: CDUM (arXiv 2410.16755), the fine-grained interest capture.
    """

    model_: InterestModel
    n_treatments_: int
    training_: "Training"

    def __init__(
        self,
        *,
        experts: int = 4,
        embedding: int = 16,
        hidden: int = 32,
        tower: int = 16,
        mixture: Literal["mmoe", "shared_bottom"] = "mmoe",
        loss: Literal["huber", "squared"] = "huber",
        learning_rate: float = 5e-3,
        batch_size: int = 1024,
        max_epochs: int = 30,
        patience: int = 5,
        validation_share: float = 0.2,
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int = 1,
        random_state: int = 42,
    ) -> None:
        self.experts = experts
        self.embedding = embedding
        self.hidden = hidden
        self.tower = tower
        self.mixture = mixture
        self.loss = loss
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_share = validation_share
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, requests: Requests, labels: ArrayLike, *, users: ArrayLike) -> Self:
        """Learn interest from requests and what came of them.

        Args:
            requests: What was known of n requests.
            labels: Shape (n, K), not negative, NaN where a request has none, see ``interest_labels``.
            users: Shape (n,), whose requests they are: those of one user are held out together.

        Raises:
            InputError: Lengths differ, a label is negative or infinite, a treatment has no label above 0 among the
                users that are learned from or none among those held out, or a parameter is out of range.
        """
        from causal_tasks.dynamic.networks.interest import fit_network

        plan = self._plan()
        target = _checked_labels(labels, len(requests))
        held_out = self._held_out(users, len(requests))
        labelled = np.isfinite(target).any(axis=1)
        learned, looked_at = np.flatnonzero(labelled & ~held_out), np.flatnonzero(labelled & held_out)
        _require_all_treatments(target[learned], "that are learned from")
        _require_above_zero(target[learned])
        _require_all_treatments(target[looked_at], "that are held out")
        encoding = RequestEncoding.learn(requests.take(learned))
        rows = encoding.encode(requests.take(learned))
        network, self.training_ = fit_network(
            (rows, target[learned]),
            (encoding.encode(requests.take(looked_at)), target[looked_at]),
            encoding.widths,
            plan,
        )
        self.n_treatments_ = target.shape[1]
        weights = {name: value.double().numpy() for name, value in network.state_dict().items()}
        model = InterestModel(encoding, weights, np.ones(self.n_treatments_))
        self.model_ = model.scaled(rows, target[learned])
        return self

    def predict(self, requests: Requests) -> Numbers:
        """Interest in every treatment's category, shape (n, K), above 0.

        Raises:
            InputError: The requests have other categories of durations or another context than those of ``fit``.
        """
        check_is_fitted(self, "model_")
        return self.model_.predict(requests)

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and the weights, in formats that hold no code."""
        check_is_fitted(self, "model_")
        folder.mkdir(parents=True, exist_ok=True)
        state = self.model_.write(folder)
        ModelDescription(
            format=FORMAT,
            learner=type(self).__name__,
            library=None,
            parameters=deciding(self.get_params()),
            arms=[],
            propensity=None,
            features=list(self.model_.encoding.context_names),
            state=state,
            files=digests(folder),
        ).write(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that ``save`` wrote to ``folder``.

        Raises:
            InputError: The folder holds another model, one that another version wrote, or files that have changed
                since.
        """
        description = ModelDescription.read(folder)
        description.require(cls.__name__, folder)
        model = cls(**description.parameters)
        model.model_ = InterestModel.read(folder, description.state)
        model.n_treatments_ = len(model.model_.scale)
        return model

    def _plan(self) -> "Plan":
        from causal_tasks.dynamic.networks.interest import Architecture, Plan
        from causal_tasks.dynamic.networks.training import Schedule

        self._require_parameters()
        return Plan(
            architecture=Architecture(
                embedding=self.embedding,
                hidden=self.hidden,
                tower=self.tower,
                experts=self.experts if self.mixture == "mmoe" else None,
            ),
            loss=self.loss,
            schedule=Schedule(
                learning_rate=self.learning_rate,
                batch_size=self.batch_size,
                epochs=self.max_epochs,
                patience=self.patience,
                seed=self.random_state,
            ),
            device=self.device,
            n_jobs=self.n_jobs,
        )

    def _require_parameters(self) -> None:
        right = {
            **{name: getattr(self, name) >= 1 for name in _COUNTS},
            "mixture": self.mixture in ("mmoe", "shared_bottom"),
            "loss": self.loss in ("huber", "squared"),
            "validation_share": 0 < self.validation_share < 1,
        }
        if wrong := [f"{name}={getattr(self, name)!r}" for name, is_right in right.items() if not is_right]:
            raise InputError(
                f"{type(self).__name__} has {', '.join(wrong)}",
                remedy=f"make {', '.join(_COUNTS)} at least 1, let mixture be mmoe or shared_bottom, loss huber or "
                "squared, and validation_share lie between 0 and 1",
            )

    def _held_out(self, users: ArrayLike, requests: int) -> NDArray[np.bool_]:
        """Which requests tell when to stop, shape (n,): all of some users."""
        of_user, known = pd.factorize(np.asarray(users))
        if len(of_user) != requests or (of_user < 0).any():
            raise InputError(
                f"users has {len(of_user):,} values of which {(of_user < 0).sum():,} are missing, "
                f"there are {requests:,} requests",
                remedy="pass the user of every request",
            )
        share = min(self.validation_share, MOST_ROWS / max(1, requests))
        number = max(1, round(share * len(known)))
        chosen = np.zeros(len(known), dtype=np.bool_)
        chosen[np.random.default_rng(self.random_state).permutation(len(known))[:number]] = True
        return np.asarray(chosen[of_user])


def _checked_labels(labels: ArrayLike, requests: int) -> Numbers:
    target = np.asarray(labels, dtype=np.float64)
    if target.ndim != 2 or len(target) != requests or not target.shape[1]:
        raise InputError(
            f"labels have the shape {target.shape}, there are {requests:,} requests",
            remedy="pass a row for every request and a column for every treatment",
        )
    if wrong := int(((target < 0) | np.isinf(target)).sum()):
        raise InputError(
            f"labels: {wrong:,} are negative or infinite",
            remedy="make them by interest_labels, NaN where there is none",
        )
    return target


def _require_above_zero(labels: Numbers) -> None:
    """Interest has the mean of its labels, and one of 0 would switch its treatment off for good."""
    if zero := np.flatnonzero(~(labels > 0).any(axis=0)).tolist():
        raise InputError(
            f"labels: of the {len(labels):,} requests that are learned from, none has a label above 0 in column "
            f"{zero[0]}",
            remedy="pass requests of more users, some of whom played items of every treatment's category to the end",
        )


def _require_all_treatments(labels: Numbers, which: str) -> None:
    if lacking := np.flatnonzero(~np.isfinite(labels).any(axis=0)).tolist():
        raise InputError(
            f"labels: of the {len(labels):,} requests {which}, none has a label in column {lacking[0]}",
            remedy="pass requests of more users that showed items of every treatment's category",
        )
