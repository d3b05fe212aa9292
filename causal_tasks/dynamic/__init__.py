"""Real-time uplift for recommendation: a daily preference, an interest at request time, and one decision of both."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from causal_tasks.dynamic.decision import DynamicDecision
    from causal_tasks.dynamic.long_term import LongTermUplift
    from causal_tasks.dynamic.real_time import RealTimeInterest
    from causal_tasks.dynamic.requests import Requests
    from causal_tasks.dynamic.responses import LongTermResponses

__all__ = ["DynamicDecision", "LongTermResponses", "LongTermUplift", "RealTimeInterest", "Requests"]

_HOMES = {
    "DynamicDecision": "decision",
    "LongTermResponses": "responses",
    "LongTermUplift": "long_term",
    "RealTimeInterest": "real_time",
    "Requests": "requests",
}


def __getattr__(name: str) -> Any:
    # The server needs the decision, not what training needs.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
