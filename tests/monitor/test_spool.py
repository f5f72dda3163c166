"""The queue on disk: bounded, thinned evenly, one process at a time, and alive after a kill."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gainstage.spool import Spool, SpoolInUseError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "run.spool"


class Opener:
    """Opens spools and closes them after the test."""

    def __init__(self) -> None:
        self.spools: list[Spool] = []

    def __call__(self, path: Path, *, max_bytes: int = 2**20) -> Spool:
        self.spools.append(Spool(path, max_bytes=max_bytes))
        return self.spools[-1]


@pytest.fixture
def opened() -> Iterator[Opener]:
    opener = Opener()
    yield opener
    for spool in opener.spools:
        with suppress(sqlite3.ProgrammingError):  # the test closed it
            spool.close()


def waiting(spool: Spool) -> list[int]:
    return [seq for seq, _ in spool.after(-1, 10**6)]


def test_messages_wait_in_order_until_they_are_removed(opened: Opener, path: Path) -> None:
    spool = opened(path)
    for seq in (0, 1, 2, 3):
        spool.append(seq, b"message %d" % seq, frame=seq > 1)

    assert spool.after(0, 2) == [(1, b"message 1"), (2, b"message 2")]
    assert spool.after(3, 2) == []
    spool.remove(2)
    spool.remove_through(0)

    assert waiting(spool) == [1, 3]
    assert len(spool) == 2


def test_full_spool_thins_old_frames_evenly_and_counts_them(opened: Opener, path: Path) -> None:
    spool = opened(path, max_bytes=1_000)
    for seq in range(10):
        spool.append(seq, bytes(100), frame=True)
    assert waiting(spool) == list(range(10))

    spool.append(10, bytes(100), frame=True)

    assert waiting(spool) == [0, 2, 4, 6, 8, 10]
    assert spool.thinned == 5


def test_thinning_keeps_every_message_that_is_no_frame(opened: Opener, path: Path) -> None:
    spool = opened(path, max_bytes=1_000)
    others = {0, 1, 7, 20, 33}

    for seq in range(40):
        spool.append(seq, bytes(100), frame=seq not in others)

    assert others <= set(waiting(spool))
    assert spool.thinned == 40 - len(spool)


@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=60), max_bytes=st.integers(60, 300))
@settings(max_examples=30)
def test_spool_stays_within_its_bound_and_shows_the_run_from_end_to_end(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], max_bytes: int
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool") / "run.spool", max_bytes=max_bytes)

    for seq, size in enumerate(sizes):
        spool.append(seq, bytes(size), frame=True)
        left = spool.after(-1, 100)
        held = sum(len(body) for _, body in left)
        # One frame is always kept beside the newest.
        assert held <= max_bytes or len(left) == 2

    assert waiting(spool)[0] == 0
    assert waiting(spool)[-1] == len(sizes) - 1
    assert spool.thinned == len(sizes) - len(spool)
    spool.close()


def test_frames_of_one_size_are_never_further_apart_than_the_older_ones(
    opened: Opener, path: Path
) -> None:
    spool = opened(path, max_bytes=1_600)

    for seq in range(500):
        spool.append(seq, bytes(100), frame=True)

    gaps = [later - earlier for earlier, later in pairwise(waiting(spool))]
    assert gaps == sorted(gaps, reverse=True)
    assert waiting(spool)[0] == 0


def test_messages_that_are_no_frames_are_taken_beyond_the_bound(opened: Opener, path: Path) -> None:
    spool = opened(path, max_bytes=100)

    for seq in range(5):
        spool.append(seq, bytes(60), frame=False)

    assert len(spool) == 5
    assert spool.thinned == 0


def test_removed_messages_make_room(opened: Opener, path: Path) -> None:
    spool = opened(path, max_bytes=300)
    for seq in range(3):
        spool.append(seq, bytes(100), frame=True)
    spool.remove_through(1)
    spool.remove_through(1)
    spool.remove(7)

    for seq in (3, 4):
        spool.append(seq, bytes(100), frame=True)

    assert waiting(spool) == [2, 3, 4]
    assert spool.thinned == 0


def test_closed_spool_is_opened_again_with_what_waited(opened: Opener, path: Path) -> None:
    first = opened(path)
    first.append(4, b"left", frame=True)
    first.close()

    second = opened(path, max_bytes=5)
    second.append(5, b"more", frame=True)

    assert second.after(-1, 9) == [(4, b"left"), (5, b"more")]
    second.append(6, b"third", frame=True)
    assert waiting(second) == [4, 6]  # the bytes left behind count


def test_closing_deletes_the_file_where_nothing_waits(opened: Opener, path: Path) -> None:
    spool = opened(path)
    spool.append(0, b"sent", frame=False)
    spool.remove_through(0)

    spool.close()

    assert list(path.parent.iterdir()) == []


def test_closing_leaves_one_file_where_something_waits(opened: Opener, path: Path) -> None:
    spool = opened(path)
    spool.append(0, b"waits", frame=False)

    spool.close()

    assert list(path.parent.iterdir()) == [path]


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


OPEN = """
import sys
from pathlib import Path
from gainstage.spool import Spool, SpoolInUseError
try:
    print(len(Spool(Path(sys.argv[1]))))
except SpoolInUseError as error:
    print(error)
"""


@pytest.mark.parametrize("messages", [0, 1])
def test_spool_is_open_in_one_process_at_a_time(opened: Opener, path: Path, messages: int) -> None:
    spool = opened(path)
    for seq in range(messages):
        spool.append(seq, b"mine", frame=True)
    assert "is in use by another process" in python(OPEN, path).stdout

    spool.append(9, b"mine", frame=True)
    spool.close()

    assert python(OPEN, path).stdout == f"{messages + 1}\n"


def test_spool_is_not_opened_twice_in_one_process(opened: Opener, path: Path) -> None:
    spool = opened(path)
    spool.append(0, b"mine", frame=True)
    spool.close()
    spool = opened(path)

    with pytest.raises(SpoolInUseError, match=str(path)):
        opened(path)

    assert waiting(spool) == [0]


APPEND_UNTIL_KILLED = """
import sys
from pathlib import Path
from gainstage.spool import Spool
spool = Spool(Path(sys.argv[1]))
for seq in range(10**6):
    spool.append(seq, b"%d" % seq * 100, frame=True)
    print(seq, flush=True)
"""


def test_what_was_appended_survives_the_death_of_the_process(opened: Opener, path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", APPEND_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(200):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().split("\n")[:-1]
    last = int(rest[-1]) if rest else 199

    spool = opened(path)

    found = spool.after(-1, 10**7)
    assert process.returncode == -signal.SIGKILL
    # One message more may have been appended than the process lived to tell.
    assert [seq for seq, _ in found] in (list(range(last + 1)), list(range(last + 2)))
    assert all(body == b"%d" % seq * 100 for seq, body in found)


def test_threads_append_and_remove_at_the_same_time(opened: Opener, path: Path) -> None:
    spool = opened(path)
    got: list[int] = []

    def take() -> None:
        while len(got) < 300:
            for seq, _ in spool.after(-1, 16):
                got.append(seq)
                spool.remove_through(seq)

    taker = threading.Thread(target=take)
    taker.start()
    for seq in range(300):
        spool.append(seq, b"x" * 10, frame=True)
    taker.join(60)

    assert got == list(range(300))
    assert len(spool) == 0
