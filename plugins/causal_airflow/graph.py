"""Reads off a declared pipeline how Airflow has to order and gate its tasks."""

from airflow.sdk import TriggerRule

from causal_tasks.pipelines.declaration import Pipeline, Stage


def direct_inputs(pipeline: Pipeline, stage: Stage) -> list[str]:
    """The stages that a stage waits for itself; those are left out that one of its other inputs waits for anyway.

    Besides a readable graph this keeps the failure of one mapped instance away from stages that survive it.
    """
    waited_for = {ancestor for name in stage.inputs for ancestor in _ancestors(pipeline, name)}
    return [name for name in stage.inputs if name not in waited_for]


def trigger_rule(pipeline: Pipeline, stage: Stage) -> TriggerRule:
    """When a stage may start.

    A stage that outlives failed instances of a mapped stage looks at their records itself; one that takes what it
    can get runs past skipped stages; every other stage needs all of its inputs.
    """
    if stage.survives_failures and any(pipeline[name].over for name in stage.needs):
        return TriggerRule.ALL_DONE
    return TriggerRule.NONE_FAILED if stage.wants else TriggerRule.ALL_SUCCESS


def _ancestors(pipeline: Pipeline, name: str) -> set[str]:
    inputs = pipeline[name].inputs
    return set(inputs).union(*(_ancestors(pipeline, earlier) for earlier in inputs))
