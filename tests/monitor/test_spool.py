"""The queue on disk: in order, bounded, thinned evenly, and alive after a kill."""

import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gainstage.spool import Spool
from gainstage.spool_file import PAGE

from .spools import Opener, opened, waiting

__all__ = ["opened"]  # the fixture

MIB = 2**20


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


@pytest.mark.parametrize("in_memory", [False, True])
def test_bytes_are_those_that_wait_and_are_gone_with_them(
    opened: Opener, path: Path, in_memory: bool
) -> None:
    spool = Spool(None) if in_memory else opened(path)
    empty = spool.waiting_bytes
    for seq in range(10):
        spool.append(seq, bytes(100_000), frame=True)
    full = spool.waiting_bytes

    spool.remove_through(9)
    emptied = spool.waiting_bytes
    spool.close()

    assert empty == emptied <= 8 * PAGE
    assert 1_000_000 <= full - empty < 1_050_000
    assert spool.waiting_bytes == 0  # and no word of it


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
