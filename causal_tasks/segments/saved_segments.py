"""Writes fitted models of the responses to creatives, and reads them, in formats that hold no code."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from causal_tasks.base_models import deciding
from causal_tasks.errors import InputError
from causal_tasks.segments.balance import ExposureBalance, Imbalance
from causal_tasks.segments.covariate_columns import Term
from causal_tasks.segments.covariates import CovariateTerms
from causal_tasks.segments.creative_segments import CreativeSegments
from causal_tasks.segments.creative_segments_cv import CreativeSegmentsCV
from causal_tasks.segments.response_models import CreativeResponses
from causal_tasks.segments.separate import SeparateCreatives, SeparateCreativesCV
from causal_tasks.uplift.saved_model import FORMAT, ModelDescription, digests

MODELS: Mapping[str, type[CreativeResponses]] = {
    model.__name__: model for model in (CreativeSegments, CreativeSegmentsCV, SeparateCreatives, SeparateCreativesCV)
}
"""Models by the name under which they are saved."""

_NUMBERS = "model.safetensors"

Arrays = dict[str, NDArray[Any]]
Model = TypeVar("Model", bound=CreativeResponses)


def save(model: CreativeResponses, folder: str | Path) -> None:
    """Write all that a fitted model has learned: numbers to ``model.safetensors``, all else to ``model.json``."""
    from safetensors.numpy import save_file

    check_is_fitted(model, "creatives_")
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    numbers: Arrays = {}
    state = {name: _told(name, value, numbers) for name, value in _learned(model)}
    save_file(numbers, place / _NUMBERS)
    ModelDescription(
        format=FORMAT,
        learner=type(model).__name__,
        library=None,
        parameters=deciding(model.get_params()),
        arms=list(model.creatives_),
        propensity=None,
        features=list(model.terms_.names),
        state=state,
        files=digests(place),
    ).write(place)


def load(folder: str | Path, kind: type[Model]) -> Model:
    """The model that ``save`` wrote to a folder.

    Args:
        folder: Of the model.
        kind: ``CreativeResponses`` for any model, or the class that it must be of.

    Raises:
        InputError: The folder holds no model of that kind, one that another version wrote, or files that have changed
            since.
    """
    from safetensors.numpy import load_file

    place = Path(folder)
    description = ModelDescription.read(place)
    found = MODELS.get(description.learner)
    if found is None or not issubclass(found, kind):
        fitting = [name for name, model in MODELS.items() if issubclass(model, kind)]
        raise InputError(f"{place} holds a {description.learner}", remedy=f"load one of {', '.join(fitting)}")
    description.require(description.learner, place)
    numbers = load_file(place / _NUMBERS)
    model: Model = found(**{name: _as_tuple(value) for name, value in description.parameters.items()})
    for name, told in description.state.items():
        setattr(model, name, _read(name, told, numbers))
    return model


def _learned(model: CreativeResponses) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in vars(model).items() if name.endswith("_") and not name.startswith("_"))


def _told(name: str, value: Any, numbers: Arrays) -> dict[str, Any]:
    """What ``model.json`` says of an attribute, whose numbers are put among the others."""
    told: dict[str, Any]
    match value:
        case np.ndarray():
            numbers[name] = np.ascontiguousarray(value)
            told = {"is": "array"}
        case bool() | int() | float() | np.generic():
            # Not as JSON, which has no infinity: the gap of a solution that was not found may be that.
            numbers[name] = np.asarray(value)
            told = {"is": "number"}
        case str():
            told = {"is": "text", "value": value}
        case tuple():
            told = {"is": "texts", "value": list(value)}
        case pd.DataFrame():
            columns = {str(column): _values(value[column]) for column in value}
            told = {"is": "table", "value": {c: _told(f"{name}.{c}", own, numbers) for c, own in columns.items()}}
        case CovariateTerms():
            told = {"is": "terms", "value": value.to_json()}
        case ExposureBalance():
            told = {"is": "balance", "value": asdict(value)}
        case _:
            raise TypeError(f"{name} is a {type(value).__name__}, which has no form in a saved model")
    return told


def _read(name: str, told: Mapping[str, Any], numbers: Arrays) -> Any:
    """The attribute that ``_told`` was given."""
    kind, value = told["is"], told.get("value")
    if kind == "array":
        return numbers[name]
    if kind == "number":
        return numbers[name].item()
    if kind == "table":
        return pd.DataFrame({column: _read(f"{name}.{column}", own, numbers) for column, own in told["value"].items()})
    return _READERS[kind](value)


def _balance(stored: Mapping[str, Any]) -> ExposureBalance:
    largest = tuple(Imbalance(**{**named, "term": Term(**named["term"])}) for named in stored["largest"])
    return ExposureBalance(**{**stored, "largest": largest})


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "text": str,
    "texts": tuple,
    "terms": CovariateTerms.from_json,
    "balance": _balance,
}


def _values(column: "pd.Series[Any]") -> NDArray[Any] | tuple[str, ...]:
    return column.to_numpy() if pd.api.types.is_numeric_dtype(column.dtype) else tuple(column)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
