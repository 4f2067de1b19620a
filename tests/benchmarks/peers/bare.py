"""Starlette alone: reads nothing, stores nothing, answers 202. What others are compared with."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def receive(request: Request) -> JSONResponse:
    return JSONResponse({"status": "accepted"}, 202)


app = Starlette(routes=[Route("/webhooks/cloudtalk/{trigger}", receive, methods=["POST"])])
