"""The catalogues: every sentence of the report, by language and key."""

import string
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from causal_tasks.rule import Language


class Catalog:
    """The sentences of one language.

    Attributes:
        language: Of the sentences.
        sentences: Templates by dotted key, such as ``checks.sample_ratio.pass``.
    """

    def __init__(self, language: Language, sentences: Mapping[str, str]) -> None:
        self.language = language
        self.sentences = sentences

    def __call__(self, key: str, **fields: Any) -> str:
        """The sentence under ``key`` with its fields filled in; values are inserted as they are, never interpreted.

        Raises:
            KeyError: The catalogue has no such key, or the sentence needs a field that was not given.
        """
        if key not in self.sentences:
            raise KeyError(f"catalogue {self.language!r} has no text {key!r}; add it to report/locales")
        return self.sentences[key].format_map(fields)

    def fields(self, key: str) -> frozenset[str]:
        """Names of the fields that the sentence under ``key`` needs."""
        return frozenset(name for _, name, _, _ in string.Formatter().parse(self.sentences[key]) if name)


@cache
def catalog(language: Language) -> Catalog:
    """The catalogue of ``language``: all files of its folder together."""
    import yaml

    folder = files("causal_tasks.report").joinpath(f"locales/{language}")
    documents = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in folder.iterdir())
    return Catalog(language, dict(entry for document in documents for entry in _flattened(document)))


def _flattened(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in node.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{path}.")
        else:
            yield path, str(value)
