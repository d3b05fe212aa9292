"""Segments through the real scheduler: a request in, assignments and a message out, and mining beside it undisturbed."""

import json
import time

import pytest

from causal_tasks.data.creative_experiment import simulate_creatives
from causal_tasks.pipelines import SEGMENT
from causal_tasks.storage import Storage
from local_stack.airflow_api import FINISHED_RUN

pytestmark = pytest.mark.stack

RUN = "creatives.r1"


@pytest.fixture(scope="module")
def airflow(stack):
    api = stack.airflow()
    deadline = time.monotonic() + 90
    while SEGMENT.name not in api.dags():
        assert not api.import_errors()
        assert time.monotonic() < deadline
        time.sleep(1)
    return api


@pytest.fixture(scope="module")
def states(stack, airflow):
    """States of the tasks of a finished run; its experiment lies where no watcher looks."""
    aside = stack.settings.model_copy(update={"lake": f"{stack.settings.lake}/aside"})
    experiment = simulate_creatives(aside, users=4_000)
    address, storage = f"{aside.lake}/experiments/creatives.json", Storage(stack.settings)
    stated = experiment.model_dump(mode="json", by_alias=True)
    stated["thresholds"]["units_per_arm"] = 100
    stated["segmenting"] |= {"alphas": [0.1], "lams": 8, "lam_ratio": 0.1}
    storage.write_json(address, stated)
    airflow.trigger(SEGMENT.name, run_id=RUN, conf={"experiment": address, "languages": ["en"]})
    deadline = time.monotonic() + 240
    while airflow.run_state(SEGMENT.name, RUN) not in FINISHED_RUN:
        assert time.monotonic() < deadline, airflow.task_states(SEGMENT.name, RUN)
        time.sleep(1)
    return airflow.task_states(SEGMENT.name, RUN)


def test_a_request_becomes_an_assignment_of_everybody(stack, states):
    assert set(states.values()) == {"success"}, states
    assert {"learn_segments[segments]", "learn_segments[separate]"} <= states.keys()
    storage, root = Storage(stack.settings), f"{stack.settings.lake}/runs/creatives/r1"
    result = storage.read_json(f"{root}/segments.json")
    assert result["users"]["assigned"] == 4_000
    assert storage.exists(f"{root}/{result['run']['assignments']}")
    assert result["verdict"]["code"].startswith("segments_")


def test_the_group_is_told_once(stack, states):
    texts = [json.dumps(message) for message in stack.messages() if message["msgtype"] == "markdown_v2"]
    (told,) = [text for text in texts if RUN in text]
    assert "segments.html" in told
