"""What every DAG asks that runs an experiment."""

from airflow.sdk import Param

EXPERIMENT = {
    "experiment": Param(
        type="string",
        minLength=1,
        title="Experiment",
        description="Its id, or the address of its file: s3://bucket/experiments/name.json",
    ),
}
"""Which one."""


def revision(description: str = "Empty: as the experiment states") -> dict[str, Param]:
    """Which revision of it."""
    return {
        "revision": Param(None, type=["integer", "null"], minimum=1, title="Revision", description=description),
    }


DELIVERY = {
    "notify": Param(True, type="boolean", title="Tell the group"),
    "languages": Param(
        None,
        type=["array", "null"],
        items={"type": "string", "enum": ["zh", "en"]},
        examples=["zh", "en"],
        minItems=1,
        uniqueItems=True,
        title="Languages",
        description="Of report and message, the message's first; empty: as the experiment states",
    ),
}
"""Who is told, and how."""
