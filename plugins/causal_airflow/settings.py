"""What a deployment chooses: by ``CAUSAL_*`` variables, and by the AWS connection for the store's secrets."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from causal_tasks.errors import ConfigurationError
from causal_tasks.settings import Settings

_UNSUPPORTED_EXTRAS = frozenset({"aws_session_token", "profile_name", "role_arn"})


class Tag(StrEnum):
    """Every tag that a DAG may carry."""

    MINING = "mining"
    DISPATCH = "dispatch"
    BUDGETS = "budgets"
    SEGMENTS = "segments"
    REALTIME = "realtime"


class Orchestration(BaseSettings):
    """How Airflow runs the stages, read from ``CAUSAL_*`` variables.

    Attributes:
        runner: Where a stage runs, a name in ``causal_airflow.runners.RUNNERS``; each worker reads its own.
        runner_python: Interpreter of the environment in which the runner ``python`` runs stages.
        retries: Further tries of a task that failed for a reason that may pass.
        retry_delay_seconds: Between tries.
        aws_connection: Id of the connection that holds the store's address, key and secret.
    """

    model_config = SettingsConfigDict(env_prefix="CAUSAL_", frozen=True)

    runner: str = "in_process"
    runner_python: Path | None = None
    retries: int = Field(default=2, ge=2)
    retry_delay_seconds: float = Field(default=10, ge=0)
    aws_connection: str = "aws_default"

    def task_defaults(self) -> dict[str, Any]:
        """``default_args`` of every DAG."""
        return {
            "owner": "causal-tasks",
            "retries": self.retries,
            "retry_delay": timedelta(seconds=self.retry_delay_seconds),
        }


def read_settings() -> Settings:
    """The stages' settings: ``CAUSAL_*`` variables, completed by the AWS connection where the lake is in S3.

    Without such a connection the store's own sources of credentials decide, such as an instance role.

    Raises:
        ConfigurationError: The connection asks for something that stages do not support.
    """
    settings = Settings()
    if not settings.lake.startswith("s3://"):
        return settings
    connection_id = Orchestration().aws_connection
    try:
        connection = BaseHook.get_connection(connection_id)
    except AirflowNotFoundException:
        return settings
    return settings.model_copy(update=_store_of(connection))


def _store_of(connection: Connection) -> dict[str, Any]:
    extra = connection.extra_dejson
    if unsupported := sorted(_UNSUPPORTED_EXTRAS & extra.keys()):
        raise ConfigurationError(
            f"connection {connection.conn_id!r}: extra {', '.join(unsupported)} is not supported by the stages",
            remedy="give a key and a secret, or remove the connection and use the machine's own role",
        )
    stated = {
        "s3_endpoint": extra.get("endpoint_url"),
        "s3_region": extra.get("region_name"),
        "s3_key": connection.login,
        "s3_secret": SecretStr(connection.password) if connection.password else None,
    }
    return {name: value for name, value in stated.items() if value}
