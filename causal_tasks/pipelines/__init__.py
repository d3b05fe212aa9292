"""Graphs of stages, declared once and read by the command line and by Airflow."""

from collections.abc import Mapping

from causal_tasks.pipelines.allocate import ALLOCATE
from causal_tasks.pipelines.declaration import Pipeline, Stage
from causal_tasks.pipelines.mine import MINE
from causal_tasks.pipelines.segment import SEGMENT

__all__ = ["ALLOCATE", "MINE", "PIPELINES", "SEGMENT", "Pipeline", "Stage"]

PIPELINES: Mapping[str, Pipeline] = {pipeline.name: pipeline for pipeline in (MINE, ALLOCATE, SEGMENT)}
"""Every graph by name."""
