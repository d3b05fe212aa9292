"""How ids are written: units whose ids look like no id of another table are probably other things than its units."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_CLASSES = {"A-Z": "[A-Z]", "a-z": "[a-z]", "0-9": "[0-9]", "-": "[^A-Za-z0-9]"}
"""Kinds of characters by how they are told; ``-`` stands for all that are neither letters nor digits."""

_FEWEST = 30
"""Units of a format below which that none of them has a row may be chance."""


class IdFormats:
    """Counts of ids by format, over the slices of a join: with and without rows in one table.

    A format is the kinds of characters and their number, such as ``[a-z0-9]{32}``. Integers have none.
    """

    def __init__(self) -> None:
        self._with = np.zeros(0, dtype=np.int64)
        self._without = np.zeros(0, dtype=np.int64)

    def add(self, ids: pa.Array, has_rows: npt.NDArray[np.bool_]) -> None:
        """Count ids, of which ``has_rows``, shape (n,), says whether the table has rows."""
        if pa.types.is_integer(ids.type):
            return
        formats = _formats(ids)
        self._with = _added(self._with, formats[has_rows])
        self._without = _added(self._without, formats[~has_rows])

    @property
    def seen(self) -> bool:
        """Whether there was any id that has a format."""
        return bool(self._with.any() or self._without.any())

    @property
    def unknown(self) -> dict[str, int]:
        """Units by format, for the formats of which no unit has rows while some unit of another one has."""
        if not self._with.any():
            return {}
        known = np.zeros_like(self._without)
        known[: len(self._with)] = self._with[: len(known)]
        return {
            _spelled(code): int(self._without[code])
            for code in np.flatnonzero((self._without >= _FEWEST) & (known == 0)).tolist()
        }


def _formats(ids: pa.Array) -> npt.NDArray[np.int64]:
    """Length and kinds of characters as one number, shape (n,)."""
    found: npt.NDArray[np.int64] = pc.utf8_length(ids).to_numpy(zero_copy_only=False).astype(np.int64)
    for pattern in _CLASSES.values():
        has = pc.match_substring_regex(ids, pattern).to_numpy(zero_copy_only=False)
        found = 2 * found + has
    return found


def _spelled(code: int) -> str:
    kinds = [kind for place, kind in enumerate(reversed(_CLASSES)) if code >> place & 1]
    return f"[{''.join(reversed(kinds))}]{{{code >> len(_CLASSES)}}}"


def _added(counts: npt.NDArray[np.int64], formats: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    further = np.bincount(formats, minlength=len(counts))
    further[: len(counts)] += counts
    return further
