"""One result being told in one language: what every section of the report starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from causal_tasks.experiment import Experiment, Metric
from causal_tasks.report.numbers import MetricFormat
from causal_tasks.report.text import Catalog, catalog
from causal_tasks.rule import Language

_ABSENT: Mapping[str, Any] = {
    "did": (),
    "balance": None,
    "drivers": {},
    "follow_up": (),
    "placebo": None,
    "confirmation": None,
}
"""What a result of schema version 2 says about what it did not know."""


@dataclass(frozen=True, slots=True)
class Briefing:
    """A result, read for one language.

    Attributes:
        result: The content of ``result.json``; what an older schema version lacks is empty.
        experiment: As the result states it.
        language: Of the reader.
        text: Its catalogue.
    """

    result: Mapping[str, Any]
    experiment: Experiment
    language: Language
    text: Catalog

    @classmethod
    def of(cls, result: Mapping[str, Any], language: Language) -> Self:
        """The briefing on ``result`` in ``language``."""
        experiment = Experiment.parse(result["experiment"], source="result.json")
        return cls({**_ABSENT, **result}, experiment, language, catalog(language))

    @property
    def title(self) -> str:
        """The experiment's name, else its id."""
        return self.experiment.name or self.experiment.experiment_id

    @property
    def several_treatments(self) -> bool:
        """Whether a treatment must be named to be understood."""
        return len(self.experiment.treatments) > 1

    @property
    def evidence(self) -> Mapping[str, Any]:
        """What is known about rules and ranking; empty where nothing was mined."""
        return self.result["evidence"] or {}

    @property
    def primary(self) -> MetricFormat:
        """How values of the primary metric are written."""
        return self.format(self.experiment.primary.name)

    def named(self, treatment: str) -> str | None:
        """The treatment where there are several, and so its name must be said; None where there is one."""
        return treatment if self.several_treatments else None

    @property
    def winner(self) -> Mapping[str, Any] | None:
        """The board's row of the entrant that won; None where no model was selected."""
        models = self.result["models"]
        return next((row for row in models["board"] if row["entrant"] == models["winner"]), None)

    def metric(self, name: str) -> Metric:
        """The metric called ``name``."""
        return next(metric for metric in self.experiment.metrics if metric.name == name)

    def metric_name(self, name: str) -> str:
        """Its display name, else ``name``."""
        return self.metric(name).display.get(self.language, name)

    def format(self, name: str) -> MetricFormat:
        """How values of the metric called ``name`` are written."""
        return MetricFormat.of(self.metric(name), self.language)

    def axis_unit(self, name: str) -> str:
        """Unit of the axis on which effects on the metric called ``name`` are drawn; empty where it has none."""
        shown = self.format(name)
        return self.text("words.percentage_points") if shown.percent else shown.unit

    def display_name(self, subject: str | None) -> str | None:
        """The display name of a metric or feature; anything else, such as an arm, as it is."""
        if subject is None:
            return None
        if any(metric.name == subject for metric in self.experiment.metrics):
            return self.metric_name(subject)
        return self.experiment.features[subject].display.get(self.language, subject)

    def covariate_name(self, feature: str, level: str | None) -> str:
        """The display name of a feature, with its level where it has any; ``pre__<metric>`` is a pre-window."""
        metric = feature.removeprefix("pre__")
        if metric != feature and any(known.name == metric for known in self.experiment.metrics):
            name = self.text("words.before", metric=self.metric_name(metric))
        else:
            name = self.display_name(feature) or feature
        return name if level is None else self.text("words.level", feature=name, level=level)
