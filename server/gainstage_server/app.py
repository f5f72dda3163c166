"""Puts the application together, and runs it."""

import gc
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gainstage import diagnosis, wire
from gainstage_server import (
    api,
    archive,
    changes,
    health,
    ingest,
    journal,
    live,
    logs,
    metrics,
    units,
)
from gainstage_server.auth import Guard
from gainstage_server.dashboard import dashboard_router
from gainstage_server.diagnosis import Fold
from gainstage_server.service import Service
from gainstage_server.settings import Settings
from gainstage_server.store import store_at
from gainstage_server.store.interface import Store, StoreError

# Above the largest message that is read, so that a slightly larger one gets an answer that says
# so; beyond this the connection is closed with 1009.
SOCKET_MESSAGE_BYTES = wire.MAX_MESSAGE_BYTES + 2**20
API_VERSION = "1"
PING_SECONDS = 20.0
GRACEFUL_SECONDS = 10


def create_app(settings: Settings, store: Store | None = None, fold: Fold = diagnosis) -> FastAPI:
    """The application; `store` is by default the one that the settings name."""
    service = Service(settings, store or store_at(settings.database.get_secret_value()), fold)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        await service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="Gainstage",
        version=API_VERSION,
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        # Both load scripts from elsewhere, which the content security policy forbids.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.service = service
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPStatus.BAD_REQUEST, _unreadable)
    app.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, _not_allowed)
    app.add_exception_handler(StoreError, _unavailable)
    for part in (api, archive, changes, ingest, live, metrics, health, units, logs):
        app.include_router(part.router)
    app.include_router(dashboard_router())
    app.add_middleware(Guard, settings=settings, tokens=service.tokens)
    app.add_middleware(journal.Requests)  # outermost: what the guard refuses has a name too
    return app


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """A request whose parameters cannot be read, in the form of all other problems."""
    found = error.errors() if isinstance(error, RequestValidationError) else ()
    problems = (f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in found)
    detail = f"The request cannot be read: {'; '.join(problems)}. See /api/v1/openapi.json."
    return JSONResponse({"detail": detail}, 422)


async def _unreadable(request: Request, error: Exception) -> JSONResponse:
    """A body that is no text; FastAPI has a status of its own for it."""
    detail = "The body cannot be read: expected JSON in UTF-8. See /api/v1/openapi.json."
    return JSONResponse({"detail": detail}, 422)


async def _not_allowed(request: Request, error: Exception) -> JSONResponse:
    """A method that a path does not have: of its routes, Starlette would name the first one's."""
    path = request.scope["route"].path
    routes = (route for route in iter_route_contexts(request.app.routes) if route.path == path)
    methods = ", ".join(sorted({method for route in routes for method in route.methods or ()}))
    detail = f"This takes the methods {methods}. Received: {request.method[:32]}."
    return JSONResponse({"detail": detail}, HTTPStatus.METHOD_NOT_ALLOWED, {"allow": methods})


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    """A request that needs what the store does not give now."""
    return JSONResponse({"detail": str(error)}, 503)


class Sockets(WebSocketsSansIOProtocol):
    """uvicorn's WebSockets, told that a handshake may end with an HTTP answer.

    A refusal is sent whole, with its status and its reason; but uvicorn takes the handshake for one
    that was never completed, and logs an error for each.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.logger = journal.sockets

    async def send(self, message: Any) -> None:
        """Send `message`; the body of a refusal completes the handshake."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True


class Server(uvicorn.Server):
    """uvicorn's server, which ends the service before it ends its connections."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no one new, commit, acknowledge, close with 1001, then end."""
        for listener in self.servers:
            listener.close()
        await self._service.stop()
        await super().shutdown(sockets)


def create_server(settings: Settings, store: Store | None = None, fold: Fold = diagnosis) -> Server:
    """A server that is ready to run."""
    app = create_app(settings, store, fold)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        ws=Sockets,
        ws_max_size=SOCKET_MESSAGE_BYTES,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        server_header=False,
        # The journal has both.
        access_log=False,
        log_config=None,
    )
    return Server(config, app.state.service)


def can_listen(settings: Settings) -> None:
    """Nothing, where the address of `settings` is free.

    Raises:
        OSError: It is taken, or is none of this machine's.
    """
    found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as listener:
        # As the server itself will: what a past one left behind is no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)


def serve(settings: Settings) -> None:
    """Run until the process is told to end; a store that cannot be used ends it with a reason."""
    journal.configure(settings.log_format, settings.log_level)
    try:
        store = store_at(settings.database.get_secret_value())
        store.open()
    except StoreError as error:
        raise SystemExit(str(error)) from error
    server = create_server(settings, store)
    # What was imported stays, and a full collection that looks through it, some 100,000 objects,
    # would keep everyone waiting for 50 ms or more.
    gc.collect()
    gc.freeze()
    server.run()
