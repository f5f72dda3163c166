"""Who may ask, under which name, from which page: checked before anything is accepted."""

import re
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gainstage_server.settings import Settings
from gainstage_server.store.interface import StoreError
from gainstage_server.store.records import Scope as Needed
from gainstage_server.tokens import Tokens

# The first prefix that fits says which token a path needs, and which one to change something
# there. The dashboard holds no data; browsers cannot send headers with a WebSocket, so viewers may
# send their token in the first message, and `live` checks it.
SCOPES: tuple[tuple[str, Needed | None, Needed | None], ...] = (
    ("/api/v1/ingest", "ingest", "admin"),
    ("/api/v1/live", None, "admin"),
    ("/api", "read", "admin"),
    ("/metrics", "read", "admin"),
    ("", None, None),
)
# What these ask for changes nothing (RFC 9110, section 9.2.1).
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Bodies are read whole before anyone looks at them; the largest that is asked for has 30 bytes.
MAX_BODY_BYTES = 4_096
WHOLE = re.compile(r"[0-9]{1,18}")

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class _DeniedError(Exception):
    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def bearer(headers: Headers) -> str:
    """The token that a request or handshake carries; empty where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class Guard:
    """ASGI middleware: checks Host, Origin and token, and adds the security headers.

    What the token allows goes on with the request: see `grants.grant_of`.
    """

    def __init__(self, app: ASGIApp, settings: Settings, tokens: Tokens) -> None:
        self._app = app
        self._settings = settings
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        guarded = _with_security_headers(send)
        try:
            await self._check(scope)
        except _DeniedError as denied:
            await _answer(denied, scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)

    async def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers)
        self._check_origin(headers)
        _, reading, changing = next(row for row in SCOPES if scope["path"].startswith(row[0]))
        # A handshake has no method.
        needed = reading if scope.get("method", "GET") in SAFE else changing
        if needed is not None:
            await self._check_token(needed, scope)
        if scope["type"] == "http":
            _check_body(headers)

    def _check_host(self, headers: Headers) -> None:
        # Another name that leads here is how a foreign page reads a local server (DNS rebinding).
        authority = headers.get("host", "")
        hosts = self._settings.hosts
        if "*" not in hosts and _name(authority) not in hosts:
            raise _DeniedError(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"This server goes by the names {', '.join(sorted(hosts))}. Received the Host "
                f"{authority[:256]!r}. Add the name to GAINSTAGE_ALLOWED_HOSTS.",
            )

    def _check_origin(self, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is None or origin in self._settings.allowed_origins:
            return
        if _authority(origin) != headers.get("host", "").lower():
            raise _DeniedError(
                HTTPStatus.FORBIDDEN,
                f"Pages of this server itself may use it. Received the Origin {origin[:256]!r}. "
                "Add it to GAINSTAGE_ALLOWED_ORIGINS.",
            )

    async def _check_token(self, needed: Needed, scope: Scope) -> None:
        received = bearer(Headers(scope=scope))
        try:
            grant = await self._tokens.grant(received, needed)
        except StoreError as error:
            raise _DeniedError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        if grant is None:
            variable = f"GAINSTAGE_{needed.upper()}_TOKEN"
            raise _DeniedError(
                HTTPStatus.UNAUTHORIZED,
                f"This needs the header `Authorization: Bearer` with a token that opens {needed}. "
                f"Received {'one that does not' if received else 'none'}. Send the one that the "
                f"server was started with (GAINSTAGE_TOKEN or {variable}), or one that "
                f"`gainstage token create --scope {needed}` has made on the server.",
            )
        grant.attach(HTTPConnection(scope))


def _check_body(headers: Headers) -> None:
    length = headers.get("content-length", "0")
    told = WHOLE.fullmatch(length) and "transfer-encoding" not in headers
    if not told or int(length) > MAX_BODY_BYTES:
        raise _DeniedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"A body has at most {MAX_BODY_BYTES} bytes, and says how many in Content-Length. "
            f"Received: {length[:32] if 'content-length' in headers else 'no length'}.",
        )


def _name(authority: str) -> str:
    """The host in a Host header, without its port."""
    host, colon, port = authority.rpartition(":")
    return (host if colon and port.isdigit() else authority).lower()


def _authority(origin: str) -> str:
    """The host and port in an Origin header."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # a bracket without its other half
        return ""


def _with_security_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return guarded


async def _answer(denied: _DeniedError, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse; a WebSocket gets an HTTP answer in place of the handshake."""
    response = Response(
        msgspec.json.encode({"detail": denied.detail}),
        denied.status,
        {"www-authenticate": "Bearer"} if denied.status == HTTPStatus.UNAUTHORIZED else None,
        "application/json",
    )
    await response(scope, receive, send)
