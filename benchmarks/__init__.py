"""Measurements behind the figures in ``docs/performance.md``; nothing of the product needs them."""
