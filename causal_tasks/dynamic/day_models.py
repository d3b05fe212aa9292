"""The models that a day's stages have learned, as later stages read them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np
import pandas as pd

from causal_tasks.base_models import Features
from causal_tasks.dynamic.day import DayContext
from causal_tasks.dynamic.real_time import RealTimeInterest
from causal_tasks.dynamic.responses import LongTermResponses, Preferences
from causal_tasks.errors import InputError

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
        return self.preference.predict(self.as_known(X))

    def as_known(self, X: pd.DataFrame) -> pd.DataFrame:
        """Features of users with levels that the models do not know made missing.

        Raises:
            InputError: A column holds text where numbers were learned from, or the other way round.
        """
        X = X.copy(deep=False)
        for name, levels in self.known.levels.items():
            category = isinstance(X[name].dtype, pd.CategoricalDtype)
            if category == (levels is not None):
                continue
            if X[name].notna().any():
                kinds = ("text", "numbers") if category else ("numbers", "text")
                raise InputError(
                    f"users table: column {name!r} holds {kinds[0]}, but {kinds[1]} were learned from",
                    remedy="write it with one type on all days, or leave it out of features of the feed",
                )
            # Nobody has a value: a file without one does not tell of which kind they would be.
            X[name] = np.nan if category else pd.Series(pd.Categorical([None] * len(X)), index=X.index)
        return self.known.without_new_levels(X)


def known_features(model: LongTermResponses) -> Features:
    """Features with the levels that the models of all responses know.

    Periods of the longest response are among those of the others: its levels are the fewest.
    """

    def levels(features: Features) -> int:
        return sum(len(known) for known in features.levels.values() if known is not None)

    return min((fitted.features_ for fitted in model.models_.values()), key=levels)
