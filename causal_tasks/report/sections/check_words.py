"""Names and figures that a check's sentences speak of beside its value: which arms, levels, features, by how much."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing

Details = Mapping[str, Any]
Words = Callable[[Briefing, Mapping[str, Any]], dict[str, str]]


def words_of(briefing: Briefing, check: Mapping[str, Any]) -> dict[str, str]:
    """The fields that the sentences of a check need beside value, threshold and subject."""
    words = _WORDS.get(check["code"])
    return words(briefing, check) if words and check["details"] else {}


def further_sentences(briefing: Briefing, check: Mapping[str, Any]) -> Iterator[str]:
    """What else is to be said about a check that did not pass."""
    if check["status"] == "pass":
        return
    details: Details = check["details"]
    if check["code"] == "sample_ratio" and (place := _explaining_place(briefing, details)):
        yield briefing.text("findings.sample_ratio", **place)
    if check["code"] == "cap" and details.get("turned"):
        yield briefing.text("findings.cap_turned", arms=briefing.text("words.comma").join(details["turned"]))


def _explaining_place(briefing: Briefing, details: Details) -> dict[str, str] | None:
    """The day or level without which the arms have the designed sizes."""
    bound = briefing.experiment.thresholds.sample_ratio_warn
    place = next((place for place in details.get("where", ()) if place["p_rest"] >= bound), None)
    if place is None:
        return None
    return {
        "place": _place(briefing, place["feature"], place["level"]),
        "observed": _by_arm(briefing, place["observed"], numbers.count),
        "rest": numbers.probability(place["p_rest"]),
    }


def _place(briefing: Briefing, feature: str | None, level: str | None) -> str:
    if feature is None:
        return briefing.text("findings.day", day=level)
    name = briefing.display_name(feature) or feature
    return briefing.text("findings.missing" if level is None else "findings.level", feature=name, level=level)


def _by_arm(briefing: Briefing, found: Mapping[str, float], write: Callable[[float], str]) -> str:
    return briefing.text("words.comma").join(f"{arm} {write(value)}" for arm, value in found.items())


def _other_experiments(briefing: Briefing, check: Mapping[str, Any]) -> dict[str, str]:
    shares: Details = check["details"]["shares"]
    worst = shares.get(check["subject"], {})
    return {"number": numbers.count(len(shares)), "shares": _by_arm(briefing, worst, numbers.percent)}


def _exposure_day(_: Briefing, check: Mapping[str, Any]) -> dict[str, str]:
    return {"hours": numbers.fixed(check["details"]["hours"], 1)}


def _id_format(briefing: Briefing, check: Mapping[str, Any]) -> dict[str, str]:
    formats: Details = check["details"]["units"].get(check["subject"], {})
    return {"formats": briefing.text("words.comma").join(formats)}


def _missing_by_arm(briefing: Briefing, check: Mapping[str, Any]) -> dict[str, str]:
    return {"shares": _by_arm(briefing, check["details"]["missing"], numbers.percent)}


def _scale(briefing: Briefing, check: Mapping[str, Any]) -> dict[str, str]:
    details: Details = check["details"]
    if "treatment" in details:
        return {"where": briefing.text("findings.scale_arm", treatment=details["treatment"])}
    place = _place(briefing, details["feature"], details["level"])
    return {"where": briefing.text("findings.scale_level", place=place)}


def _tail(briefing: Briefing, check: Mapping[str, Any]) -> dict[str, str]:
    details: Details = check["details"]
    index, bound = (numbers.fixed(details[name], 1) for name in ("tail_index", "tail_index_bound"))
    tail = "" if details["tail_index"] is None else briefing.text("findings.tail", index=index, bound=bound)
    return {"tail": tail, "imbalance": numbers.fixed(details["imbalance"], 1)}


def _levels(briefing: Briefing, check: Mapping[str, Any]) -> dict[str, str]:
    details: Details = check["details"]
    named = briefing.text("words.comma").join(details["levels"][:3])
    return {"levels": named, "units": numbers.count(details["units"])}


def _copy(briefing: Briefing, check: Mapping[str, Any]) -> dict[str, str]:
    return {"metric": briefing.metric_name(check["details"]["metric"])}


def _informative(briefing: Briefing, check: Mapping[str, Any]) -> dict[str, str]:
    details: Details = check["details"]
    return {
        "missing": numbers.percent(details["missing"]),
        "direction": briefing.text(f"findings.{details['direction']}"),
    }


def _prediction(briefing: Briefing, check: Mapping[str, Any]) -> dict[str, str]:
    names = (briefing.display_name(name) or name for name in check["details"]["features"])
    return {
        "auc": numbers.fixed(check["details"]["auc"], 3),
        "features": briefing.text("words.comma").join(names),
    }


_WORDS: Mapping[str, Words] = {
    "overlapping_experiments": _other_experiments,
    "exposure_day_counts": _exposure_day,
    "id_format": _id_format,
    "missing_outcome_by_arm": _missing_by_arm,
    "unit_scale": _scale,
    "heavy_tail": _tail,
    "schema_drift": _levels,
    "outcome_copy": _copy,
    "missing_feature_informative": _informative,
    "arm_predictable": _prediction,
}
