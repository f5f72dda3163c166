"""Who may ask: Host, Origin and token, on HTTP and on WebSockets, before anything is accepted."""

import socket
from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from gainstage_server.auth import MAX_BODY_BYTES, SECURITY_HEADERS
from gainstage_server.settings import Settings
from gainstage_server.tokens import is_open

from .conftest import Running, running
from .trainer import Trainer, send

SOCKETS = ("/api/v1/ingest", "/api/v1/live")
PAGES = ("/", "/api/v1/runs", "/metrics", "/healthz", "/api/v1/openapi.json")


# Nothing here changes a server, so all tests share one of each kind.
@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("open")
    with running(Settings(database=folder / "open.db", disk_floor=0)) as it:
        yield it


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = Settings(
        database=tmp_path_factory.mktemp("guarded") / "guarded.db",
        disk_floor=0,
        ingest_token="hands",
        read_token="eyes",
        admin_token="all",
        allowed_hosts="gpu-box.example",
        allowed_origins="http://localhost:5173",
    )
    with running(settings) as it:
        yield it


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def status_of_handshake(url: str, **headers: str) -> int:
    try:
        with connect(url, additional_headers=headers) as client:
            return client.response.status_code
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8420", "localhost:x", ""])
def test_under_another_name_nothing_is_served(server: Running, path: str, host: str) -> None:
    assert server.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("path", SOCKETS)
def test_under_another_name_no_socket_opens(server: Running, path: str) -> None:
    url = f"ws://evil.example:{server.port}{path}"
    # A name of the attacker's that leads here.
    led_here = socket.create_connection(("127.0.0.1", server.port))

    with pytest.raises(InvalidStatus) as refused, connect(url, sock=led_here):
        pass

    assert refused.value.response.status_code == 421
    assert refused.value.response.headers["content-type"] == "application/json"
    assert status_of_handshake(server.ws + path) == 101


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST:8420", "[::1]:8420"])
def test_its_own_names_are_served(server: Running, host: str) -> None:
    assert server.get("/healthz", headers={"host": host}).status_code == 200


def test_names_of_the_operator_are_served(guarded: Running) -> None:
    assert guarded.get("/healthz", headers={"host": "gpu-box.example:8420"}).status_code == 200


def test_any_name_is_served_only_when_the_operator_says_so(settings: Settings) -> None:
    with running(settings.model_copy(update={"allowed_hosts": ("*",)})) as server:
        assert server.get("/healthz", headers={"host": "whatever"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://", "http://["]
)
@pytest.mark.parametrize("path", PAGES)
def test_pages_from_elsewhere_are_refused(server: Running, path: str, origin: str) -> None:
    assert server.get(path, headers={"origin": origin}).status_code == 403


@pytest.mark.parametrize("path", SOCKETS)
def test_sockets_of_pages_from_elsewhere_are_refused_before_they_open(
    server: Running, path: str
) -> None:
    assert status_of_handshake(server.ws + path, Origin="http://evil.example") == 403
    assert status_of_handshake(server.ws + path, Origin=server.url) == 101


def test_origins_of_the_operator_are_served(guarded: Running) -> None:
    headers = bearer("eyes") | {"origin": "http://localhost:5173"}

    assert guarded.get("/api/v1/runs", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/runs", "/metrics", "/api/v1/openapi.json", "/api/v1/x"])
@pytest.mark.parametrize("sent", [{}, bearer("guess"), bearer("hands"), {"Authorization": "eyes"}])
def test_reading_needs_the_read_token(guarded: Running, path: str, sent: dict[str, str]) -> None:
    answer = guarded.get(path, headers=sent)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "GAINSTAGE_READ_TOKEN" in answer.json()["detail"]


@pytest.mark.parametrize("token", ["eyes", "all"])
def test_reading_is_open_to_the_read_and_the_admin_token(guarded: Running, token: str) -> None:
    assert guarded.get("/api/v1/runs", headers=bearer(token)).status_code == 200
    assert guarded.get("/metrics", headers=bearer(token)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_what_holds_no_data_needs_no_token(guarded: Running, path: str) -> None:
    assert guarded.get(path).status_code == 200


@pytest.mark.parametrize("token", ["", "guess", "eyes"])
def test_sending_needs_the_ingest_token_before_the_socket_opens(
    guarded: Running, token: str
) -> None:
    assert status_of_handshake(f"{guarded.ws}/api/v1/ingest", **bearer(token)) == 401


def test_handshake_that_is_refused_is_complete_and_logs_no_error(
    guarded: Running, caplog: pytest.LogCaptureFixture
) -> None:
    refused = (
        status_of_handshake(f"{guarded.ws}/api/v1/ingest", **bearer("guess")),
        status_of_handshake(f"{guarded.ws}/api/v1/live", Origin="http://evil.example"),
    )
    # Connections end in order: once this one is over, whatever the others logged is there.
    guarded.get("/healthz")

    assert refused == (401, 403)
    assert [it.getMessage() for it in caplog.records if it.levelname == "ERROR"] == []


@pytest.mark.parametrize("token", ["hands", "all"])
def test_sending_is_open_to_the_ingest_and_the_admin_token(guarded: Running, token: str) -> None:
    messages = [Trainer().run_start()]

    assert send(guarded.ws, messages, additional_headers=bearer(token)) == []


CHANGES = [
    ("DELETE", "/api/v1/runs/nobody"),
    ("PUT", "/api/v1/runs/nobody/findings/f/mark"),
    ("DELETE", "/api/v1/runs/nobody/findings/f/mark"),
    ("POST", "/api/v1/live"),
    ("POST", "/metrics"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize("token", ["", "guess", "hands", "eyes"])
def test_changing_needs_the_admin_token(
    guarded: Running, method: str, path: str, token: str
) -> None:
    headers = bearer(token) if token else {}

    answer = httpx.request(method, guarded.url + path, headers=headers)

    assert answer.status_code == 401
    assert "GAINSTAGE_ADMIN_TOKEN" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path"), CHANGES[:3])
def test_changing_is_open_to_the_admin_token(guarded: Running, method: str, path: str) -> None:
    wanted = {"state": "muted"} if method == "PUT" else None

    answer = httpx.request(method, guarded.url + path, headers=bearer("all"), json=wanted)

    assert (answer.status_code, "no run" in answer.json()["detail"]) == (404, True)


@pytest.mark.parametrize("token", ["", "eyes", "hands"])
def test_without_an_admin_token_no_one_changes_anything_and_the_way_out_is_named(
    settings: Settings, token: str
) -> None:
    tokens = {"ingest_token": SecretStr("hands"), "read_token": SecretStr("eyes")}
    with running(settings.model_copy(update=tokens)) as server:
        headers = bearer(token) if token else {}
        answer = httpx.delete(f"{server.url}/api/v1/runs/nobody", headers=headers)

    assert answer.status_code == 401
    assert "GAINSTAGE_ADMIN_TOKEN" in answer.json()["detail"]
    assert "gainstage token create --scope admin" in answer.json()["detail"]


def test_one_token_for_all_opens_changing_too(settings: Settings) -> None:
    with running(settings.model_copy(update={"token": SecretStr("one")})) as server:
        path = f"{server.url}/api/v1/runs/nobody"

        assert httpx.delete(path, headers=bearer("one")).status_code == 404
        assert httpx.delete(path, headers=bearer("two")).status_code == 401


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_pages_from_elsewhere_change_nothing(server: Running, origin: str) -> None:
    answer = httpx.delete(f"{server.url}/api/v1/runs/nobody", headers={"origin": origin})

    assert answer.status_code == 403


def chunks() -> Iterator[bytes]:
    yield b'{"state":'
    yield b'"muted"}'


@pytest.mark.parametrize("body", [b"x" * (MAX_BODY_BYTES + 1), chunks()], ids=["long", "unknown"])
def test_a_body_is_short_and_says_how_long_it_is(server: Running, body: object) -> None:
    path = f"{server.url}/api/v1/runs/nobody/findings/f/mark"

    assert httpx.put(path, content=body).status_code == 413
    assert httpx.put(path, content=b"x" * MAX_BODY_BYTES).status_code == 422


def test_a_token_in_the_address_opens_nothing(guarded: Running) -> None:
    assert guarded.get("/api/v1/runs?token=eyes&access_token=eyes").status_code == 401


@pytest.mark.parametrize("path", [*PAGES, "/api/v1/runs/nobody"])
def test_every_answer_carries_the_security_headers(server: Running, path: str) -> None:
    headers = server.get(path).headers

    assert {name: headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_refusals_carry_the_security_headers_too(server: Running) -> None:
    headers = server.get("/", headers={"host": "evil.example"}).headers

    assert {name: headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


@pytest.mark.parametrize(
    ("received", "opened"), [("one", True), ("two", True), ("on", False), ("", False), ("é", False)]
)
def test_only_a_whole_token_opens(received: str, opened: bool) -> None:
    assert is_open(("one", "two"), received) is opened


@pytest.mark.parametrize(
    "path", ["/API/v1/runs", "//api/v1/runs", "/x/../api/v1/runs", "/api%2Fv1%2Fruns", "/METRICS"]
)
def test_a_path_in_capitals_or_with_dots_does_not_get_around_the_token(
    guarded: Running, path: str
) -> None:
    exactly = httpx.URL(guarded.url).copy_with(raw_path=path.encode())

    answer = httpx.get(exactly)

    # Either refused, or the dashboard's page, which is the same for all.
    assert answer.status_code == 401 or answer.text == guarded.get("/").text
