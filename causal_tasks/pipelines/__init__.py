"""Graphs of stages, declared once and read by the command line and by Airflow."""

from collections.abc import Mapping

from causal_tasks.pipelines.allocate import ALLOCATE
from causal_tasks.pipelines.declaration import Pipeline, Stage
from causal_tasks.pipelines.mine import MINE

__all__ = ["ALLOCATE", "MINE", "PIPELINES", "Pipeline", "Stage"]

PIPELINES: Mapping[str, Pipeline] = {pipeline.name: pipeline for pipeline in (MINE, ALLOCATE)}
"""Every graph by name."""
