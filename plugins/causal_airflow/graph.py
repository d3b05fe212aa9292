"""Reads off a declared pipeline how Airflow has to order and gate its tasks."""

from airflow.sdk import TriggerRule

from causal_tasks.pipelines.declaration import Pipeline, Stage


def direct_inputs(pipeline: Pipeline, stage: Stage) -> list[str]:
    """The stages that a stage waits for itself; those are left out that one of its other inputs waits for anyway.

    Besides a readable graph this keeps the failure of one mapped instance away from stages that survive it. A stage
    that runs past skipped ones waits for every gate itself, or a gate's failure would be hidden by what it skipped.
    """
    waited_for = {ancestor for name in stage.inputs for ancestor in _ancestors(pipeline, name)}
    gates = {name for name in stage.inputs if stage.wants and is_gate(pipeline, pipeline[name])}
    return [name for name in stage.inputs if name in gates or name not in waited_for]


def is_gate(pipeline: Pipeline, stage: Stage) -> bool:
    """Whether a stage decides by itself if enough instances of a mapped stage that it waits for have survived."""
    waited_for = {ancestor for name in stage.inputs for ancestor in _ancestors(pipeline, name)}
    return stage.survives_failures and any(pipeline[name].over for name in stage.inputs if name not in waited_for)


def trigger_rule(pipeline: Pipeline, stage: Stage) -> TriggerRule:
    """When a stage may start.

    A stage that outlives failed instances of a mapped stage looks at their records itself; one that takes what it
    can get runs past skipped stages; every other stage needs all of its inputs.
    """
    if is_gate(pipeline, stage):
        return TriggerRule.ALL_DONE
    return TriggerRule.NONE_FAILED if stage.wants else TriggerRule.ALL_SUCCESS


def _ancestors(pipeline: Pipeline, name: str) -> set[str]:
    inputs = pipeline[name].inputs
    return set(inputs).union(*(_ancestors(pipeline, earlier) for earlier in inputs))
