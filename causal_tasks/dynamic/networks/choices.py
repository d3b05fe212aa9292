"""Forms of the preference model that can be chosen from."""

from typing import Literal

Guidance = Literal["paper", "features", "none", "mmoe"]
LossName = Literal["huber", "squared", "cross_entropy"]
Start = Literal["ordered", "keras"]
