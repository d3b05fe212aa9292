"""Where and how to run: storage, device, cluster, limits. Never what to analyse."""

import os
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from causal_tasks.errors import ConfigurationError


class Settings(BaseSettings):
    """Settings of the place a run happens in, read from ``CAUSAL_*`` environment variables.

    Attributes:
        lake: Root of all data, ``s3://bucket[/prefix]`` or ``file:///folder``.
        s3_endpoint: Address of an S3-compatible store; None leaves it to the ``AWS_*`` variables.
        s3_public_endpoint: The same store as browsers reach it, for links in messages.
        s3_key: Access key id; None leaves it to the ``AWS_*`` variables.
        s3_secret: Secret of ``s3_key``.
        s3_region: Region name; None leaves it to the ``AWS_*`` variables.
        link_hours: How long a link to a report lives.
        device: ``cuda`` trains and joins on a GPU and fails where there is none.
        cluster: Address of a Dask scheduler; None runs in this process.
        parallel_tasks: Tasks that share this machine's cores at the same time.
        slices: Ranges of unit ids that are joined one after the other, to bound memory.
    """

    model_config = SettingsConfigDict(env_prefix="CAUSAL_", frozen=True)

    lake: Annotated[str, AfterValidator(lambda uri: uri.rstrip("/"))] = "s3://lake"
    s3_endpoint: str | None = None
    s3_public_endpoint: str | None = None
    s3_key: str | None = None
    s3_secret: SecretStr | None = None
    s3_region: str | None = None
    link_hours: int = Field(default=24, ge=1, le=168)
    device: Literal["cpu", "cuda"] = "cpu"
    cluster: str | None = None
    parallel_tasks: int = Field(default=1, ge=1)
    slices: int = Field(default=1, ge=1, le=1000)

    @property
    def threads(self) -> int:
        """Threads that one task may use: this process's cores, shared among ``parallel_tasks``."""
        return max(1, len(os.sched_getaffinity(0)) // self.parallel_tasks)

    @property
    def storage_options(self) -> dict[str, Any]:
        """Keyword arguments for ``s3fs.S3FileSystem``.

        Raises:
            ConfigurationError: There is a key without its secret, or a secret without its key.
        """
        if bool(self.s3_key) != bool(self.s3_secret):
            stated, absent = ("key", "secret") if self.s3_key else ("secret", "key")
            raise ConfigurationError(
                f"there is an S3 {stated} without its {absent}",
                remedy="set both or neither of CAUSAL_S3_KEY and CAUSAL_S3_SECRET (in Airflow: the connection's login "
                "and password)",
            )
        client = {
            "endpoint_url": self.s3_endpoint or os.environ.get("AWS_ENDPOINT_URL"),
            "region_name": self.s3_region,
        }
        options: dict[str, Any] = {
            "use_listings_cache": False,
            "client_kwargs": {name: value for name, value in client.items() if value},
        }
        if self.s3_key and self.s3_secret:
            options |= {"key": self.s3_key, "secret": self.s3_secret.get_secret_value()}
        return options

    def environment(self) -> dict[str, str]:
        """The variables from which another process reads these same settings."""
        values = {name: value for name, value in self if value is not None}
        if self.s3_secret:
            values["s3_secret"] = self.s3_secret.get_secret_value()
        return {f"CAUSAL_{name.upper()}": str(value) for name, value in values.items()}
