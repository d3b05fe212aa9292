"""The part of an experiment's statement that says which arms are messages of which segment."""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, field_validator, model_validator

from causal_tasks.experiment_parts import Name, Part

Alpha = Annotated[FiniteFloat, Field(ge=0, le=1)]


class Segmenting(Part):
    """Which arms were made for which segment, and how it is learned who belongs to it.

    An arm of no segment is not learned from; it is what the others are held against.

    Attributes:
        segments: By name, in the order of names: its creatives, which are arms; each arm in one segment at most.
        response: Metric that creatives are to raise or, where less is better, to lower; None: the primary one.
        family: Of the likelihood; ``auto``: binomial where the response takes the values 0 and 1 only, else gaussian.
        alphas: Shares of the penalty on what the creatives of a segment have in common, to choose from; from 0.5 on
            they have nothing in common.
        lams: Strengths of the penalty to choose from.
        lam_ratio: The weakest of them, as a share of the one that leaves every coefficient zero.
        rule: ``best`` takes the pair of alpha and lambda that predicts best, ``one_standard_error`` the strongest
            penalty that predicts nearly as well.
        count_intercepts: Whether it counts for everybody alike that a segment's creatives do better on the whole.
    """

    segments: Annotated[dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]], Field(min_length=1)]
    response: Name | None = None
    family: Literal["auto", "binomial", "poisson", "gaussian"] = "auto"
    alphas: Annotated[tuple[Alpha, ...], Field(min_length=1)] = (0.05, 0.1, 0.2)
    lams: int = Field(default=50, ge=2, le=1000)
    lam_ratio: float = Field(default=0.01, gt=0, lt=1)
    rule: Literal["one_standard_error", "best"] = "one_standard_error"
    count_intercepts: bool = False

    @field_validator("segments")
    @classmethod
    def _in_order_of_names(cls, segments: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """JSON keeps no order, and no result may depend on whether it was read from there."""
        return dict(sorted(segments.items()))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        homes: dict[str, str] = {}
        for segment, creatives in self.segments.items():
            for creative in creatives:
                if creative in homes:
                    raise ValueError(f"segments name {creative!r} twice, in {homes[creative]!r} and in {segment!r}")
                homes[creative] = segment
        if len(set(self.alphas)) < len(self.alphas):
            raise ValueError(f"alphas {list(self.alphas)} repeat a value")
        return self

    @property
    def segment_of(self) -> dict[str, str]:
        """The segment of every creative."""
        return {creative: segment for segment, creatives in self.segments.items() for creative in creatives}
