"""The job that spends a budget: from an experiment to who gets which arm, by the method that does it best."""

from causal_tasks.lake import ALLOCATION_RECORD
from causal_tasks.pipelines.declaration import Pipeline, Resources, Stage
from causal_tasks.pipelines.mine import DESIGN, MINE, REPORTED

ALLOCATE = Pipeline(
    name="allocate_budget",
    stages=(
        # In the run folder of the experiment both jobs find what the other has prepared and checked.
        MINE["prepare"],
        MINE["validate"],
        Stage(
            name="plan",
            run="causal_tasks.allocation.stages.plan:plan",
            code=1,
            reads=(*DESIGN, "metrics", "budgeting"),
            needs=("prepare", "validate"),
        ),
        Stage(
            name="fit",
            run="causal_tasks.allocation.stages.fit:fit",
            code=1,
            reads=(*DESIGN, "unit", "metrics", "features", "budgeting"),
            needs=("prepare", "validate", "plan"),
            over="plan",
            batched_by="causal_tasks.allocation.methods:together",
            sources=("logs",),
            resources=Resources(minutes=60, gpu=True),
        ),
        Stage(
            name="choose",
            run="causal_tasks.allocation.stages.choose:choose",
            code=1,
            reads=(*DESIGN, "metrics", "budgeting"),
            needs=("prepare", "plan", "fit"),
            survives_failures=True,
        ),
        Stage(
            name="assign",
            run="causal_tasks.allocation.stages.assign:assign",
            code=1,
            reads=("experiment_id", "revision"),
            needs=("prepare", "plan", "fit", "choose"),
            survives_failures=True,
            resources=Resources(minutes=60),
        ),
        Stage(
            name="evaluate",
            run="causal_tasks.allocation.stages.evaluate:evaluate",
            code=1,
            reads=(*DESIGN, "metrics", "budgeting"),
            needs=("prepare", "plan", "fit", "choose"),
            survives_failures=True,
        ),
        Stage(
            name="report_allocation",
            run="causal_tasks.report.allocation.stage:report_allocation",
            code=1,
            reads=(*REPORTED, "budgeting"),
            needs=("prepare", "validate", "plan"),
            wants=("fit", "choose", "assign", "evaluate"),
            survives_failures=True,
        ),
    ),
    publishes={"allocation.json": "result", "allocation.html": "report"},
    record=ALLOCATION_RECORD,
    messages="causal_tasks.report.allocation:allocation_messages",
    claims="notify-allocation",
    announces="allocations",
    restates="causal_tasks.allocation.statement:restated",
)
