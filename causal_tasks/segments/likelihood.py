"""Likelihoods of a response given a linear predictor, with what their convex duals need."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from causal_tasks.errors import InputError

Family = Literal["binomial", "poisson", "gaussian"]
FAMILIES = get_args(Family)

Vector = NDArray[np.float64]

BORDER = 1e-12
"""By which rounding may leave an expected response outside of its range: those of people who all responded alike."""


class Likelihood(Protocol):
    """A generalised linear model with its canonical link.

    The loss of a person with linear predictor eta and response y is half the deviance: A(eta) - y eta, less what that
    is for the y itself. So it is never negative, and a relative gap means something. Arrays may be those of numpy or of
    torch; ``xp`` is the module they are of.
    """

    @property
    def name(self) -> Family:
        """Of the family."""
        ...

    def mean(self, eta: Any, xp: Any = np) -> Any:
        """A'(eta): the expected response."""
        ...

    def weight(self, mean: Any) -> Any:
        """A'' where the expected response is ``mean``."""
        ...

    def loss(self, eta: Any, response: Any, xp: Any = np) -> Any:
        """Half the deviance of every person."""
        ...

    def dual(self, expected: Any, response: Any, xp: Any = np) -> Any:
        """What every person adds to the dual objective; ``expected`` is allowed."""
        ...

    def allows(self, expected: Any) -> bool:
        """Whether all of these can be expected responses, but for rounding."""
        ...

    def link(self, mean: Vector) -> Vector:
        """The linear predictor at which the expected response is ``mean``."""
        ...

    def check(self, response: Vector) -> None:
        """Raise InputError where a value cannot be a response of this family."""
        ...


@dataclass(frozen=True, slots=True)
class Binomial:
    """A response of 0 or 1, logit link."""

    name: Family = "binomial"

    def mean(self, eta: Any, xp: Any = np) -> Any:
        """See ``Likelihood``."""
        return 1 / (1 + xp.exp(-eta))

    def weight(self, mean: Any) -> Any:
        """See ``Likelihood``."""
        return mean * (1 - mean)

    def loss(self, eta: Any, response: Any, xp: Any = np) -> Any:
        """See ``Likelihood``."""
        return xp.clip(eta, 0, None) + xp.log1p(xp.exp(-xp.abs(eta))) - response * eta

    def dual(self, expected: Any, response: Any, xp: Any = np) -> Any:  # noqa: ARG002
        """See ``Likelihood``."""
        return -_x_log_x(expected, xp) - _x_log_x(1 - expected, xp)

    def allows(self, expected: Any) -> bool:
        """See ``Likelihood``."""
        return bool(((expected >= -BORDER) & (expected <= 1 + BORDER)).all())

    def link(self, mean: Vector) -> Vector:
        """See ``Likelihood``."""
        return np.asarray(np.log(mean / (1 - mean)))

    def check(self, response: Vector) -> None:
        """See ``Likelihood``."""
        outside = (response != 0) & (response != 1)
        _require(outside, response, "0 or 1", "poisson for counts, gaussian for other numbers")


@dataclass(frozen=True, slots=True)
class Poisson:
    """A count, log link."""

    name: Family = "poisson"

    def mean(self, eta: Any, xp: Any = np) -> Any:
        """See ``Likelihood``."""
        return xp.exp(eta)

    def weight(self, mean: Any) -> Any:
        """See ``Likelihood``."""
        return mean

    def loss(self, eta: Any, response: Any, xp: Any = np) -> Any:
        """See ``Likelihood``."""
        return xp.exp(eta) - response * eta - _saturated(response, xp)

    def dual(self, expected: Any, response: Any, xp: Any = np) -> Any:
        """See ``Likelihood``."""
        return _saturated(expected, xp) - _saturated(response, xp)

    def allows(self, expected: Any) -> bool:
        """See ``Likelihood``."""
        return bool((expected >= -BORDER).all())

    def link(self, mean: Vector) -> Vector:
        """See ``Likelihood``."""
        return np.asarray(np.log(mean))

    def check(self, response: Vector) -> None:
        """See ``Likelihood``."""
        outside = (response < 0) | (response != np.floor(response))
        _require(outside, response, "a count: 0, 1, 2, …", "gaussian for numbers that are no counts")


@dataclass(frozen=True, slots=True)
class Gaussian:
    """A number, identity link; the loss is half the squared error."""

    name: Family = "gaussian"

    def mean(self, eta: Any, xp: Any = np) -> Any:  # noqa: ARG002
        """See ``Likelihood``."""
        return eta

    def weight(self, mean: Any) -> Any:
        """See ``Likelihood``."""
        return mean * 0 + 1

    def loss(self, eta: Any, response: Any, xp: Any = np) -> Any:  # noqa: ARG002
        """See ``Likelihood``."""
        return (response - eta) ** 2 / 2

    def dual(self, expected: Any, response: Any, xp: Any = np) -> Any:  # noqa: ARG002
        """See ``Likelihood``."""
        return (response**2 - expected**2) / 2

    def allows(self, expected: Any) -> bool:  # noqa: ARG002
        """See ``Likelihood``."""
        return True

    def link(self, mean: Vector) -> Vector:
        """See ``Likelihood``."""
        return mean

    def check(self, response: Vector) -> None:
        """See ``Likelihood``: every finite number can be one."""


_BY_NAME: dict[Family, Likelihood] = {"binomial": Binomial(), "poisson": Poisson(), "gaussian": Gaussian()}


def likelihood_of(family: str) -> Likelihood:
    """The likelihood of this name.

    Raises:
        InputError: There is none.
    """
    for name, likelihood in _BY_NAME.items():
        if name == family:
            return likelihood
    raise InputError(f"family {family!r} is unknown", remedy=f"use one of {', '.join(FAMILIES)}")


def _saturated(count: Any, xp: Any) -> Any:
    """What A(eta) - y eta is where a Poisson model expects every count."""
    return count - _x_log_x(count, xp)


def _x_log_x(x: Any, xp: Any) -> Any:
    return x * xp.log(xp.where(x > 0, x, xp.ones_like(x)))


def _require(outside: NDArray[np.bool_], response: Vector, wanted: str, others: str) -> None:
    if outside.any():
        value = response[outside][0]
        raise InputError(
            f"response {value:g} in {int(outside.sum())} rows, such as row {int(outside.argmax())}, is not {wanted}",
            remedy=f"correct the response, or use family {others}",
        )
