"""Networks that learn the outcome under every arm from one representation of the user."""

from causal_tasks.uplift.networks.estimators import DragonNet, DualHead

__all__ = ["DragonNet", "DualHead"]
