"""The job that learns segments: from an experiment with messages to who responds to which kind of message."""

from causal_tasks.lake import SEGMENTS_RECORD
from causal_tasks.pipelines.declaration import Pipeline, Resources, Stage
from causal_tasks.pipelines.mine import DESIGN, MINE, REPORTED

SEGMENT = Pipeline(
    name="segment_creatives",
    stages=(
        # In the run folder of the experiment all jobs find what another has prepared and checked.
        MINE["prepare"],
        MINE["validate"],
        Stage(
            name="plan_segments",
            run="causal_tasks.segments.stages.plan:plan_segments",
            code=1,
            reads=(*DESIGN, "metrics", "segmenting"),
            needs=("prepare", "validate"),
        ),
        Stage(
            name="learn_segments",
            run="causal_tasks.segments.stages.learn:learn_segments",
            code=1,
            reads=(*DESIGN, "unit", "metrics", "features", "segmenting"),
            needs=("prepare", "validate", "plan_segments"),
            over="plan_segments",
            resources=Resources(minutes=120, gpu=True),
        ),
        Stage(
            name="assign_segments",
            run="causal_tasks.segments.stages.assign:assign_segments",
            code=1,
            reads=("experiment_id", "revision", "control", "metrics", "segmenting"),
            needs=("prepare", "plan_segments", "learn_segments"),
            resources=Resources(minutes=60),
        ),
        Stage(
            name="value_segments",
            run="causal_tasks.segments.stages.value:value_segments",
            code=1,
            reads=(*DESIGN, "metrics", "segmenting"),
            needs=("prepare", "plan_segments", "assign_segments"),
        ),
        Stage(
            name="report_segments",
            run="causal_tasks.report.segments.stage:report_segments",
            code=1,
            reads=(*REPORTED, "segmenting"),
            needs=("prepare", "validate", "plan_segments"),
            wants=("learn_segments", "assign_segments", "value_segments"),
            survives_failures=True,
        ),
    ),
    publishes={"segments.json": "result", "segments.html": "report"},
    record=SEGMENTS_RECORD,
    messages="causal_tasks.report.segments:segment_messages",
    claims="notify-segments",
    announces="segments",
)
