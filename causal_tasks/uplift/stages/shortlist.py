"""Stage ``shortlist``: the trained candidates that are worth tuning."""

from statistics import fmean
from typing import Any

from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri


def shortlist(context: StageContext) -> dict[str, Uri]:
    """Write the finalists, the ranking of all trained candidates, and why the others failed."""
    candidates = [str(manifest.item) for manifest in context.inputs["train"]]
    scores = {name: _score(context.read_json("train", "card", item=name)) for name in candidates}
    order = sorted(scores, key=lambda name: (-scores[name], name))
    return {
        "items": context.write_json("items.json", order[: context.experiment.mining.finalists]),
        "ranking": context.write_json("ranking.json", [{"candidate": name, "auuc": scores[name]} for name in order]),
        "failed": context.write_json("failed.json", failed_items(context, "train")),
    }


def failed_items(context: StageContext, stage: str) -> dict[str, Any]:
    """Why instances of a mapped stage have no result, by item; None where they were killed or ran out of memory."""
    return {
        key.removeprefix(f"{stage}/"): failure.reason if failure else None
        for key, failure in context.failures.items()
        if key.startswith(f"{stage}/")
    }


def _score(card: dict[str, Any]) -> float:
    return fmean(score["estimate"] for score in card["auuc"].values())
