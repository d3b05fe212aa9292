"""Daily scores of all users in one file that a server maps into memory and finds a user in within microseconds.

A safetensors file: 64-bit hashes of the users' ids, sorted, and the rows of scores in the same order. Ids themselves
are not in it. An id that was never scored meets the hash of one of n that were with probability n / 2^64.
"""

import hashlib
import json
import math
import mmap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, Field, Json, ValidationError

from causal_tasks.errors import InputError
from causal_tasks.storage import Storage, Uri

FORMAT: Literal[1] = 1
"""Raised when a lookup that was written before can no longer be read."""

_LENGTH_BYTES = 8
_TYPES: dict[str, np.dtype[Any]] = {"U64": np.dtype("<u8"), "F32": np.dtype("<f4"), "BOOL": np.dtype("?")}

_Count = Annotated[int, Field(ge=0)]
_SALT = b"causal_tasks.1"

Positions = NDArray[np.intp]


class Scores(NamedTuple):
    """What is known of one user.

    Attributes:
        preference: Shape (K+1,), combined response to each arm, control first.
        allowed: Shape (K,), whether each treatment keeps all guarded responses.
    """

    preference: NDArray[np.float32]
    allowed: NDArray[np.bool_]


class Lookup:
    """A lookup that was opened; ``Lookup.open`` does that.

    Attributes:
        arms: Labels, control first.
        preference: Shape (n, K+1), in order of the hashes.
        allowed: Shape (n, K).
    """

    def __init__(
        self,
        arms: Sequence[str],
        hashes: NDArray[np.uint64],
        preference: NDArray[np.float32],
        allowed: NDArray[np.bool_],
    ) -> None:
        self.arms = tuple(arms)
        self.preference = preference
        self.allowed = allowed
        self._hashes = hashes

    @classmethod
    def open(cls, path: Path) -> Self:
        """The lookup in a local file, mapped: only pages that are looked at are read.

        Raises:
            InputError: The file is missing, cut short, or no lookup of this format.
        """
        try:
            with path.open("rb") as file:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            header, begin = _header(content)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} is no lookup: {_reason(error)}", remedy="write the lookup again") from error
        tensors = (header.hashes, header.preference, header.allowed)
        return cls(header.metadata.lookup.arms, *(_array(content, tensor, begin) for tensor in tensors))

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, user: str | int) -> Scores | None:
        """The scores of one user; None where nothing is known."""
        hashed = np.uint64(_hash(_text(user)))
        place = int(self._hashes.searchsorted(hashed))
        if place == len(self._hashes) or self._hashes[place] != hashed:
            return None
        return Scores(self.preference[place], self.allowed[place])

    def find_many(self, users: Iterable[str | int]) -> Positions:
        """Row of each user in ``preference`` and ``allowed``, shape (n,); -1 where nothing is known."""
        hashed = _hashes(users)
        place = self._hashes.searchsorted(hashed)
        found = np.zeros(len(hashed), dtype=bool)
        inside = place < len(self._hashes)
        found[inside] = self._hashes[place[inside]] == hashed[inside]
        return np.where(found, place, -1)


def write_lookup(
    uri: Uri,
    users: Iterable[str | int],
    preference: ArrayLike,
    allowed: ArrayLike,
    arms: Sequence[str],
    *,
    storage: Storage,
) -> str:
    """Write the scores of users, whole or not at all; returns the file's SHA-256.

    Args:
        uri: Of the file, ``….safetensors``.
        users: Their ids, text or whole numbers; the number 5 and the text "5" are one user.
        preference: Shape (n, K+1), see ``Scores``; stored in single precision.
        allowed: Shape (n, K).
        arms: K+1 labels, control first.
        storage: That ``uri`` is in.

    Raises:
        InputError: Shapes do not fit, a value is not finite, an id is neither text nor a whole number, an id comes
            twice, or two ids have one hash.
    """
    from safetensors.numpy import save

    ids = list(users)
    scores, guard = np.asarray(preference, dtype=np.float32), np.asarray(allowed, dtype=bool)
    if scores.shape != (len(ids), len(arms)) or guard.shape != (len(ids), len(arms) - 1):
        raise InputError(
            f"{len(ids)} users and {len(arms)} arms need preference of shape {(len(ids), len(arms))} and allowed of "
            f"{(len(ids), len(arms) - 1)}, not {scores.shape} and {guard.shape}",
            remedy="give a row per user, control first in preference and left out in allowed",
        )
    if not (finite := np.isfinite(scores)).all():
        row, arm = np.argwhere(~finite)[0]
        raise InputError(
            f"preference of user {ids[row]!r} for arm {arms[arm]!r} is {scores[row, arm]}",
            remedy="score users with finite values",
        )
    hashes = _hashes(ids)
    order = np.argsort(hashes)
    hashes = hashes[order]
    if len(same := np.flatnonzero(hashes[1:] == hashes[:-1])):
        _refuse(ids[order[same[0]]], ids[order[same[0] + 1]])
    content = save(
        {"hashes": hashes, "preference": scores[order], "allowed": guard[order]},
        # One key: of several the library makes the order up.
        {"lookup": json.dumps({"format": FORMAT, "arms": list(arms)})},
    )
    storage.write_bytes(uri, content)
    return hashlib.sha256(content).hexdigest()


def _refuse(one: str | int, other: str | int) -> None:
    if _text(one) == _text(other):
        raise InputError(f"user {one!r} has two rows of scores", remedy="score every user once")
    raise InputError(
        f"users {one!r} and {other!r} have the same 64-bit hash",
        remedy="leave one of them out of the lookup: it will be decided for as unknown users are",
    )


def _text(user: str | int) -> str:
    """An id as it is hashed: a table's number and the text of it that a request brings are one user."""
    if isinstance(user, str | int | np.integer) and not isinstance(user, bool):
        return str(user)
    raise InputError(
        f"user id {user!r} is of type {type(user).__name__}", remedy="use text or whole numbers as ids of users"
    )


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, salt=_SALT).digest()
    return int.from_bytes(digest, "little")


def _hashes(users: Iterable[str | int]) -> NDArray[np.uint64]:
    return np.fromiter((_hash(_text(user)) for user in users), dtype=np.uint64)


class _Tensor(BaseModel):
    dtype: Literal["U64", "F32", "BOOL"]
    shape: tuple[_Count, ...]
    data_offsets: tuple[_Count, _Count]


class _Description(BaseModel):
    format: Literal[1]
    arms: tuple[str, ...]


class _Metadata(BaseModel):
    lookup: Json[_Description]


class _Header(BaseModel):
    """That of the safetensors file."""

    metadata: _Metadata = Field(alias="__metadata__")
    hashes: _Tensor
    preference: _Tensor
    allowed: _Tensor


def _header(content: mmap.mmap) -> tuple[_Header, int]:
    """What the file says of its tensors, and where the first of them begins.

    Raises:
        ValueError: It says nothing, or other than what it holds.
    """
    begin = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    if begin > len(content):
        raise ValueError("its header is cut short")
    header = _Header.model_validate_json(content[_LENGTH_BYTES:begin])
    users, arms = header.hashes.shape[0] if header.hashes.shape else 0, len(header.metadata.lookup.arms)
    expected = [("U64", (users,)), ("F32", (users, arms)), ("BOOL", (users, arms - 1))]
    tensors = [header.hashes, header.preference, header.allowed]
    if [(tensor.dtype, tensor.shape) for tensor in tensors] != expected:
        raise ValueError(f"its tensors are not those of {users} users and {arms} arms")
    for tensor in tensors:
        first, end = tensor.data_offsets
        if end - first != _TYPES[tensor.dtype].itemsize * math.prod(tensor.shape) or begin + end > len(content):
            raise ValueError("it is cut short or damaged")
    return header, begin


def _array(content: mmap.mmap, tensor: _Tensor, begin: int) -> NDArray[Any]:
    count, offset = math.prod(tensor.shape), begin + tensor.data_offsets[0]
    flat: NDArray[Any] = np.frombuffer(content, _TYPES[tensor.dtype], count=count, offset=offset)
    return flat.reshape(tensor.shape)


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
