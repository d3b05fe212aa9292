"""The part of an experiment's statement that says how a budget is to be spent over its arms."""

from typing import Annotated, Self

from pydantic import Field, FiniteFloat, model_validator

from causal_tasks.experiment_parts import Dataset, Id, Name, Part

Positive = Annotated[FiniteFloat, Field(gt=0)]


class Budgeting(Part):
    """How a budget is spent over the arms of an experiment.

    Exactly one of ``cost`` and ``prices`` is stated.

    Attributes:
        outcome: Metric to gain; None: the primary one.
        cost: Metric that says what each user cost in the arm that the user was in.
        prices: By arm, what it costs for every user alike; an arm that is not named costs nothing.
        budgets: What may be spent per user on average: the budgets that are likely, for which methods are trained and
            compared.
        weights: How likely each of ``budgets`` is, together 1; None: all alike.
        methods: Names of methods to compare, each once; see ``causal_tasks.allocation.methods``.
        logs: Rows of the same columns whose arms were not drawn at random, for methods that learn from them too.
        seed: Of everything random.
    """

    outcome: Name | None = None
    cost: Name | None = None
    prices: dict[str, Annotated[FiniteFloat, Field(ge=0)]] | None = None
    budgets: Annotated[tuple[Positive, ...], Field(min_length=1)]
    weights: tuple[Positive, ...] | None = None
    methods: Annotated[tuple[Id, ...], Field(min_length=1)] = (
        "two_stage_s_lightgbm",
        "two_stage_t_lightgbm",
        "two_stage_network",
        "decision_factor",
        "decision_focused",
        "clusters",
    )
    logs: Dataset | None = None
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.cost is None) == (self.prices is None):
            raise ValueError("state either cost (a metric) or prices (by arm)")
        if len(set(self.budgets)) < len(self.budgets):
            raise ValueError(f"budgets {list(self.budgets)} repeat a value")
        if self.weights is not None and (len(self.weights) != len(self.budgets) or abs(sum(self.weights) - 1) > 1e-6):
            raise ValueError(
                f"weights {list(self.weights)} must give each of {len(self.budgets)} budgets its share of 1"
            )
        if len(set(self.methods)) < len(self.methods):
            raise ValueError(f"methods {list(self.methods)} repeat a name")
        return self
