"""Projects are boundaries: for a token of one project there are no others."""

from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import ClientConnection, connect

from gainstage import handshake, wire
from gainstage_server.settings import Settings
from gainstage_server.tokens import make

from .conftest import Running, running
from .trainer import Trainer, acknowledged, read, send, subscribe


class Tokens(NamedTuple):
    """Of one project, by scope."""

    ingest: dict[str, str]
    read: dict[str, str]
    admin: dict[str, str]


def tokens_of(server: Running, project: str | None) -> Tokens:
    """Headers with tokens that the store holds."""
    made = [make(scope, project, now=0.0) for scope in ("ingest", "read", "admin")]
    with server.service.store.write() as transaction:
        for _, record in made:
            transaction.put_token(record)
    return Tokens(*({"Authorization": f"Bearer {token}"} for token, _ in made))


@pytest.fixture
def server(settings: Settings) -> Iterator[Running]:
    closed = {"require_tokens": True, "project_runs": 3}
    with running(settings.model_copy(update=closed)) as it:
        yield it


@pytest.fixture
def ours(server: Running) -> Tokens:
    return tokens_of(server, "ours")


@pytest.fixture
def theirs(server: Running) -> Tokens:
    return tokens_of(server, "theirs")


def begin(server: Running, tokens: Tokens, project: str) -> Trainer:
    """A live run of that name and project, with a finding and a message that was refused."""
    trainer = Trainer(run=f"run-of-{project}", project=project)
    messages = [*trainer.opening(), *(trainer.loud(10 * step) for step in range(4))]
    messages += [trainer.frame(99, schema=77), trainer.notice()]
    assert len(send(server.ws, messages, additional_headers=tokens.ingest)) == 1
    return trainer


def told(socket: ClientConnection) -> list[object]:
    """What a viewer is sent up to the answer to a last subscription of its own."""
    socket.send('{"type":"subscribe","run":"nothing","id":99}')
    heard: list[object] = []
    while (message := read(socket.recv(timeout=10))) != wire.Subscribed(id=99):
        heard.append(message)
    return heard


def test_lists_hold_what_is_of_the_project_alone(
    server: Running, ours: Tokens, theirs: Tokens
) -> None:
    begin(server, ours, "ours")
    begin(server, theirs, "theirs")

    def runs(headers: dict[str, str], query: str = "") -> list[str]:
        answer = server.get(f"/api/v1/runs{query}", headers=headers)
        return [run["id"] for run in answer.json()["runs"]]

    def refused(headers: dict[str, str]) -> list[str]:
        answer = server.get("/api/v1/refused", headers=headers).json()
        return [message["run"] for message in answer["messages"]]

    all_projects = tokens_of(server, None)
    assert runs(ours.read) == ["run-of-ours"]
    assert runs(ours.read, "?project=theirs") == []
    assert sorted(runs(all_projects.read)) == ["run-of-ours", "run-of-theirs"]
    assert refused(ours.read) == ["run-of-ours"]
    assert sorted(refused(all_projects.read)) == ["run-of-ours", "run-of-theirs"]


def test_what_was_refused_of_others_can_be_neither_read_nor_counted(
    server: Running, ours: Tokens, theirs: Tokens
) -> None:
    begin(server, theirs, "theirs")
    (kept,) = server.get("/api/v1/refused", headers=theirs.read).json()["messages"]

    answer = server.get(f"/api/v1/refused/{kept['id']}", headers=ours.read)

    assert (answer.status_code, "Known: none" in answer.json()["detail"]) == (404, True)
    shown = server.get("/api/v1/refused", headers=ours.read).json()
    assert shown == {"messages": [], "since_start": None}
    assert server.get(f"/api/v1/refused/{kept['id']}", headers=theirs.read).status_code == 200


def test_metrics_are_those_of_the_projects_runs(
    server: Running, ours: Tokens, theirs: Tokens
) -> None:
    begin(server, ours, "ours")
    begin(server, theirs, "theirs")

    def shown(tokens: Tokens) -> tuple[set[str], bool]:
        text = server.get("/metrics", headers=tokens.read).text
        samples = [one for it in text_string_to_metric_families(text) for one in it.samples]
        of_server = any(sample.name == "gainstage_trainers" for sample in samples)
        return {sample.labels.get("run", "") for sample in samples} - {""}, of_server

    assert shown(ours) == ({"run-of-ours"}, False)
    assert shown(tokens_of(server, None)) == ({"run-of-ours", "run-of-theirs"}, True)


def test_viewers_hear_of_their_projects_runs_alone(
    server: Running, ours: Tokens, theirs: Tokens
) -> None:
    trainer = begin(server, theirs, "theirs")
    live = f"{server.ws}/api/v1/live"
    with (
        connect(live, additional_headers=ours.read) as of_list,
        connect(live, additional_headers=ours.read) as of_run,
    ):
        subscribe(of_list, None)
        subscribe(of_run, "run-of-theirs")
        more = [trainer.loud(50), trainer.run_end(frames=5)]
        assert send(server.ws, more, additional_headers=theirs.ingest) == []
        run = f"{server.url}/api/v1/runs/run-of-theirs"
        (finding,) = httpx.get(f"{run}/findings", headers=theirs.read).json()["findings"]
        marked = httpx.put(
            f"{run}/findings/{finding['id']}/mark", json={"state": "muted"}, headers=theirs.admin
        )
        deleted = httpx.delete(run, headers=theirs.admin)
        begin(server, ours, "ours")

        assert (marked.status_code, deleted.status_code) == (200, 204)
        assert {message.run for message in told(of_list)} == {"run-of-ours"}
        assert told(of_run) == []


def test_viewers_of_the_project_hear_that_its_run_was_deleted(
    server: Running, ours: Tokens
) -> None:
    trainer = begin(server, ours, "ours")
    send(server.ws, [trainer.run_end(frames=4)], additional_headers=ours.ingest)
    with connect(f"{server.ws}/api/v1/live", additional_headers=ours.read) as viewer:
        subscribe(viewer, None)
        httpx.delete(f"{server.url}/api/v1/runs/run-of-ours", headers=ours.admin)

        assert told(viewer) == [wire.RunDeleted(run="run-of-ours")]


def refusals(server: Running, messages: list[bytes], tokens: Tokens) -> list[str]:
    refused = send(server.ws, messages, additional_headers=tokens.ingest)
    return [refusal.reason for refusal in refused]


def test_a_run_of_another_project_is_not_begun(server: Running, ours: Tokens) -> None:
    trainer, last = Trainer(run="r", project="theirs"), Trainer(run="last", project="ours")

    reasons = refusals(server, [*trainer.opening(), *last.opening()], ours)

    assert "This token sends runs of project 'ours' alone. Received one of 'theirs'" in reasons[0]
    assert "an attempt that has not begun" in reasons[1]
    assert [run.run for run in server.service.runs.all()] == ["last"]


def test_nothing_is_added_to_a_run_of_another_project(
    server: Running, ours: Tokens, theirs: Tokens
) -> None:
    victim = begin(server, theirs, "theirs")
    before = server.get("/api/v1/runs/run-of-theirs", headers=theirs.read).json()
    claim = Trainer(run="run-of-theirs", attempt="a2", project="ours")
    forged = [victim.quiet(60), victim.notice(), victim.run_end(frames=1)]
    last = Trainer(run="last", project="ours")

    reasons = refusals(server, [claim.run_start(), *forged, last.run_start()], ours)

    unknown = Trainer(run="no-such-run", attempt=victim.attempt)
    unknown.seq, unknown.schema_seq = victim.seq, victim.schema_seq
    same = refusals(server, [unknown.quiet(60), last.notice()], ours)
    after = server.get("/api/v1/runs/run-of-theirs", headers=theirs.read).json()
    assert "is taken" in reasons[0]
    # What is said of a run of theirs is what is said of one that there is not.
    assert reasons[1] == same[0].replace("no-such-run", "run-of-theirs")
    assert len(reasons) == 4
    assert before["notices"] == after["notices"]
    assert (before["frames"], before["last_seen"]) == (after["frames"], after["last_seen"])


def test_no_run_is_taken_over_within_one_batch(
    server: Running, ours: Tokens, theirs: Tokens
) -> None:
    ingest = f"{server.ws}/api/v1/ingest"
    first = Trainer(run="contested", attempt="a1", project="theirs")
    second = Trainer(run="contested", attempt="a2", project="ours")
    with (
        connect(ingest, additional_headers=theirs.ingest) as they,
        connect(ingest, additional_headers=ours.ingest) as we,
    ):
        they.send(first.run_start())
        we.send(second.run_start())
        refused = [
            message
            for socket in (they, we)
            if isinstance(message := read(socket.recv(timeout=10)), wire.Refuse)
        ]

    assert len(refused) == 1
    assert "is taken" in refused[0].reason


def test_naming_a_run_of_theirs_at_the_handshake_does_not_keep_it_alive(
    server: Running, ours: Tokens, theirs: Tokens
) -> None:
    begin(server, theirs, "theirs")
    record = server.service.runs.get("run-of-theirs")
    for headers, alive in ((ours.ingest, False), (theirs.ingest, True)):
        named = headers | {handshake.STREAM: "run-of-theirs a1 0"}
        with connect(f"{server.ws}/api/v1/ingest", additional_headers=named) as socket:
            trainer = Trainer(run="other", project="ours" if headers is ours.ingest else "theirs")
            socket.send(trainer.run_start())
            socket.recv(timeout=10)
            seen = server.service.runs.last_seen(record, 9e9)

        assert (seen == 9e9) is alive


def test_a_project_holds_a_limited_number_of_runs_and_a_deleted_one_makes_room(
    server: Running, ours: Tokens, theirs: Tokens
) -> None:
    def start(run: str, tokens: Tokens = ours, project: str = "ours") -> str | None:
        """Why the run may not begin; it is over at once."""
        trainer = Trainer(run=run, project=project)
        with connect(f"{server.ws}/api/v1/ingest", additional_headers=tokens.ingest) as socket:
            socket.send(trainer.run_start())
            begun = read(socket.recv(timeout=10))
            socket.send(trainer.run_end())
            socket.recv(timeout=10)
            return begun.reason if isinstance(begun, wire.Refuse) else None

    assert [start(f"run{index}") for index in range(3)] == [None] * 3
    assert "A project holds at most 3 runs" in str(start("run3"))
    assert start("elsewhere", theirs, "theirs") is None
    assert start("run0") is None
    httpx.delete(f"{server.url}/api/v1/runs/run0", headers=ours.admin).raise_for_status()
    assert start("run3") is None


def test_trainers_of_all_projects_are_not_counted_by_project(server: Running) -> None:
    everyone = tokens_of(server, None)
    ingest = f"{server.ws}/api/v1/ingest"
    with connect(ingest, additional_headers=everyone.ingest) as socket:
        for index in range(5):
            socket.send(Trainer(run=f"run{index}", project="ours").run_start())
            assert acknowledged(socket, 0) == []
