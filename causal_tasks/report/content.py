"""The whole report in one language: every text and number finished, nothing laid out yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report.briefing import Briefing
from causal_tasks.report.result import result_digest
from causal_tasks.report.sections.balance import Balance, tell_balance
from causal_tasks.report.sections.chance import Chance, tell_chance
from causal_tasks.report.sections.checks import Checks, tell_checks
from causal_tasks.report.sections.curves import Curve, tell_curves
from causal_tasks.report.sections.drivers import Drivers, tell_drivers
from causal_tasks.report.sections.effects import Overall, tell_overall
from causal_tasks.report.sections.estimates import EstimateRow, tell_estimates
from causal_tasks.report.sections.event_study import Differences, tell_differences
from causal_tasks.report.sections.facts import Facts, Waterfall, tell_facts, tell_waterfall
from causal_tasks.report.sections.follow_up import Confirmation, Planned, tell_confirmation, tell_follow_up
from causal_tasks.report.sections.forest import Forest, tell_forest
from causal_tasks.report.sections.heterogeneity import Heterogeneity, tell_heterogeneity
from causal_tasks.report.sections.models import Models, tell_models
from causal_tasks.report.sections.policy import Policies, tell_policies
from causal_tasks.report.sections.segments import Segments, tell_segments
from causal_tasks.report.sections.tuning import Tuning, tell_tuning
from causal_tasks.report.text import Catalog
from causal_tasks.report.verdict import story_of
from causal_tasks.rule import Language


@dataclass(frozen=True, slots=True)
class Content:
    """What a view shows, in the order in which it shows it; what is not known is None or empty."""

    language: Language
    text: Catalog
    theme: str
    title: str
    report_id: str
    code: str
    story: str
    badge: str
    headline: str
    action: str
    is_observational: bool
    confirmation: Confirmation | None
    overall: Overall
    balance: tuple[Balance, ...]
    heterogeneity: tuple[Heterogeneity, ...]
    chance: Chance | None
    segments: Segments
    forest: Forest
    policies: tuple[Policies, ...]
    follow_up: tuple[Planned, ...]
    checks: Checks
    waterfall: Waterfall
    estimates: tuple[EstimateRow, ...]
    differences: Differences | None
    curves: tuple[Curve, ...]
    drivers: tuple[Drivers, ...]
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
    verdict, text, experiment = briefing.result["verdict"], briefing.text, briefing.experiment
    segments, overall, models = tell_segments(briefing), tell_overall(briefing), tell_models(briefing)
    notes = [text(f"notes.{code}", failures=models.failures) for code in (*result["notes"], *result["run"]["notes"])]
    story = story_of(verdict["code"], briefing.result)
    observational = not experiment.randomized
    return Content(
        language=language,
        text=text,
        theme=experiment.delivery.theme,
        title=briefing.title,
        report_id=experiment.run_id,
        code=verdict["code"],
        story=story,
        badge=text(f"badge.{story}{'_observational' if observational and story == 'one_decision' else ''}"),
        headline=verdict["headline"][language],
        action=verdict["action"][language],
        is_observational=observational,
        confirmation=tell_confirmation(briefing),
        overall=overall,
        balance=tell_balance(briefing),
        heterogeneity=tell_heterogeneity(briefing),
        chance=tell_chance(briefing),
        segments=segments,
        forest=tell_forest(briefing, segments, overall),
        policies=tell_policies(briefing),
        follow_up=tell_follow_up(briefing),
        checks=tell_checks(briefing),
        waterfall=tell_waterfall(briefing),
        estimates=tell_estimates(briefing),
        differences=tell_differences(briefing),
        curves=tell_curves(briefing),
        drivers=tell_drivers(briefing),
        models=models,
        tuning=tell_tuning(briefing),
        facts=tell_facts(briefing, result_digest(result)),
        notes=tuple(notes),
        treatments=experiment.treatments,
    )
