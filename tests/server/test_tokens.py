"""Tokens of the store: made, shown once, kept as a hash, refused after their end."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gainstage.cli import app
from gainstage_server import service
from gainstage_server.grants import Grant
from gainstage_server.settings import Settings
from gainstage_server.store.interface import Store
from gainstage_server.tokens import Tokens, is_open, make, seconds_of

from .conftest import Running, running
from .trainer import Trainer, acknowledged, read, send, subscribe, wait_until

NOW = 1_000.0
CLOSED = Settings(require_tokens=True)


def kept(store: Store, scope: str = "read", project: str | None = "digits", **more: object) -> str:
    token, record = make(scope, project, now=NOW, **more)
    with store.write() as transaction:
        transaction.put_token(record)
    return token


def revoke(store: Store, token: str) -> None:
    record = store.token(token.split("_")[1])
    with store.write() as transaction:
        transaction.put_token(replace(record, revoked=NOW))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def granted(
    store: Store, token: str, needed: str = "read", now: float = NOW, settings: Settings = CLOSED
) -> Grant | None:
    return asyncio.run(Tokens(settings, store, clock=lambda: now).grant(token, needed))


def test_a_token_says_what_it_is_and_holds_256_random_bits() -> None:
    tokens = {make("read", None, now=NOW)[0] for _ in range(100)}

    assert len({token.split("_", 2)[2] for token in tokens}) == 100
    assert all(re.fullmatch(r"gs_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_the_store_keeps_nothing_that_opens_anything(tmp_path: Path, settings: Settings) -> None:
    with running(settings) as server:
        token = kept(server.service.store)

    secret = token.split("_", 2)[2]
    files = list(tmp_path.glob("gainstage.db*"))
    assert files
    assert not any(secret.encode() in file.read_bytes() for file in files)


@pytest.mark.parametrize(
    ("scope", "opened"),
    [("ingest", ["ingest"]), ("read", ["read"]), ("admin", ["ingest", "read", "admin"])],
)
def test_a_token_opens_its_scope_and_admin_all_of_them(
    store: Store, scope: str, opened: list[str]
) -> None:
    token = kept(store, scope)

    grants = {needed: granted(store, token, needed) for needed in ("ingest", "read", "admin")}

    assert [needed for needed, grant in grants.items() if grant] == opened
    assert {grant.project for grant in grants.values() if grant} == {"digits"}


def test_a_token_ends_when_it_expires_or_is_revoked(store: Store) -> None:
    lasting, ending, revoked = kept(store), kept(store, expires=NOW + 10), kept(store)
    revoke(store, revoked)

    assert granted(store, ending, now=NOW + 9.9)
    assert granted(store, ending, now=NOW + 10) is None
    assert granted(store, revoked) is None
    assert granted(store, lasting, now=NOW + 1e9)


def test_nothing_but_the_whole_token_opens(store: Store) -> None:
    token, other = kept(store), kept(store)
    id, secret = token.removeprefix("gs_").split("_", 1)
    hash = store.token(id).hash.hex()
    guesses = ["gs_", "gs__", f"gs_{id}", f"gs_{id}_", token[:-1], f"{token}x", token.upper()]
    guesses += [f"gs_{other.split('_')[1]}_{secret}", f"gs_{id}_{hash}", secret, "gs_é_é", ""]

    assert [guess for guess in guesses if granted(store, guess)] == []
    assert granted(store, token) == Grant("read", "digits", id)


def test_tokens_of_the_environment_go_on_and_open_all_projects(store: Store) -> None:
    settings = Settings(read_token="eyes", admin_token="all")

    assert granted(store, "eyes", settings=settings) == Grant("read")
    assert granted(store, "eyes", "admin", settings=settings) is None
    assert granted(store, kept(store, "admin"), "admin", settings=settings)


def test_where_no_token_is_needed_one_of_a_project_still_shows_that_project_alone(
    store: Store,
) -> None:
    token = kept(store)

    assert granted(store, "", settings=Settings()) == Grant("read")
    assert granted(store, token, settings=Settings()).project == "digits"


@pytest.mark.parametrize(
    ("received", "opened"), [("one", True), ("two", True), ("on", False), ("", False), ("é", False)]
)
def test_only_a_whole_token_opens(received: str, opened: bool) -> None:
    assert is_open(("one", "two"), received) is opened


@pytest.mark.parametrize(
    ("text", "seconds"), [("12h", 43_200.0), ("30d", 2_592_000.0), ("8w", 4_838_400.0)]
)
def test_durations_are_hours_days_or_weeks(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0d", "d", "1", "-1d", "1.5h", "1m", "999999d", "١d"])
def test_what_is_no_duration_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="as 12h, 30d or 8w"):
        seconds_of(text)


# A running server


@pytest.fixture
def guarded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(service, "TOKENS_SECONDS", 0.05)
    with running(settings.model_copy(update={"require_tokens": True})) as server:
        yield server


def test_a_revoked_token_opens_nothing_at_once_and_its_connections_end(guarded: Running) -> None:
    store, trainer = guarded.service.store, Trainer()
    sending, reading = kept(store, "ingest"), kept(store)
    staying = kept(store)
    ingest, live = f"{guarded.ws}/api/v1/ingest", f"{guarded.ws}/api/v1/live"
    with (
        connect(ingest, additional_headers=bearer(sending)) as sender,
        connect(live) as viewer,
        connect(live, additional_headers=bearer(staying)) as other,
    ):
        subscribe(viewer, None, reading)
        subscribe(other, None)
        sender.send(trainer.run_start())
        acknowledged(sender, 0)
        for socket in (viewer, other):
            assert read(socket.recv(timeout=10)).run == "canonical"
        revoke(store, sending)
        revoke(store, reading)

        assert guarded.get("/api/v1/runs", headers=bearer(reading)).status_code == 401
        for socket in (sender, viewer):
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
            assert (closed.value.rcvd.code, "revoked" in closed.value.rcvd.reason) == (1008, True)
        subscribe(other, "canonical")


def test_a_store_that_cannot_be_read_ends_no_connection(
    guarded: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def fail(ids: object) -> set[str]:
        asked.append(ids)
        raise service.StoreError("No disk.")

    token = kept(guarded.service.store)
    live = f"{guarded.ws}/api/v1/live"
    with connect(live, additional_headers=bearer(token)) as viewer:
        subscribe(viewer, None)
        monkeypatch.setattr(guarded.service.tokens, "lapsed", fail)
        wait_until(lambda: len(asked) >= 2)
        monkeypatch.undo()

        subscribe(viewer, "canonical")


# The command line


def gainstage(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["token", *arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.stdout, result.stderr


def test_a_token_is_made_used_listed_and_revoked(guarded: Running, database: str) -> None:
    send_with = ("create", "--scope", "ingest", "--project", "digits", "--database", database)
    _, printed, told = gainstage(*send_with, "--name", "ci\x1b[2J", "--expires", "30d")
    token = printed.strip()
    id = token.split("_")[1]

    assert "shown this once" in told
    assert send(guarded.ws, [Trainer().run_start()], additional_headers=bearer(token)) == []
    listed = gainstage("list", "--database", database)[1]
    assert re.search(rf"{id}.+ingest.+digits.+open", listed)
    assert "\x1b" not in listed
    assert token.split("_", 2)[2] not in listed
    assert gainstage("revoke", id, "--database", database)[0] == 0
    assert re.search(rf"{id}.+revoked", gainstage("list", "--database", database)[1])
    with pytest.raises(Exception, match="401"):
        send(guarded.ws, [Trainer().run_start()], additional_headers=bearer(token))


def test_ids_are_whole_where_the_terminal_is_narrow(database: str) -> None:
    name = ("--name", "the cluster of the lab")
    made = ("create", "--scope", "read", "--project", "digits", "--database", database)
    id = gainstage(*made, *name)[1].split("_")[1]

    listed = CliRunner().invoke(
        app, ["token", "list", "--database", database], env={"COLUMNS": "60"}
    )

    assert id in listed.stdout


def test_command_whose_token_is_wrong_says_where_it_takes_another(guarded: Running) -> None:
    refused = CliRunner().invoke(app, ["runs", "--url", guarded.url, "--token", "guess"])

    assert refused.exit_code == 2
    assert "Give it as --token, or in GAINSTAGE_TOKEN." in refused.stderr


def test_who_makes_a_token_for_a_server_that_asks_for_none_is_told(tmp_path: Path) -> None:
    made = ("create", "--scope", "read", "--all-projects", "--database", str(tmp_path / "t.db"))

    assert "GAINSTAGE_REQUIRE_TOKENS" in gainstage(*made)[2]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("create", "--scope", "read"), "Expected one of --project P and --all-projects"),
        (("create", "--scope", "read", "--project", "p", "--all-projects"), "Received both"),
        (("create", "--scope", "read", "--project", "p", "--expires", "soon"), "30d or 8w"),
        (("create", "--scope", "write", "--project", "p"), "'ingest', 'read', 'admin'"),
        (("revoke", "0123"), "There is no token '0123'. Known: none."),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: tuple[str], told: str) -> None:
    code, _, error = gainstage(*arguments, "--database", str(tmp_path / "t.db"))

    assert (code, told in re.sub(r"[\s│]+", " ", error)) == (2, True)
