"""Graphs of stages, declared once and read by the command line and by Airflow."""

from collections.abc import Mapping

from causal_tasks.pipelines.declaration import Pipeline, Stage
from causal_tasks.pipelines.mine import MINE

__all__ = ["MINE", "PIPELINES", "Pipeline", "Stage"]

PIPELINES: Mapping[str, Pipeline] = {MINE.name: MINE}
"""Every graph by name."""
