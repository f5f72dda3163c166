"""What the server says of itself: one event a line, as JSON or for people.

Levels: `error` wants someone to act, `warning` tells of something that was lost or refused, `info`
of runs, findings and connections, `debug` of each request. Code logs by Python's own `logging`,
with the run as `extra`; structlog writes the lines.
"""

import logging
import re
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict

from gainstage import wire
from gainstage_server.commit import Committed
from gainstage_server.settings import LogFormat, LogLevel

log = logging.getLogger("gainstage.server")
# uvicorn's own words on each WebSocket; ours say which run it was.
sockets = logging.getLogger("gainstage.sockets")
# Alembic's on each revision; ours say which database it was.
revisions = logging.getLogger("alembic")

REQUEST = "x-request-id"
# What a balancer may call a request; anything else gets a name of ours.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def configure(format: LogFormat, level: LogLevel) -> None:
    """Have everything that is logged in this process written to stderr.

    Args:
        format: "auto" is text on a terminal, JSON elsewhere.
        level: The least of what is written.
    """
    text = format == "text" or (format == "auto" and sys.stderr.isatty())
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _without_colours,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendered: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), repr_native_str=True)]
        if text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for chatty in (sockets, revisions):
        chatty.setLevel(logging.WARNING)


def _without_colours(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Uvicorn adds its text once more, for terminals."""
    event.pop("color_message", None)
    return event


class Requests:
    """ASGI middleware: names each request, in its answer and in all that is logged for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its name."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST, "")
        name = given if _NAME.fullmatch(given) else uuid.uuid4().hex
        begun, status = time.perf_counter(), 0

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST] = name
            await send(message)

        with structlog.contextvars.bound_contextvars(request=name):
            await self._app(scope, receive, named)
            took = {"status": status, "milliseconds": round(1e3 * (time.perf_counter() - begun), 1)}
            asked = {"method": scope.get("method", "WebSocket"), "path": scope["path"]}
            log.debug("request answered", extra=asked | took)


def tell(committed: Committed, before: Mapping[str, frozenset[str]]) -> None:
    """Log what a commit brought: runs and findings that began or ended.

    Args:
        committed: What was stored.
        before: Run -> ids of the findings that were open.
    """
    for item in committed.fresh:
        message = item.message
        of = {"run": message.run, "attempt": message.attempt, "worker": message.worker}
        if isinstance(message, wire.RunStart):
            log.info("run started", extra=of | {"project": message.project})
        elif isinstance(message, wire.RunEnd):
            counts = {"frames": message.frames, "thinned": message.thinned}
            log.info("run ended", extra=of | {"status": message.status} | counts)
    for run, findings in committed.findings.items():
        for finding in findings:
            known = finding.id in before.get(run, ())
            if finding.open == known:
                continue  # it has changed, or opened and closed within the batch
            what = {"verdict": finding.verdict, "severity": finding.severity}
            log.info(
                "finding opened" if finding.open else "finding closed",
                extra={"run": run, "layer": finding.layer} | what,
            )
