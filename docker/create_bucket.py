"""Creates the lake's bucket where it does not exist, and proves that the store can hold the lake."""

from causal_tasks.settings import Settings
from causal_tasks.storage import Storage


def create_bucket(settings: Settings) -> None:
    """Create the bucket of an ``s3://`` lake; one that exists stays as it is.

    Raises:
        ConfigurationError: The store refuses the key, or lets a file be created twice.
    """
    storage = Storage(settings)
    filesystem, path = storage.filesystem(settings.lake)
    bucket = path.split("/", 1)[0]
    if not filesystem.exists(bucket):
        filesystem.mkdir(bucket)
    storage.check_exclusive_creation(settings.lake)


if __name__ == "__main__":
    create_bucket(Settings())
