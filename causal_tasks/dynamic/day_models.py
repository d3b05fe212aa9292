"""The models that a day's stages have learned, as later stages read them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import pandas as pd

from causal_tasks.base_models import Features
from causal_tasks.dynamic.day import DayContext
from causal_tasks.dynamic.real_time import RealTimeInterest
from causal_tasks.dynamic.responses import LongTermResponses, Preferences

MODEL, TRAINING = "model", "training"
"""Outputs of the stages ``learn`` and ``interest``: the folder of the saved model, and how it was trained."""


@dataclass(frozen=True)
class DayModels:
    """Preference and interest.

    Attributes:
        preference: Of every response.
        interest: None: the feed has no table of requests.
        features: Columns of the users table that ``preference`` reads.
    """

    preference: LongTermResponses
    interest: RealTimeInterest | None
    features: list[str]

    @classmethod
    def read(cls, context: DayContext) -> Self:
        """What ``learn`` and ``interest`` wrote."""
        training = context.read_json("learn", TRAINING)
        with TemporaryDirectory() as local:
            folder = Path(local)
            context.storage.download(context.uri("learn", MODEL), folder / "preference")
            preference = LongTermResponses.load(folder / "preference")
            interest = None
            if context.read_json("interest", TRAINING) is not None:
                context.storage.download(context.uri("interest", MODEL), folder / "interest")
                interest = RealTimeInterest.load(folder / "interest")
        return cls(preference, interest, training["features"])

    @cached_property
    def known(self) -> Features:
        """Columns and levels that ``preference`` has learned from."""
        return known_features(self.preference)

    def predicted(self, X: pd.DataFrame) -> Preferences:
        """What users are predicted to bring; levels that the models do not know count as missing."""
        return self.preference.predict(self.known.without_new_levels(X))


def known_features(model: LongTermResponses) -> Features:
    """Features with the levels that the models of all responses know.

    Periods of the longest response are among those of the others: its levels are the fewest.
    """

    def levels(features: Features) -> int:
        return sum(len(known) for known in features.levels.values() if known is not None)

    return min((fitted.features_ for fitted in model.models_.values()), key=levels)
