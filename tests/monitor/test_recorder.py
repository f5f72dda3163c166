"""The end of an attempt, beside threads that still record and processes that take its spool."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gainstage import wire
from gainstage.recorder import Recorder, RunIdentity
from gainstage.spool import Spool

from .serving import nowhere


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with nowhere() as url:
        made = Recorder(RunIdentity("run", "p", (), {}), {}, url=url, token=None, folder=tmp_path)
        yield made
        made.close("completed", 0.0)


def test_nothing_comes_behind_the_end_of_the_attempt(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, appending, go_on = Spool.append, threading.Event(), threading.Event()

    def slowly(self: Spool, seq: int, body: bytes, **options: Any) -> None:
        if isinstance(wire.decode_header(body), wire.Notice):
            appending.set()
            assert go_on.wait(60)
        append(self, seq, body, **options)

    monkeypatch.setattr(Spool, "append", slowly)
    notice = ("info", "step", "is under way when the attempt ends")
    recording = threading.Thread(target=recorder.notice, args=notice)
    ending = threading.Thread(target=recorder.close, args=("interrupted", 0.0))
    recording.start()
    assert appending.wait(60)
    ending.start()
    ending.join(0.2)  # in which it must not overtake
    go_on.set()
    recording.join()
    ending.join()
    recorder.notice("info", "late", "is too late")

    (path,) = tmp_path.glob("*.spool")
    spool = Spool(path)
    found = [type(wire.decode_header(body)) for _, body in spool.after(-1, 100)]
    spool.close()
    assert found == [wire.RunStart, wire.Notice, wire.RunEnd]


def test_frame_says_how_many_bytes_wait_before_it(recorder: Recorder) -> None:
    identity = {"run": "run", "attempt": "a", "seq": 1, "time": 0.0}
    training = wire.Training(backend="tensorflow", keras="3")
    schema = wire.Schema(**identity, rows=(), blocks={}, training=training)

    first = recorder._frame(schema, {}, step=1)
    recorder.notice("info", "long", "x" * 100_000)
    second = recorder._frame(schema, {}, step=2)

    assert 0 < first.spooled < 100_000
    # By whole pages of 16 kB.
    assert 80_000 < second.spooled - first.spooled < 120_000


def test_attempt_whose_file_another_process_took_ends_all_the_same(
    recorder: Recorder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for file in tmp_path.iterdir():
        file.unlink()

    assert recorder.close("completed", 0.0)

    assert "2 messages of run run wait in" in caplog.text
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_spool_that_cannot_be_deleted_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(self)

    spool = Spool(tmp_path / "run.spool")
    monkeypatch.setattr(Path, "unlink", refused)

    spool.close()

    assert spool.path is not None
    assert spool.path.exists()
