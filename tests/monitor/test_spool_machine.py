"""Whatever is done to a spool, in whatever order, it holds what a simple model of it holds."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gainstage import spool, spool_file
from gainstage.spool import Spool
from gainstage.spool_file import PAGE

MAX_BYTES, MEMORY_BYTES = 2**20, 2**18
# A message in the log, with the pages around it.
LEEWAY = 20 * PAGE


class Spooling(RuleBasedStateMachine):
    """The model: the messages that were appended, neither removed nor seen to be dropped."""

    kind = "ext4"

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(spool_file, "filesystem", lambda folder: self.kind)
        self.patch.setattr(spool_file.log, "disabled", True)
        self.patch.setattr(spool, "MEMORY_BYTES", MEMORY_BYTES)
        self.folder = Path(tempfile.mkdtemp())
        self.spool = Spool(self.folder / "0.spool", max_bytes=MAX_BYTES)
        self.seq = 0
        self.waiting: dict[int, bytes] = {}
        self.frames: set[int] = set()
        self.held: set[int] = set()
        self.thinned = 0
        self.failing = False

    @initialize()
    def begin(self) -> None:
        self.append(1, 10, frame=False)

    @rule(
        count=st.integers(1, 40),
        size=st.sampled_from([0, 10, 2_000, PAGE, 3 * PAGE]),
        frame=st.sampled_from([True, True, True, False]),
    )
    def append(self, count: int, size: int, *, frame: bool) -> None:
        for _ in range(count if frame else 1):
            body = b"%d" % self.seq + bytes(size)
            self.spool.append(self.seq, body, frame=frame, source=str(self.seq % 2))
            self.waiting[self.seq] = body
            if frame:
                self.frames.add(self.seq)
            if self.failing:
                self.held.add(self.seq)
            self.seq += 1
            if not self.failing:
                self.held.clear()
        self.see_what_was_dropped()

    def see_what_was_dropped(self) -> None:
        left = dict(self.read(-1, 64))
        dropped = self.waiting.keys() - left.keys()
        assert dropped <= self.frames
        self.thinned += len(dropped)
        self.waiting = {seq: body for seq, body in self.waiting.items() if seq not in dropped}
        self.held &= left.keys()
        # Nothing is dropped that need not be.
        memory = sum(len(left[seq]) for seq in self.held)
        assert not dropped or self.on_disk() > MAX_BYTES - 12 * PAGE or memory > MEMORY_BYTES / 4
        assert memory <= MEMORY_BYTES or self.held.isdisjoint(self.frames)

    def on_disk(self) -> int:
        return self.spool.path.stat().st_size + MAX_BYTES // 16

    def read(self, seq: int, limit: int) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        while batch := self.spool.after(found[-1][0] if found else seq, limit):
            found += batch
        return found

    @rule(back=st.integers(0, 50), limit=st.integers(1, 70))
    def after(self, back: int, limit: int) -> None:
        seq = self.seq - back
        expected = sorted(it for it in self.waiting.items() if it[0] > seq)

        assert self.spool.after(seq, limit) == expected[:limit]
        assert self.read(seq, limit) == expected

    @precondition(lambda self: not self.failing or self.kind == "ext4")
    @rule(back=st.integers(0, 60))
    def remove_through(self, back: int) -> None:
        seq = self.seq - back
        self.spool.remove_through(seq)
        self.waiting = {it: body for it, body in self.waiting.items() if it > seq}

    @precondition(lambda self: not self.failing or self.kind == "ext4")
    @rule(back=st.integers(0, 20))
    def remove(self, back: int) -> None:
        self.spool.remove(self.seq - back)
        self.waiting.pop(self.seq - back, None)

    @rule()
    def settle(self) -> None:
        self.spool.settle()

    @precondition(lambda self: not self.failing)
    @rule()
    def break_down(self) -> None:
        self.spool._appender.execute("PRAGMA query_only = 1")
        self.failing = True

    @precondition(lambda self: self.failing)
    @rule()
    def work_again(self) -> None:
        self.spool._appender.execute("PRAGMA query_only = 0")
        self.failing = False

    @precondition(lambda self: not self.failing)
    @rule()
    def reopen(self) -> None:
        path = self.spool.path
        self.spool.close()
        assert path.exists() == bool(self.waiting)
        if not self.waiting:  # with the file goes what it counted
            self.thinned = 0
        self.open(path)

    @rule()
    def kill(self) -> None:
        """The process is dead: what there is, is what the operating system has of its files."""
        before = self.spool
        path = self.folder / f"{int(before.path.stem) + 1}.spool"
        for end in ("", "-wal"):
            file = Path(f"{before.path}{end}")
            if file.exists():
                shutil.copy(file, f"{path}{end}")
        counted, lost = before._thinned_in_file, set(self.held)
        self.open(path)
        before.close()
        # Only what could not be written is lost: messages that were held, counts that were.
        self.waiting = {seq: body for seq, body in self.waiting.items() if seq not in lost}
        self.thinned = counted

    def open(self, path: Path) -> None:
        self.spool = Spool(path, max_bytes=MAX_BYTES)
        self.held.clear()
        self.failing = False

    @invariant()
    def all_that_waits_is_counted(self) -> None:
        assert len(self.spool) == len(self.waiting)
        assert self.spool.thinned == self.thinned
        newest = max(self.waiting, default=None)
        assert self.spool.newest() == (None if newest is None else (newest, self.waiting[newest]))

    @invariant()
    def disk_is_bounded(self) -> None:
        used = sum(
            Path(f"{self.spool.path}{end}").stat().st_size
            for end in ("", "-wal")
            if Path(f"{self.spool.path}{end}").exists()
        )
        others = sum(len(body) for seq, body in self.waiting.items() if seq not in self.frames)
        assert used <= max(MAX_BYTES, 2 * others) + LEEWAY

    def teardown(self) -> None:
        self.spool.close()
        self.patch.undo()
        shutil.rmtree(self.folder)


class SpoolingOverANetwork(Spooling):
    """With one connection."""

    kind = "nfs4"


machine = settings(max_examples=15, stateful_step_count=20, deadline=None)
TestSpooling = Spooling.TestCase
TestSpooling.settings = machine
TestSpoolingOverANetwork = SpoolingOverANetwork.TestCase
TestSpoolingOverANetwork.settings = machine
