"""Stage ``publish``: the decision that is served from now on, and the day's result."""

from datetime import UTC, datetime
from typing import Any

from causal_tasks.dynamic.day import DayContext
from causal_tasks.dynamic.day_models import MODEL, TRAINING
from causal_tasks.dynamic.day_policies import by_treatment, decision_of
from causal_tasks.dynamic.day_verdict import PAYS
from causal_tasks.dynamic.decision import NEVER, DynamicDecision
from causal_tasks.dynamic.serving.manifest import InterestFolder, LookupFile, Manifest, read_manifest
from causal_tasks.dynamic.serving.manifest import publish as publish_manifest
from causal_tasks.dynamic.stages.evaluate import FINDINGS
from causal_tasks.storage import Uri

SCHEMA_VERSION = 1


def publish(context: DayContext) -> dict[str, Uri]:
    """Write ``served`` and ``result``, and make the day the one that is served, unless a later one is already.

    Treatments are switched on only where the verdict says that this pays; otherwise their thresholds are never, and
    exploration goes on.
    """
    findings = context.read_json("evaluate", FINDINGS)
    decision = served_decision(context, findings)
    published = publish_manifest(manifest_of(context, decision), context.settings)
    serving = None if published else read_manifest(context.feed.feed_id, context.settings)
    served: dict[str, Any] = {
        "published": published,
        "kept": str(serving.date) if serving else None,
        "date": str(context.date),
        "switched_on": findings["verdict"]["code"] == PAYS,
        "thresholds": by_treatment(context.feed, decision.thresholds),
        "exploration": decision.exploration,
        "stage": decision.stage,
        "boost": decision.boost,
        "users": findings["coverage"]["users"]["scored"],
    }
    return {
        "served": context.write_json("served.json", served),
        "result": context.write_json("result.json", result_of(context, findings, served)),
    }


def served_decision(context: DayContext, findings: dict[str, Any]) -> DynamicDecision:
    """The chosen thresholds where they pay, else never."""
    feed = context.feed
    thresholds = [NEVER] * len(feed.treatments)
    weight = findings["thresholds"]["interest_weight"]
    if findings["verdict"]["code"] == PAYS:
        chosen = findings["thresholds"]["chosen"]
        thresholds = [NEVER if chosen[name] is None else chosen[name] for name in feed.treatments]
    return decision_of(feed, thresholds, 1.0 if weight is None else weight, exploration=feed.serving.exploration)


def manifest_of(context: DayContext, decision: DynamicDecision) -> Manifest:
    """What a server needs to decide by the day's models."""
    interest = None
    if context.read_json("interest", TRAINING) is not None:
        interest = InterestFolder.of(context.uri("interest", MODEL), context.storage)
    return Manifest(
        feed=context.feed,
        date=context.date,
        lookup=LookupFile(
            uri=context.uri("score", "lookup"), sha256=context.read_json("score", "scored")["lookup_sha256"]
        ),
        interest=interest,
        decision=decision.to_json(),
        published=datetime.now(UTC),
    )


def result_of(context: DayContext, findings: dict[str, Any], served: dict[str, Any]) -> dict[str, Any]:
    """The day's ``result.json``: all that its views read; ``run`` is the part that is no result."""
    stated = context.feed.model_dump(
        mode="json", include={"feed_id", "revision", "name", "owner", "control", "segment"}
    )
    return {
        "schema_version": SCHEMA_VERSION,
        "feed": stated
        | {
            "arms": list(context.feed.arms),
            "treatments": dict(context.feed.treatments),
            "durations": context.feed.durations.model_dump(mode="json"),
            "reward": context.feed.columns.reward,
            "responses": [
                response.model_dump(mode="json") | {"key": response.key} for response in context.feed.responses
            ],
            "delivery": context.feed.delivery.model_dump(mode="json"),
        },
        "date": str(context.date),
        **findings,
        "served": {name: served[name] for name in served if name not in {"published", "kept"}},
        "run": {
            "published": served["published"],
            "kept": served["kept"],
            "scores": context.uri("score", "scores").removeprefix(f"{context.run_uri}/"),
            "lookup": context.uri("score", "lookup").removeprefix(f"{context.run_uri}/"),
        },
    }
