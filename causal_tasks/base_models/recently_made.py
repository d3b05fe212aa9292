"""What was made last, as long as it fits."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class RecentlyMade:
    """Keeps what was made under a key, and forgets what was asked for longest ago when there is too much of it.

    Args:
        capacity: Bytes that are kept, as their makers estimate them.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], Any], size: int) -> Any:
        """What was made under this key, or what ``make`` returns now.

        Args:
            key: Equal for what is equal.
            make: Called where nothing is kept under the key.
            size: Bytes that it takes, about.
        """
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        made = make()
        self._kept[key] = (made, size)
        self._bytes += size
        while self._bytes > self._capacity and len(self._kept) > 1:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed
        return made
