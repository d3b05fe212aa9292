"""What a case of the reliability table is made of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.validity.stage import run_checks
from tests.unit.data.prepared import EVEN, FEATURES, N, healthy_users, profiled, stated, waterfall

METRICS = [
    {"name": "minutes", "role": "primary", "display": {"zh": "播放时长", "en": "play time"}},
    {"name": "ctr", "numerator": "clicks", "denominator": "views"},
]
RNG = np.random.default_rng


@dataclass(frozen=True)
class Case:
    """One problem: what goes into the checks, and what has to come out."""

    code: str
    status: str
    zh: str
    en: str
    value: float | None = None
    subject: str | None = None
    flow: dict[str, Any] = field(default_factory=lambda: waterfall(EVEN))
    profile: dict[str, Any] = field(default_factory=dict)
    spoil: Callable[[pd.DataFrame, np.ndarray], pd.DataFrame | None] = lambda users, new: None
    statement: dict[str, Any] = field(default_factory=dict)
    features: tuple[str, ...] = FEATURES

    def found(self):
        experiment = stated(**({"metrics": METRICS} | self.statement))
        users = healthy_users()
        spoiled = self.spoil(users, (users["arm"] == "new").to_numpy())
        users = users if spoiled is None else spoiled
        checks, screening = run_checks(users, self.flow, profiled(self.features, **self.profile), experiment)
        return experiment, checks, screening


def with_extra(**further):
    return {"features": (*FEATURES, "extra"), **further}


def setting(**columns):
    """Spoil users by new columns; a function makes a column of the users and of who is in the new arm."""

    def spoil(users, new):
        made = {name: value(users, new) if callable(value) else value for name, value in columns.items()}
        return users.assign(**made)

    return spoil


def blend(share, seed=0):
    return RNG(seed).random(N) < share
