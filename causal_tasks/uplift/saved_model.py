"""What is written beside a saved model, so that it can be checked before it is read."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from causal_tasks.base_models import library_version
from causal_tasks.errors import InputError

DESCRIPTION = "model.json"
FORMAT = 2
"""Raised when a model that was saved before can no longer be read."""


class Library(BaseModel):
    """The library that a model needs.

    Attributes:
        name: Module.
        version: With which it was saved.
    """

    name: str
    version: str

    def require(self) -> None:
        """Refuse a model from a newer library than is installed.

        Raises:
            InputError: It is one.
        """
        installed = library_version(self.name)
        if _release(installed) < _release(self.version):
            raise InputError(
                f"the model was saved with {self.name} {self.version}, {installed} is installed",
                remedy=f"install {self.name} {self.version} or newer",
            )


class ModelDescription(BaseModel):
    """Content of ``model.json``.

    Attributes:
        format: Of the folder.
        learner: Class.
        library: What the model needs; None: nothing but this package.
        parameters: Of the learner.
        arms: Labels, control first.
        propensity: Known share of each arm.
        features: Columns it was fitted on.
        state: What else the class needs to read it.
        files: SHA-256 of every other file of the folder and of the folders in it, by path.
    """

    model_config = ConfigDict(frozen=True)

    format: int
    learner: str
    library: Library | None
    parameters: dict[str, Any]
    arms: list[Any]
    propensity: list[float] | None
    features: list[str]
    state: dict[str, Any]
    files: dict[str, str]

    @classmethod
    def of(cls, learner: Any, state: dict[str, Any], folder: Path) -> Self:
        """The description of a fitted learner whose models lie in ``folder``."""
        return cls(
            format=FORMAT,
            learner=type(learner).__name__,
            library=Library(name=learner.library, version=library_version(learner.library)),
            parameters=learner.parameters,
            arms=list(learner.arms_),
            propensity=None if learner.propensity_ is None else learner.propensity_.tolist(),
            features=learner.feature_names_in_.tolist(),
            state=state,
            files=digests(folder),
        )

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The description in ``folder``.

        Raises:
            InputError: There is none, it is no description, or another version wrote it.
        """
        try:
            written = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError(f"{folder} holds no {DESCRIPTION}", remedy="name the folder of a saved model") from error
        except ValueError as error:
            raise InputError(f"{folder / DESCRIPTION} is no JSON: {error}", remedy="save the model again") from error
        found = written.get("format") if isinstance(written, dict) else None
        if found != FORMAT:
            raise InputError(
                f"{folder / DESCRIPTION} has format {found}, this version reads {FORMAT}",
                remedy="load it with the version that saved it, or fit and save the model again",
            )
        try:
            return cls.model_validate(written)
        except ValidationError as error:
            raise InputError(f"{folder / DESCRIPTION}: {error}", remedy="save the model again") from error

    def write(self, folder: Path) -> None:
        """Write it into ``folder``."""
        (folder / DESCRIPTION).write_text(self.model_dump_json(indent=1), encoding="utf-8")

    def require(self, learner: str, folder: Path) -> None:
        """Refuse a model of another class, from a newer library, or whose files are not those that were saved.

        Raises:
            InputError: It is one.
        """
        if self.learner != learner:
            raise InputError(
                f"{folder} holds a {self.learner}, not a {learner}", remedy="load it with the class that saved it"
            )
        if self.library:
            self.library.require()
        for name, digest in self.files.items():
            path = folder / name
            if not path.exists() or _digest(path) != digest:
                raise InputError(
                    f"{path} {'has changed since it was saved' if path.exists() else 'is missing'}",
                    remedy="restore the folder as it was saved, or fit and save the model again",
                )


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in ``folder`` but the description, by path."""
    return {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / DESCRIPTION
    }


def require_lasting_labels(arms: Sequence[Any]) -> None:
    """Refuse labels of arms that JSON would not give back as they are.

    Raises:
        InputError: A label is neither text nor a number.
    """
    if other := sorted({type(arm).__name__ for arm in arms if not isinstance(arm, str | int | float)}):
        raise InputError(
            f"the arms {list(arms)} are of type {', '.join(other)}, which a saved model would not keep",
            remedy="label arms by text or numbers where models are to be saved",
        )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".")[:2])
