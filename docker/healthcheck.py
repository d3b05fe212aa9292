"""Exits with 0 where a service of Airflow works, else with 1: ``healthcheck.py SERVICE``.

Asked often, so it loads next to nothing; ``airflow jobs check`` takes seconds of a core to load every provider.
"""

import json
import os
import socket
import sys
import urllib.request

API_SERVER = os.environ.get("AIRFLOW_API_SERVER", "http://api-server:8080")
REPORTED_AS = {
    "api-server": "metadatabase",
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}
"""Services by the name under which the API server reports their heartbeats."""


def is_healthy(service: str) -> bool:
    """Whether the API server has had a heartbeat of the service, or the worker of this host answers."""
    if service == "worker":
        return worker_answers()
    with urllib.request.urlopen(f"{API_SERVER}/api/v2/monitor/health", timeout=5) as response:  # noqa: S310
        health = json.load(response)
    return bool(health[REPORTED_AS[service]]["status"] == "healthy")


def worker_answers() -> bool:
    """Whether the Celery worker of this host answers a ping."""
    from celery import Celery  # noqa: PLC0415 - no other service needs it

    celery = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"])
    return bool(celery.control.ping(destination=[f"celery@{socket.gethostname()}"], timeout=5))


if __name__ == "__main__":
    sys.exit(0 if is_healthy(sys.argv[1]) else 1)
