"""The least that a FastAPI server can do: read the same body, answer the same arm. Run by uvicorn."""

import json

from fastapi import FastAPI, Request, Response

app = FastAPI(docs_url=None, redoc_url=None)


@app.get("/health")
async def health() -> Response:
    return Response("{}", media_type="application/json")


@app.post("/decide")
async def decide(request: Request) -> Response:
    body = json.loads(await request.body())
    return Response(json.dumps({"arm": "control", "request_id": body["request_id"]}), media_type="application/json")
