"""How rules are searched for, and how they are told: what of a mining is no data."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import ArrayLike

from causal_tasks.rule import Text
from causal_tasks.subpopulations.grades import Validity
from causal_tasks.subpopulations.guardrails import Guardrail
from causal_tasks.subpopulations.stability import Growth
from causal_tasks.subpopulations.users import Users


@dataclass(frozen=True, slots=True)
class Search:
    """The options of ``mine``, which documents them."""

    sign: int = 1
    baseline: float = 0.0
    validity: Validity = "valid"
    max_depth: int = 3
    min_share: float = 0.03
    min_users_per_arm: int = 100
    stability_trees: int = 50
    seeds: Mapping[Any, ArrayLike] | None = None
    guardrails: Mapping[str, Guardrail] = field(default_factory=dict)
    names: Mapping[str, Text] | None = None
    actionable: Collection[str] | None = None
    seed: int = 0

    def growth(self, users: Users) -> Growth:
        """How trees are grown on these users."""
        return Growth(
            max_depth=self.max_depth,
            min_share=self.min_share,
            min_users=math.ceil(self.min_users_per_arm / users.smallest_share),
            seed=self.seed,
        )
