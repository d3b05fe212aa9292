"""What was stated first: whatever is computed under a revision is computed from one statement."""

from collections.abc import Collection, Mapping
from typing import Any

from causal_tasks.errors import InputError
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri, json_bytes


def freeze(uri: Uri, statement: Mapping[str, Any], settings: Settings) -> Any:
    """Write a statement as JSON unless there is one; returns the one that is there.

    Raises:
        ConfigurationError: The store does not honour conditional creation.
    """
    storage = Storage(settings)
    if not storage.exists(uri):
        storage.check_exclusive_creation(settings.lake)
        storage.create_exclusively(uri, json_bytes(statement))
    return storage.read_json(uri)


def require_unchanged(
    revision: str, frozen: Mapping[str, Any], stated: Mapping[str, Any], *, may_change: Collection[str]
) -> None:
    """Refuse a statement that differs from the frozen one.

    Args:
        revision: Id and revision in one word.
        frozen: What decides results, as it was stated first.
        stated: The same, as it is stated now.
        may_change: Fields that both leave out.

    Raises:
        InputError: They differ.
    """
    if stated != frozen:
        changes = ", ".join(
            f"{name}: {frozen.get(name)!r} -> {stated.get(name)!r}"
            for name in sorted(stated.keys() | frozen.keys())
            if stated.get(name) != frozen.get(name)
        )
        raise InputError(
            f"{revision} was run from a different statement ({changes})",
            remedy=f"raise revision (only {', '.join(sorted(may_change))} may change within one)",
        )
