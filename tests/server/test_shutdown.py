"""At the end: nothing more is taken, what was taken is committed and acknowledged, then 1001."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from socket import create_server

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gainstage import wire
from gainstage_server.app import serve
from gainstage_server.settings import Settings
from gainstage_server.store.sqlite import SQLiteStore

from .conftest import Running, running
from .trainer import Trainer, acknowledged, read, send, subscribe, wait_until


def test_trainers_and_viewers_are_told_that_the_server_goes_away(server: Running) -> None:
    with (
        connect(f"{server.ws}/api/v1/ingest") as trainer,
        connect(f"{server.ws}/api/v1/live") as viewer,
    ):
        trainer.send(Trainer().run_start())
        acknowledged(trainer, 0)
        subscribe(viewer, "other")
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        codes = []
        for socket in (trainer, viewer):
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
            codes.append(closed.value.rcvd.code)
        stopping.join()

    assert codes == [1001, 1001]


def test_at_the_end_what_is_stored_is_what_was_acknowledged(settings: Settings) -> None:
    sent: list[bytes] = []
    with running(settings) as server, connect(f"{server.ws}/api/v1/ingest") as socket:
        sending = threading.Thread(target=_send_until_closed, args=(socket, sent))
        sending.start()
        acknowledged(socket, 5)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        newest = max(read(data).seq for data in socket)
        sending.join()
        stopping.join()

    with running(settings) as again:
        stored = again.get("/api/v1/runs/canonical").json()["frames"]
        sent_again = sent[: newest + 100]
        send(again.ws, sent_again)
        completed = again.get("/api/v1/runs/canonical").json()["frames"]

    assert stored == len(range(2, newest + 1))  # run_start and schema are no frames
    assert completed == len(sent_again) - 2 > stored


def _send_until_closed(socket: ClientConnection, sent: list[bytes]) -> None:
    trainer = Trainer()
    sent += trainer.opening()
    for message in sent:
        socket.send(message)
    with suppress(ConnectionClosed):
        while True:
            sent.append(trainer.frame(len(sent)))
            socket.send(sent[-1])


def test_a_peer_that_does_not_answer_the_closing_holds_nothing_up(settings: Settings) -> None:
    with running(settings) as server, connect(f"{server.ws}/api/v1/ingest") as socket:
        socket.send(Trainer().run_start())
        acknowledged(socket, 0)
        socket.protocol.receive_data = lambda data: None

        server.stop()


def test_sigterm_ends_a_server_process_in_order(tmp_path: Path) -> None:
    port = _free_port()
    environment = os.environ | {
        "GAINSTAGE_DATABASE": str(tmp_path / "process.db"),
        "GAINSTAGE_PORT": str(port),
        "GAINSTAGE_DISK_FLOOR": "0",
    }
    code = "from gainstage_server.app import serve; from gainstage_server.settings import Settings"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{code}; serve(Settings())"], env=environment
    )
    try:
        wait_until(lambda: _answers(port), 30)
        with connect(f"ws://127.0.0.1:{port}/api/v1/ingest") as socket:
            socket.send(Trainer().run_start())
            acknowledged(socket, 0)
            process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
        status = process.wait(10)
    finally:
        process.kill()
        process.wait()

    assert closed.value.rcvd.code == 1001
    assert status == -signal.SIGTERM
    assert wire.decode(_only_run_start(tmp_path / "process.db"))[0].run == "canonical"


def test_a_store_that_cannot_be_used_ends_the_start_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("This is not the database that you are looking for.")

    with pytest.raises(SystemExit, match=r"notes\.db cannot be opened"):
        serve(Settings(database=tmp_path / "notes.db"))


def _free_port() -> int:
    with create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _only_run_start(path: str) -> bytes:
    store = SQLiteStore(path)
    try:
        (raw,) = store.messages("canonical", "run_start", newest=9)
    finally:
        store.close()
    return raw
