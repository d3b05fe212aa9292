"""The record of any estimated number and its uncertainty."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from causal_tasks.effects.inference import two_sided_p_value, two_sided_quantile

LEVEL = 0.95


class Estimate(BaseModel):
    """A number with its uncertainty, in outcome units unless said otherwise.

    Attributes:
        estimate: The number.
        standard_error: Of ``estimate``.
        interval: Two-sided, normal, 95 % unless said otherwise.
        p_value: Two-sided, of zero.
    """

    model_config = ConfigDict(frozen=True)

    estimate: float
    standard_error: float
    interval: tuple[float, float]
    p_value: float

    @classmethod
    def of(cls, estimate: float, standard_error: float, *, level: float = LEVEL) -> Self:
        """The record of a number that is normal around the truth with a known standard error.

        Raises:
            InputError: ``level`` is no share.
        """
        half = two_sided_quantile(level) * standard_error
        return cls(
            estimate=estimate,
            standard_error=standard_error,
            interval=(estimate - half, estimate + half),
            p_value=two_sided_p_value(estimate, standard_error),
        )
