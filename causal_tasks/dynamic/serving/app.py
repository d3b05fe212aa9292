"""The HTTP server: decisions, its health, its metrics."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from causal_tasks.dynamic.serving.answers import decision_answer
from causal_tasks.dynamic.serving.hot_swap import HotSwap, Served
from causal_tasks.dynamic.serving.messages import (
    DecisionAnswer,
    DecisionRequest,
    FieldProblem,
    Health,
    Refusal,
    RefusedRequestError,
    read_request,
)
from causal_tasks.dynamic.serving.monitoring import CONTENT_TYPE, Monitoring

MAX_BODY_BYTES = 1_000_000

_CLIENT_IS_GONE = 499
_SECONDS_PER_DAY = 86_400

logger = logging.getLogger("causal_tasks")


class BodyTooLargeError(Exception):
    """A request has more than ``MAX_BODY_BYTES``."""


def create_app(swap: HotSwap) -> FastAPI:
    """A server of what ``swap`` serves; it starts and stops ``swap``.

    A request is decided where it is read, in the event loop: the model takes less time than handing it to a thread.
    """

    @asynccontextmanager
    async def watched(_: FastAPI) -> AsyncIterator[None]:
        swap.start()
        yield
        swap.stop()

    monitoring = Monitoring()
    # Its pages of documentation would load scripts from elsewhere; /openapi.json is there.
    app = FastAPI(title="causal-tasks serve", lifespan=watched, docs_url=None, redoc_url=None)

    @app.post("/decide", **_described())
    async def decide(request: Request) -> Response:
        """Which arm a request gets, and the order of its candidates under it."""
        began = time.perf_counter()
        response = await _answered(request, swap.served, monitoring)
        monitoring.statuses[response.status_code] += 1
        monitoring.latency.observe(time.perf_counter() - began)
        return response

    # Some balancers ask for the head alone.
    @app.head("/health", include_in_schema=False)
    @app.get("/health", response_model=Health, responses={503: {"model": Health}})
    async def health() -> Response:
        """Whether decisions are made, and whether by the manifest that is published."""
        return _json(_health(swap), 200 if swap.served else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        """Counts and latencies, in the text format of Prometheus."""
        return Response(monitoring.text(_gauges(swap)), media_type=CONTENT_TYPE)

    return app


async def _answered(request: Request, served: Served | None, monitoring: Monitoring) -> Response:
    """The answer to a request for a decision, whatever it holds."""
    if served is None:
        return _refusal(503, FieldProblem(field="", problem="no manifest has been loaded yet; /health says why"))
    try:
        answer = decision_answer(read_request(await _body(request)), served)
    except BodyTooLargeError:
        return _refusal(413, FieldProblem(field="body", problem=f"has more than {MAX_BODY_BYTES:,} bytes"))
    except RefusedRequestError as refused:
        return _refusal(422, *refused.problems)
    except ClientDisconnect:
        return Response(status_code=_CLIENT_IS_GONE)
    except Exception:
        logger.exception("a request could not be decided")
        return _refusal(500, FieldProblem(field="", problem="the server failed; its log says why"))
    monitoring.arms[answer.arm] += 1
    monitoring.reasons[answer.reason] += 1
    monitoring.explored += answer.explored
    return _json(answer, 200)


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise BodyTooLargeError
        parts.append(part)
    return b"".join(parts)


def _json(content: BaseModel, status: int) -> Response:
    return Response(content.model_dump_json(), status_code=status, media_type="application/json")


def _refusal(status: int, *problems: FieldProblem) -> Response:
    return _json(Refusal(detail=list(problems)), status)


def _health(swap: HotSwap) -> Health:
    served = swap.served
    return Health(
        status="starting" if served is None else "degraded" if swap.problem else "ok",
        problem=swap.problem,
        feed=served and served.manifest.feed.feed_id,
        revision=served and served.manifest.feed.revision,
        date=served and served.manifest.date,
        users=served and len(served.decider.lookup),
        since=served and datetime.fromtimestamp(served.since, UTC),
        looked=None if swap.looked is None else datetime.fromtimestamp(swap.looked, UTC),
    )


def _gauges(swap: HotSwap) -> dict[str, tuple[str, float]]:
    gauges = {"causal_serving_problem": ("1 while the published manifest does not serve.", float(bool(swap.problem)))}
    if served := swap.served:
        day = datetime.combine(served.manifest.date, datetime.min.time(), UTC).timestamp()
        gauges |= {
            "causal_manifest_day_seconds": ("Start of the day that was scored, seconds since 1970.", day),
            "causal_manifest_age_days": ("Days since that.", (time.time() - day) / _SECONDS_PER_DAY),
            "causal_lookup_users": ("Users with scores.", float(len(served.decider.lookup))),
        }
    return gauges


def _described() -> dict[str, Any]:
    """What /openapi.json says of a body that is read by hand, to bound it and to read numbers strictly."""
    return {
        "response_model": DecisionAnswer,
        "responses": {status: {"model": Refusal} for status in (413, 422, 500, 503)},
        "openapi_extra": {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": DecisionRequest.model_json_schema()}},
            }
        },
    }
