"""The queue on disk: in order, bounded, thinned evenly, and alive after a kill."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gainstage.spool import _COUNTS, Spool
from gainstage.spool_file import PAGE

from .spools import Opener, python, waiting

MIB = 2**20


@pytest.fixture
def opened() -> Iterator[Opener]:
    opener = Opener()
    yield opener
    opener.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "run.spool"


def on_disk(path: Path) -> int:
    """Bytes of the file and its log; the index of the log, 32 kB for 64 MB, is not counted."""
    return sum(it.stat().st_size for it in path.parent.iterdir() if not it.name.endswith("-shm"))


def test_messages_wait_in_order_until_they_are_removed(opened: Opener, path: Path) -> None:
    spool = opened(path)
    for seq in (0, 1, 2, 3):
        spool.append(seq, b"message %d" % seq, frame=seq > 1)

    assert spool.after(0, 2) == [(1, b"message 1"), (2, b"message 2")]
    assert spool.after(3, 2) == []
    assert spool.newest() == (3, b"message 3")
    spool.remove(2)
    spool.remove_through(0)

    assert waiting(spool) == [1, 3]
    assert len(spool) == 2


def test_one_read_takes_a_bounded_number_of_bytes_and_at_least_one_message(
    opened: Opener, path: Path
) -> None:
    spool = opened(path)
    sizes = [3 * MIB, 3 * MIB, 3 * MIB, 12 * MIB, 1]
    for seq, size in enumerate(sizes):
        spool.append(seq, bytes(size), frame=True)

    reads, last = [], -1
    while read := spool.after(last, 64):
        reads.append([seq for seq, _ in read])
        last = reads[-1][-1]

    assert reads == [[0, 1], [2], [3], [4]]


def test_full_spool_drops_every_second_frame_oldest_first_and_counts_them(opened: Opener) -> None:
    spool = opened(None, max_bytes=MIB)
    seq = 0
    while not spool.thinned:
        spool.append(seq, bytes(PAGE), frame=True)
        seq += 1
    full = seq

    for seq in range(full, full + 8):
        spool.append(seq, bytes(PAGE), frame=True)

    dropped = sorted({*range(full + 8)} - {*waiting(spool)})
    assert dropped == list(range(1, 2 * spool.thinned, 2))
    assert spool.thinned >= 9


@pytest.mark.parametrize(
    ("size", "max_bytes", "appended"),
    [(500, MIB // 4, n) for n in (600, 1_000, 3_000)]
    + [(20_000, MIB, n) for n in (60, 100, 333, 512, 3_000)],
)
def test_frames_that_are_left_lie_evenly_over_the_run(
    opened: Opener, size: int, max_bytes: int, appended: int
) -> None:
    """None is more than twice as far from the next as another, the newest page aside."""
    spool = opened(None, max_bytes=max_bytes)

    for seq in range(appended):
        spool.append(seq, bytes(size), frame=True)

    kept = waiting(spool)
    newest = 2 + PAGE // size
    gaps = [later - earlier for earlier, later in pairwise(kept[:-newest])]
    assert (kept[0], kept[-1]) == (0, appended - 1)
    assert len(gaps) > 30
    assert max(gaps) <= 2 * min(gaps)
    assert max(later - earlier for earlier, later in pairwise(kept)) == max(gaps)
    assert spool.thinned == appended - len(kept) > 0


def test_frames_of_two_sources_that_take_turns_are_thinned_alike(opened: Opener) -> None:
    spool = opened(None, max_bytes=MIB)

    for seq in range(1_000):
        spool.append(seq, bytes(20_000), frame=True, source=("probe", "validation")[seq % 2])

    kept = waiting(spool)
    odd = sum(seq % 2 for seq in kept)
    assert abs(odd - len(kept) / 2) <= 2


def test_dropping_frames_never_takes_one_append_long(opened: Opener) -> None:
    """A page of the file is given back by the frames of a page: work does not heap up."""
    spool = opened(None, max_bytes=MIB)
    changes = []

    for seq in range(4_000):
        before = spool._appender.total_changes
        spool.append(seq, bytes(1_000), frame=True)
        changes.append(spool._appender.total_changes - before)

    assert spool.thinned > 3_000
    assert max(changes) < 6 * PAGE / 1_000


def test_thinning_keeps_every_message_that_is_no_frame(opened: Opener) -> None:
    spool = opened(None, max_bytes=MIB)
    others = {0, 1, 7, 120, 333}

    for seq in range(400):
        spool.append(seq, bytes(PAGE), frame=seq not in others)

    assert others <= set(waiting(spool))
    assert spool.thinned == 400 - len(spool)


def test_messages_that_are_no_frames_are_taken_beyond_the_bound_and_frames_no_more(
    opened: Opener,
) -> None:
    spool = opened(None, max_bytes=MIB)
    spool.append(0, bytes(PAGE), frame=True)
    for seq in range(1, 101):
        spool.append(seq, bytes(PAGE), frame=False)

    spool.append(101, b"frame", frame=True)

    assert waiting(spool) == list(range(1, 101))
    assert spool.thinned == 2


@given(
    sizes=st.lists(st.integers(0, 9 * PAGE), min_size=1, max_size=80),
    others=st.sets(st.integers(0, 80), max_size=4),
    sent=st.sets(st.integers(0, 80), max_size=3),
)
@settings(max_examples=15, deadline=None)
def test_file_and_log_stay_within_the_bound(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], others: set[int], sent: set[int]
) -> None:
    path = tmp_path_factory.mktemp("spool") / "run.spool"
    spool = Spool(path, max_bytes=2 * MIB)
    leeway = max(sizes) + 16 * PAGE  # a message in the log, with the pages around it

    for seq, size in enumerate(sizes):
        spool.append(seq, bytes(size), frame=seq not in others)
        if seq in sent:
            spool.remove_through(seq // 2)
        assert on_disk(path) <= 2 * MIB + leeway

    spool.close()


def test_removed_messages_make_room(opened: Opener, path: Path) -> None:
    spool = opened(path, max_bytes=MIB)

    for seq in range(200):
        spool.append(seq, bytes(PAGE), frame=True)
        if seq % 20 == 19:
            spool.remove_through(seq)
            spool.remove_through(seq)
            spool.remove(seq)

    assert (len(spool), spool.thinned) == (0, 0)
    assert on_disk(path) <= MIB + 16 * PAGE


def test_closed_spool_is_opened_again_with_what_waited_and_what_was_counted(
    opened: Opener, path: Path
) -> None:
    first = opened(path, max_bytes=MIB)
    for seq in range(200):
        first.append(seq, bytes(PAGE), frame=True)
    kept, thinned = waiting(first), first.thinned
    first.close()

    second = opened(path, max_bytes=MIB)

    assert thinned > 100
    assert (waiting(second), len(second), second.thinned) == (kept, len(kept), thinned)
    second.append(200, bytes(PAGE), frame=True)
    assert second.thinned > thinned  # what was left behind counts
    assert waiting(second)[-1] == 200


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


def test_appending_does_not_wait_for_who_reads_and_settles(opened: Opener, path: Path) -> None:
    spool = opened(path)
    appended = threading.Event()

    def append() -> None:
        spool.append(0, b"message", frame=True)
        appended.set()

    thread = threading.Thread(target=append)
    with spool._sending:
        thread.start()
        assert appended.wait(60)
    thread.join()


def test_settling_moves_a_long_log_into_the_file(opened: Opener, path: Path) -> None:
    spool = opened(path)
    for seq in range(60):
        spool.append(seq, bytes(5 * PAGE), frame=True)
        if seq == 10:
            spool.settle()
            assert path.stat().st_size < 10 * PAGE  # not worth waiting for the disk

    spool.settle()

    assert path.stat().st_size > 60 * 5 * PAGE


def test_log_that_nobody_settles_is_settled_by_who_appends(opened: Opener, path: Path) -> None:
    spool = opened(path, max_bytes=16 * MIB)

    for seq in range(100):
        spool.append(seq, bytes(5 * PAGE), frame=True)

    log = path.with_name(f"{path.name}-wal").stat().st_size
    assert log <= MIB + 16 * PAGE


class Interrupted:
    """Has a Ctrl-C come at the nth line of this package's spool that a thread runs from here on."""

    def __init__(self, line: int) -> None:
        self.left = line

    def __call__(self, frame: Any, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith("spool.py"):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self


def test_interrupt_at_any_line_leaves_file_and_counts_as_they_belong_together(
    tmp_path: Path,
) -> None:
    interrupted = line = 0
    while interrupted == line:
        line += 1
        spool = Spool(tmp_path / f"{line}.spool", max_bytes=MIB)
        for seq in range(60):
            spool.append(seq, bytes(PAGE), frame=True)
        before = spool.thinned

        sys.settrace(Interrupted(line))
        try:
            spool.append(60, bytes(PAGE), frame=True)
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.settrace(None)
        spool.append(61, bytes(PAGE), frame=False)

        kept = waiting(spool)
        assert before > 0
        assert kept[-1] == 61
        # What was never taken in was neither kept nor thinned.
        assert len(kept) + spool.thinned in ((62,) if 60 in kept else (61, 62))
        assert (len(spool), spool.thinned) == spool._appender.execute(_COUNTS).fetchone()
        spool.close()
    assert line > 30


APPEND_UNTIL_KILLED = """
import sys
from pathlib import Path
from gainstage.spool import _COUNTS, Spool
spool = Spool(Path(sys.argv[1]), max_bytes=2**20)
for seq in range(10**6):
    spool.append(seq, b"%d" % seq * 3_000, frame=True)
    print(seq, spool.thinned, flush=True)
"""


def test_what_was_appended_and_counted_survives_the_death_of_the_process(
    opened: Opener, path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", APPEND_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(400)]
        os.kill(process.pid, signal.SIGKILL)
        told += process.stdout.read().splitlines()
    last, thinned = map(int, [line for line in told if line.count(" ") == 1][-1].split())

    spool = opened(path)

    found = [message for batch in read(spool) for message in batch]
    assert process.returncode == -signal.SIGKILL
    # One message more may have been appended than the process lived to tell.
    assert found[-1][0] in (last, last + 1)
    assert len(found) + spool.thinned == found[-1][0] + 1
    assert spool.thinned >= thinned > 100
    assert all(body == b"%d" % seq * 3_000 for seq, body in found)


def read(spool: Spool) -> list[list[tuple[int, bytes]]]:
    batches, last = [], -1
    while batch := spool.after(last, 100):
        batches.append(batch)
        last = batch[-1][0]
    return batches


OPEN = """
import sys
from pathlib import Path
from gainstage.spool import _COUNTS, Spool
from gainstage.spool_file import SpoolInUseError
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


def test_threads_append_and_remove_at_the_same_time(opened: Opener, path: Path) -> None:
    spool = opened(path)
    got: list[int] = []

    def take() -> None:
        while len(got) < 300:
            for seq, _ in spool.after(-1, 16):
                got.append(seq)
                spool.remove_through(seq)
            spool.settle()

    taker = threading.Thread(target=take)
    taker.start()
    for seq in range(300):
        spool.append(seq, b"x" * 30_000, frame=True)
    taker.join(60)

    assert got == list(range(300))
    assert len(spool) == 0
