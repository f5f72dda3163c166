"""A spool that others reach into: an interrupt, a kill, another process, another thread."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from gainstage.spool import _COUNTS, Spool
from gainstage.spool_file import PAGE

from .spools import Opener, opened, path, python, waiting

__all__ = ["opened", "path"]  # the fixtures

MIB = 2**20


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
