"""Graphs of stages, declared once and read by the command line and by Airflow."""

from causal_tasks.pipelines.declaration import Pipeline, Stage
from causal_tasks.pipelines.mine import MINE

__all__ = ["MINE", "Pipeline", "Stage"]
