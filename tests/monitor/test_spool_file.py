"""What a spool does where its file, its disk or its file system is not as it should be."""

import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from gainstage import spool_file
from gainstage.spool import Spool, spool_at
from gainstage.spool_file import PAGE, SpoolError, SpoolInUseError
from gainstage.spool_late import LateFile, Message

from .spools import Opener, fill, logged, opened, path, python, waiting

__all__ = ["opened", "path"]  # the fixtures


def on(kind: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_file, "filesystem", lambda folder: kind)


@pytest.mark.parametrize("kind", ["ext4", "nfs4", None])
def test_spool_is_opened_once_at_a_time_on_every_file_system(
    opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch, kind: str | None
) -> None:
    on(kind, monkeypatch)
    spool = opened(path)
    fill(spool, 0, 2)

    with pytest.raises(SpoolInUseError, match=str(path)):
        opened(path)

    fill(spool, 3, 3)
    spool.close()
    again = opened(path)
    assert waiting(again) == [0, 1, 2, 3]
    again.remove_through(3)
    again.settle()
    again.close()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(("kind", "shares"), [("ext4", True), ("nfs4", False), (None, False)])
def test_no_memory_is_shared_where_the_file_system_is_not_known_to_be_local(
    opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch, kind: str | None, shares: bool
) -> None:
    on(kind, monkeypatch)

    fill(opened(path), 0, 0)

    assert path.with_name("run.spool-shm").exists() == shares
    assert path.with_name("run.spool-wal").exists()


@pytest.mark.parametrize(("kind", "told"), [("ext4", 0), ("nfs4", 1), (None, 0)])
def test_folder_of_another_machine_is_told(
    opened: Opener,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: str | None,
    told: int,
) -> None:
    on(kind, monkeypatch)

    opened(path)

    start = f"gainstage: {path.parent} lies on a file system that is not known to be local (nfs4)."
    assert [text.startswith(start) for text in logged(caplog)] == [True] * told


def test_two_trainers_in_one_folder_have_a_spool_each(opened: Opener, tmp_path: Path) -> None:
    first, second = opened(tmp_path / "run.0.aa.spool"), opened(tmp_path / "run.0.bb.spool")

    fill(first, 0, 4)
    fill(second, 0, 1)
    first.remove_through(4)
    first.close()

    assert waiting(second) == [0, 1]


def test_full_disk_thins_as_a_full_spool_does(
    opened: Opener, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = opened(path)
    spool._appender.execute("PRAGMA max_page_count = 60")

    fill(spool, 0, 199)

    kept = waiting(spool)
    assert (kept[0], kept[-1]) == (0, 199)
    assert len(kept) > 20
    assert len(kept) + spool.thinned == 200
    (text,) = logged(caplog)
    assert "fails (OperationalError: database or disk is full)" in text


ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from gainstage.spool import Spool
spool = Spool(Path(sys.argv[1]))
for seq in range(30):
    spool.append(seq, bytes(50_000), frame=seq > 0)
before = [seq for seq, _ in spool.after(-1, 100)]
full = Path(sys.argv[1] + "-wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
for seq in range(30, 90):
    spool.append(seq, bytes(50_000), frame=seq != 60)
assert 60 in [seq for seq, _ in spool.after(-1, 100)]
assert len(spool.after(-1, 100)) + spool.thinned == 90
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.append(90, b"room", frame=True)
spool.close()
spool = Spool(Path(sys.argv[1]))
kept = [seq for seq, _ in spool.after(-1, 100)]
assert set(kept) >= {0, 60, 90} and len(kept) + spool.thinned == 91
print(len(before), len(kept), spool.thinned)
"""


def test_no_message_but_frames_is_lost_on_a_disk_that_was_full_for_a_while(path: Path) -> None:
    result = python(ON_A_FULL_DISK, path)

    assert (result.returncode, result.stdout.split()[:1]) == (0, ["30"]), result.stderr
    assert result.stderr.count("fails (") == 1


def test_messages_that_cannot_be_written_wait_in_memory(
    opened: Opener, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = opened(path)
    fill(spool, 0, 1)
    spool._appender.execute("PRAGMA query_only = 1")

    fill(spool, 2, 3)
    fill(spool, 4, 4, frame=False)

    assert waiting(spool) == [0, 1, 2, 3, 4]
    assert spool.after(0, 2) == [*spool.after(0, 1), *spool.after(1, 1)]
    assert spool.newest() == spool.after(3, 1)[0]
    assert (len(spool), spool.thinned) == (5, 0)
    (text,) = logged(caplog)
    assert "fails (OperationalError: attempt to write a readonly database). What is in it" in text
    spool._appender.execute("PRAGMA query_only = 0")
    fill(spool, 7, 7)
    spool.close()
    again = opened(path)
    assert (waiting(again), again.thinned) == ([0, 1, 2, 3, 4, 7], 0)


def test_memory_in_which_messages_wait_for_a_file_that_fails_is_bounded(
    opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gainstage.spool.MEMORY_BYTES", 20 * PAGE)
    spool = opened(path)
    fill(spool, 0, 0)
    spool._appender.execute("PRAGMA query_only = 1")

    fill(spool, 1, 4, frame=False)
    fill(spool, 5, 99)

    held = waiting(spool)
    assert held[:5] == [0, 1, 2, 3, 4]
    assert held[-1] == 99
    assert 10 <= len(held) <= 21
    assert len(held) + spool.thinned == 100
    spool._appender.execute("PRAGMA query_only = 0")
    fill(spool, 100, 100)
    spool.close()
    again = opened(path)
    assert (waiting(again), again.thinned) == ([*held, 100], spool.thinned)


class Moving(threading.Thread):
    """Moves the log of a spool into its file, and is held up in the midst of it."""

    def __init__(self, spool: Spool) -> None:
        super().__init__()
        self.spool, self.begun, self.go_on = spool, threading.Event(), threading.Event()
        sender, spool._unsettled = spool._sender, 2**30
        moving = self

        class Slow:
            def execute(self, statement: str, *arguments: Any) -> Any:
                if "checkpoint" in statement:
                    moving.begun.set()
                    assert moving.go_on.wait(60)
                return sender.execute(statement, *arguments)

            def __getattr__(self, name: str) -> Any:
                return getattr(sender, name)

            def __enter__(self) -> None:
                sender.__enter__()

            def __exit__(self, *raised: Any) -> None:
                sender.__exit__(*raised)

        shared = spool._appender is sender
        spool._sender: Any = Slow()
        if not shared:
            return
        spool._appender: Any = spool._sender

    def run(self) -> None:
        self.spool.settle()

    def __enter__(self) -> None:
        self.start()
        assert self.begun.wait(60)

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self.join()


@pytest.mark.parametrize("kind", ["ext4", "nfs4", None])
def test_appending_waits_for_no_move_into_the_file_and_survives_a_kill_during_it(
    opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch, kind: str | None
) -> None:
    on(kind, monkeypatch)
    spool = opened(path)
    fill(spool, 0, 9)
    killed = path.with_name("killed.spool")

    with Moving(spool):
        fill(spool, 10, 12)
        fill(spool, 13, 13, frame=False)
        for file in list(path.parent.glob("run.spool*")):
            if not file.name.endswith("-shm"):
                shutil.copy(file, str(file).replace("run.spool", "killed.spool"))

    assert waiting(spool) == waiting(opened(killed)) == list(range(14))
    assert not list(path.parent.glob("*-late"))
    spool.remove_through(13)
    spool.close()
    assert not list(path.parent.glob("run.spool*"))


def test_message_that_was_cut_short_by_a_kill_is_passed_over(opened: Opener, path: Path) -> None:
    late = LateFile(path)
    for seq in range(3):
        late.add(Message(-1 - seq, seq, bytes(99)))
    late.close()
    file = path.with_name("run.spool-late")
    file.write_bytes(file.read_bytes()[:-1])

    spool = opened(path)

    assert waiting(spool) == [0, 1]
    assert not file.exists()


@pytest.mark.parametrize("kind", ["ext4", "nfs4"])
def test_appending_waits_for_no_pause_of_who_removes(
    opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    on(kind, monkeypatch)
    spool = opened(path)
    fill(spool, 0, 9)
    paused, go_on = threading.Event(), threading.Event()

    def pause(_: float) -> None:
        paused.set()
        assert go_on.wait(60)

    monkeypatch.setattr("gainstage.spool.time.sleep", pause)
    removing = threading.Thread(target=spool.remove_through, args=(9,))
    removing.start()
    assert paused.wait(60)

    fill(spool, 10, 10)

    go_on.set()
    removing.join()
    assert waiting(spool) == [10]


def test_spool_whose_log_another_process_reads_again_is_in_use(
    opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY_RECOVERY

    def busy(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(spool_file, "_alone", busy)

    with pytest.raises(SpoolInUseError):
        opened(path)


@pytest.mark.parametrize("when", ["exists", "vanishes"])
def test_no_file_is_made_of_a_spool_that_is_gone(
    opened: Opener, path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    if when == "vanishes":  # once it was looked for
        monkeypatch.setattr(Path, "exists", lambda _: True)

    with pytest.raises(SpoolError):
        opened(path, create=False)

    assert list(path.parent.iterdir()) == []


def test_messages_that_never_could_be_written_are_told_at_the_end(
    opened: Opener, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = opened(path)
    fill(spool, 0, 0)
    spool._appender.execute("PRAGMA query_only = 1")
    fill(spool, 1, 2, frame=False)

    spool.close()

    assert logged(caplog)[1:] == [
        f"gainstage: 2 messages could not be written to {path}, and are lost."
    ]
    assert waiting(opened(path)) == [0]


def test_held_message_is_taken_out_of_the_queue_as_any_other(opened: Opener, path: Path) -> None:
    spool = opened(path)
    spool._appender.execute("PRAGMA query_only = 1")
    fill(spool, 0, 2, frame=False)

    spool.remove_through(0)
    spool.remove(2)

    assert waiting(spool) == [1]


def test_folder_in_which_nothing_can_be_made_leaves_a_spool_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")

    spool = spool_at(tmp_path / "file" / "run.spool")

    fill(spool, 0, 9)
    assert waiting(spool) == list(range(10))
    assert spool.where == "memory"
    assert spool.path is None
    spool.close()
    (text,) = logged(caplog)
    assert str(tmp_path / "file") in text
    assert "Give another folder by `spool=` or $GAINSTAGE_SPOOL." in text


def test_spool_is_where_its_folder_is(opened: Opener, path: Path) -> None:
    assert opened(path).where == str(path.parent)
