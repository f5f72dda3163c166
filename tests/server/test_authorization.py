"""Who may use what: every route and socket of the application, for every kind of caller."""

import time
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from msgspec.structs import replace
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from gainstage import wire
from gainstage_server.app import create_app
from gainstage_server.settings import Settings
from gainstage_server.tokens import make

from .conftest import Running, running
from .trainer import Trainer, read, send, subscribe

SOCKET = "WebSocket"  # in place of a method
OPENED, TURNED_AWAY = 101, 1008

# Route -> what opens it, and what it answers to whoever may use it. The run is live.
ROUTES: dict[tuple[str, str], tuple[str, int]] = {
    ("GET", "/api/v1/runs"): ("read", 200),
    ("GET", "/api/v1/runs/{run}"): ("read", 200),
    ("GET", "/api/v1/runs/{run}/layers"): ("read", 200),
    ("GET", "/api/v1/runs/{run}/series"): ("read", 200),
    ("GET", "/api/v1/runs/{run}/heatmap"): ("read", 200),
    ("GET", "/api/v1/runs/{run}/units"): ("read", 200),
    ("GET", "/api/v1/runs/{run}/logs"): ("read", 200),
    ("GET", "/api/v1/runs/{run}/archive"): ("read", 200),
    ("GET", "/api/v1/runs/{run}/findings"): ("read", 200),
    ("GET", "/api/v1/runs/{run}/trials"): ("read", 200),
    ("GET", "/api/v1/refused"): ("read", 200),
    ("GET", "/api/v1/refused/{id}"): ("read", 200),
    ("GET", "/api/v1/rules"): ("read", 200),
    ("GET", "/api/v1/activations"): ("read", 200),
    ("GET", "/api/v1/statistics"): ("read", 200),
    ("GET", "/api/v1/messages.json"): ("read", 200),
    ("GET", "/api/v1/openapi.json"): ("read", 200),
    ("HEAD", "/api/v1/openapi.json"): ("read", 200),
    ("GET", "/metrics"): ("read", 200),
    ("PUT", "/api/v1/runs/{run}/findings/{finding}/mark"): ("admin", 200),
    ("DELETE", "/api/v1/runs/{run}/findings/{finding}/mark"): ("admin", 200),
    ("DELETE", "/api/v1/runs/{run}"): ("admin", 409),
    (SOCKET, "/api/v1/ingest"): ("ingest", OPENED),
    (SOCKET, "/api/v1/live"): ("read", OPENED),
    ("GET", "/healthz"): ("nothing", 200),
    ("GET", "/readyz"): ("nothing", 200),
    ("GET", "/{path:path}"): ("nothing", 200),
    ("HEAD", "/{path:path}"): ("nothing", 200),
}
QUERIES = {
    "/api/v1/runs/{run}/series": "?layer=dense_1&statistic=pre_db",
    "/api/v1/runs/{run}/heatmap": "?statistic=pre_db",
    "/api/v1/runs/{run}/units": "?layer=dense_1",
}
BODIES = {("PUT", "/api/v1/runs/{run}/findings/{finding}/mark"): {"state": "muted"}}

NOW = time.time()
# Caller -> its token: of the environment, or as the store holds it. The run is of project "digits".
CALLERS: dict[str, str | dict[str, object] | None] = {
    "nobody": None,
    "stranger": "guess",
    "trainer": "hands",
    "viewer": "eyes",
    "boss": "all",
    "trainer of the project": {"scope": "ingest", "project": "digits"},
    "viewer of the project": {"scope": "read", "project": "digits"},
    "boss of the project": {"scope": "admin", "project": "digits"},
    "trainer of another": {"scope": "ingest", "project": "vision"},
    "viewer of another": {"scope": "read", "project": "vision"},
    "boss of another": {"scope": "admin", "project": "vision"},
    "boss of all, of the store": {"scope": "admin", "project": None},
    "boss until just now": {"scope": "admin", "project": "digits", "expires": NOW - 1},
    "boss no longer": {"scope": "admin", "project": "digits", "revoked": NOW - 1},
}
BOSSES = {name for name in CALLERS if name.startswith("boss of")} | {"boss"}
STRANGERS = {name for name in CALLERS if name.endswith("of another")}
# What opens a route -> who may use it.
MAY: dict[str, set[str]] = {
    "nothing": set(CALLERS),
    "ingest": {name for name in CALLERS if name.startswith("trainer")} | BOSSES,
    "read": {name for name in CALLERS if name.startswith("viewer")} | BOSSES,
    "admin": BOSSES,
}
# Of another project there is nothing to be named.
OWNED = ("{run}", "{id}")


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    return {
        (method, str(route.path))
        for route in iter_route_contexts(app.routes)
        for method in getattr(route, "methods", None) or (SOCKET,)
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One live run with a finding, and one message that was refused."""
    settings = Settings(
        database=tmp_path_factory.mktemp("authorization") / "matrix.db",
        disk_floor=0,
        lost_after=1e6,
        ingest_token="hands",
        read_token="eyes",
        admin_token="all",
    )
    trainer = Trainer()
    messages = [*trainer.opening(), *(trainer.loud(10 * step) for step in range(4))]
    with running(settings) as it:
        sent = [*messages, trainer.frame(99, schema=77), trainer.notice()]
        assert len(send(it.ws, sent, additional_headers=bearer("all"))) == 1
        yield it


@pytest.fixture(scope="module")
def names(server: Running) -> dict[str, object]:
    """What stands for the parameters of paths."""
    headers = bearer("all")
    (finding,) = server.get("/api/v1/runs/canonical/findings", headers=headers).json()["findings"]
    (refused,) = server.get("/api/v1/refused", headers=headers).json()["messages"]
    return {"run": "canonical", "finding": finding["id"], "id": refused["id"]}


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def tokens(server: Running) -> dict[str, str | None]:
    """Caller -> what it sends."""
    made: dict[str, str | None] = {}
    with server.service.store.write() as transaction:
        for caller, token in CALLERS.items():
            if isinstance(token, dict):
                sent, record = make("read", None, now=NOW)
                transaction.put_token(replace(record, **token))
                made[caller] = sent
            else:
                made[caller] = token
    return made


def ask(
    server: Running, method: str, route: str, names: dict[str, object], token: str | None
) -> httpx.Response:
    path = route.replace(":path", "").format(**{"path": "", **names}) + QUERIES.get(route, "")
    body = BODIES.get((method, route))
    return httpx.request(method, server.url + path, json=body, headers=bearer(token))


def send_one(server: Running, message: bytes, token: str | None) -> object:
    """What the server answers to one message."""
    with connect(f"{server.ws}/api/v1/ingest", additional_headers=bearer(token)) as socket:
        socket.send(message)
        return read(socket.recv(timeout=10))


def status_of_socket(server: Running, path: str, token: str | None, *, told: bool) -> int:
    """What the handshake comes to, or the first message; `told` says the token in the latter."""
    headers = {} if told else bearer(token)
    try:
        with connect(server.ws + path, additional_headers=headers) as socket:
            if path.endswith("/live"):
                subscribe(socket, None, token if told else None)
            return socket.response.status_code
    except InvalidStatus as refused:
        return refused.response.status_code
    except ConnectionClosed as closed:
        return closed.rcvd.code


def expected(needed: str, caller: str, right: int, refusal: int = 401) -> int:
    return right if caller in MAY[needed] else refusal


def test_each_kind_of_caller_is_there() -> None:
    assert {needed: len(MAY[needed]) for needed in MAY} == {
        "nothing": 14,
        "ingest": 7,
        "read": 7,
        "admin": 4,
    }


def test_every_route_of_the_application_is_in_the_table() -> None:
    assert routes_of(create_app(Settings(database="unused.db"))) == set(ROUTES)


def test_route_that_is_in_no_table_would_be_noticed() -> None:
    app = create_app(Settings(database="unused.db"))
    app.add_api_route("/api/v1/secrets", lambda: None)

    assert routes_of(app) - set(ROUTES) == {("GET", "/api/v1/secrets")}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("method", "route"), [key for key in ROUTES if key[0] != SOCKET])
def test_route_answers_those_who_may_use_it_and_no_one_else(
    server: Running,
    names: dict[str, object],
    tokens: dict[str, str | None],
    method: str,
    route: str,
    caller: str,
) -> None:
    needed, right = ROUTES[method, route]
    if caller in STRANGERS and any(name in route for name in OWNED):
        right = 404

    answer = ask(server, method, route, names, tokens[caller])

    assert answer.status_code == expected(needed, caller, right)


def test_what_is_of_another_project_is_answered_like_what_does_not_exist(
    server: Running, names: dict[str, object], tokens: dict[str, str | None]
) -> None:
    nothing = {"run": "canonicax", "finding": "none", "id": 1}
    for (method, route), (needed, _) in ROUTES.items():
        if needed in ("read", "admin") and any(name in route for name in OWNED):
            answers = [
                ask(server, method, route, asked, tokens["boss of another"])
                for asked in (names, nothing)
            ]

            theirs, missing = (answer.json()["detail"] for answer in answers)
            assert (
                theirs.replace("canonical", "canonicax").replace(str(names["id"]), "1") == missing
            ), route


def test_what_a_token_of_another_project_sends_changes_nothing(
    server: Running, tokens: dict[str, str | None]
) -> None:
    before = server.get("/api/v1/runs/canonical", headers=bearer("all")).json()
    forged = Trainer(attempt="a1", project="digits")
    forged.seq = 50

    refused = [
        send_one(server, message, tokens["boss of another"])
        for message in (forged.run_start(), forged.notice(), forged.run_end())
    ]

    assert [type(answer) for answer in refused] == [wire.Refuse] * 3
    after = server.get("/api/v1/runs/canonical", headers=bearer("all")).json()
    assert {**after, "last_seen": 0} == {**before, "last_seen": 0}


@pytest.mark.parametrize("caller", CALLERS)
def test_trainers_socket_opens_for_those_who_may_send(
    server: Running, tokens: dict[str, str | None], caller: str
) -> None:
    path = "/api/v1/ingest"

    status = status_of_socket(server, path, tokens[caller], told=False)

    assert status == expected("ingest", caller, OPENED)


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("caller", CALLERS)
def test_viewers_socket_tells_only_those_who_may_read(
    server: Running, tokens: dict[str, str | None], caller: str, told: bool
) -> None:
    status = status_of_socket(server, "/api/v1/live", tokens[caller], told=told)

    assert status == expected("read", caller, OPENED, TURNED_AWAY)
