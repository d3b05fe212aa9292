"""The whole report in one language: every text and number finished, nothing laid out yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report.briefing import Briefing
from causal_tasks.report.result import result_digest
from causal_tasks.report.sections.checks import Checks, tell_checks
from causal_tasks.report.sections.curves import Curve, tell_curves
from causal_tasks.report.sections.effects import Overall, tell_overall
from causal_tasks.report.sections.facts import Facts, Waterfall, tell_facts, tell_waterfall
from causal_tasks.report.sections.forest import Forest, tell_forest
from causal_tasks.report.sections.models import Models, tell_models
from causal_tasks.report.sections.segments import Segments, tell_segments
from causal_tasks.report.sections.tuning import Tuning, tell_tuning
from causal_tasks.report.text import Catalog
from causal_tasks.report.verdict import story_of
from causal_tasks.rule import Language


@dataclass(frozen=True, slots=True)
class Content:
    """What a view shows, in the order in which it shows it."""

    language: Language
    text: Catalog
    theme: str
    title: str
    report_id: str
    code: str
    badge: str
    headline: str
    action: str
    overall: Overall
    segments: Segments
    forest: Forest
    curves: tuple[Curve, ...]
    checks: Checks
    waterfall: Waterfall
    models: Models
    tuning: Tuning | None
    facts: Facts
    notes: tuple[str, ...]
    treatments: tuple[str, ...]

    @property
    def several_treatments(self) -> bool:
        """Whether a treatment must be named to be understood."""
        return len(self.treatments) > 1


def tell(result: Mapping[str, Any], language: Language) -> Content:
    """The report on ``result`` in ``language``."""
    briefing = Briefing.of(result, language)
    verdict, text, experiment = result["verdict"], briefing.text, briefing.experiment
    segments, overall, models = tell_segments(briefing), tell_overall(briefing), tell_models(briefing)
    notes = [text(f"notes.{code}", failures=models.failures) for code in (*result["notes"], *result["run"]["notes"])]
    return Content(
        language=language,
        text=text,
        theme=experiment.delivery.theme,
        title=briefing.title,
        report_id=experiment.run_id,
        code=verdict["code"],
        badge=text(f"badge.{story_of(verdict['code'], result['subpopulations'])}"),
        headline=verdict["headline"][language],
        action=verdict["action"][language],
        overall=overall,
        segments=segments,
        forest=tell_forest(briefing, segments, overall),
        curves=tell_curves(briefing),
        checks=tell_checks(briefing),
        waterfall=tell_waterfall(briefing),
        models=models,
        tuning=tell_tuning(briefing),
        facts=tell_facts(briefing, result_digest(result)),
        notes=tuple(notes),
        treatments=experiment.treatments,
    )
