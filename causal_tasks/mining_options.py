"""The part of an experiment's statement that says how subpopulations are searched."""

from typing import Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from causal_tasks.experiment_parts import Id, Part


class SearchRange(Part):
    """Values that tuning tries for one parameter, in place of the model's own range.

    Attributes:
        low: Smallest value.
        high: Largest value; equal to ``low`` it fixes the parameter.
        log: Whether equal ratios are equally likely, not equal differences; None: as in the model's own range.
    """

    low: FiniteFloat
    high: FiniteFloat
    log: bool | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}; swap them")
        return self


class Mining(Part):
    """How subpopulations are searched.

    Attributes:
        candidates: Names of uplift models to train, each once: ``<learner>_<base model>`` or a network.
        finalists: How many of them are tuned.
        trials: Tuning trials per finalist.
        seconds: Safety stop for tuning one finalist; it makes results depend on speed.
        sampler: ``tpe`` proposes trials by a tree-structured Parzen estimator, ``gp`` by a Gaussian process.
        tuning_folds: How many of discovery folds 0 to 3 are held out in turn to score a trial, the last ones first.
        search_spaces: Ranges by parameter, in place of the model's own, by the name of a base model (``lightgbm``) or a
            candidate (``x_lightgbm``), which comes after its base model.
        seed: Of everything random.
        max_depth: Conditions per rule, at most.
        min_share: Smallest share of users that a rule may cover.
        costs: Cost per treated user by arm, in the primary metric's unit.
        stability_trees: Bootstrap trees by which the stability of rules is measured.
        placebos: Runs on arms dealt anew, besides the one on the pre-window, that count rules found by chance.
    """

    candidates: tuple[Id, ...] = (
        *(f"{learner}_{base_model}" for learner in "txs" for base_model in ("random_forest", "xgboost", "lightgbm")),
        "dual_head",
        "dragon_net",
    )
    finalists: int = Field(default=3, ge=1)
    trials: int = Field(default=20, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    sampler: Literal["tpe", "gp"] = "tpe"
    tuning_folds: int = Field(default=1, ge=1, le=4)
    search_spaces: dict[str, dict[str, SearchRange]] = Field(default={})
    seed: int = Field(default=0, ge=0)
    max_depth: int = Field(default=3, ge=1, le=5)
    min_share: float = Field(default=0.03, gt=0, le=0.5)
    costs: dict[str, float] = Field(default={})
    stability_trees: int = Field(default=50, ge=0, le=1000)
    placebos: int = Field(default=2, ge=0, le=100)
