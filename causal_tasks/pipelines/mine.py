"""The main job: from three tables to subpopulations, a report and a message."""

from causal_tasks.pipelines.declaration import Pipeline, Resources, Stage

_DESIGN = ("experiment_id", "control", "treatments", "shares", "randomized", "cluster")

MINE = Pipeline(
    name="mine_subpopulations",
    stages=(
        Stage(
            name="prepare",
            run="causal_tasks.data.prepare:prepare",
            code=1,
            reads=(
                *_DESIGN,
                "started_at",
                "ended_at",
                "unit",
                "eligible",
                "tables",
                "window",
                "metrics",
                "features",
            ),
            sources=("assignments", "metrics", "features"),
            resources=Resources(minutes=60, gpu=True),
        ),
        Stage(
            name="validate",
            run="causal_tasks.data.checks:validate",
            code=1,
            reads=(*_DESIGN, "window", "metrics", "features", "mining"),
            needs=("prepare",),
        ),
        Stage(
            name="measure",
            run="causal_tasks.effects.stage:measure",
            code=1,
            reads=(*_DESIGN, "window", "metrics"),
            needs=("prepare", "validate"),
        ),
        Stage(
            name="train",
            run="causal_tasks.uplift.stage:train",
            code=1,
            reads=(*_DESIGN, "metrics", "features", "mining"),
            needs=("prepare", "validate"),
            over="validate",
            resources=Resources(minutes=60, gpu=True),
        ),
        Stage(
            name="select",
            run="causal_tasks.uplift.stage:select",
            code=1,
            reads=(*_DESIGN, "metrics", "mining"),
            needs=("prepare", "validate", "train"),
            survives_failures=True,
            resources=Resources(gpu=True),
        ),
        Stage(
            name="mine",
            run="causal_tasks.subpopulations.stage:mine",
            code=1,
            reads=(*_DESIGN, "metrics", "features", "mining"),
            needs=("prepare", "validate", "select"),
            resources=Resources(gpu=True),
        ),
        Stage(
            name="report",
            run="causal_tasks.report.stage:report",
            code=1,
            reads=(
                *_DESIGN,
                "revision",
                "name",
                "owner",
                "unit",
                "eligible",
                "started_at",
                "ended_at",
                "window",
                "metrics",
                "features",
                "mining",
                "delivery",
            ),
            needs=("prepare", "validate", "measure"),
            wants=("train", "select", "mine"),
            survives_failures=True,
        ),
    ),
    publishes={"result.json": "result", "report.html": "report"},
)
