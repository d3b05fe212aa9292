"""Which items of a mapped stage run in one process, one after the other, sharing what they read."""

from collections.abc import Sequence

from causal_tasks.pipelines.declaration import Stage
from causal_tasks.settings import Settings


def batches(stage: Stage, items: Sequence[str], settings: Settings) -> list[list[str]]:
    """The items, each once, put together where that is faster than a process for each.

    Items of one key (``Stage.batched_by``) start one process and read their input once instead of each anew. That
    must leave no task idle: where all items can run at the same time each runs by itself, and otherwise the largest
    batch is cut in two until there is one for every task that may run at the same time.

    Args:
        stage: The mapped stage.
        items: What it is mapped over.
        settings: Tell how many of its tasks run at the same time: one where it works on a GPU, else
            ``parallel_tasks``.
    """
    at_once = 1 if stage.resources.gpu and settings.device == "cuda" else settings.parallel_tasks
    if stage.batched_by is None or at_once >= len(items):
        return [[item] for item in items]
    by_key: dict[str, list[str]] = {}
    for item in items:
        by_key.setdefault(stage.batch_key(item), []).append(item)
    found = list(by_key.values())
    while len(found) < at_once:
        largest = max(range(len(found)), key=lambda position: len(found[position]))
        batch = found[largest]
        half = (len(batch) + 1) // 2
        found[largest : largest + 1] = [batch[:half], batch[half:]]
    return found
