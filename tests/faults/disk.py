"""A disk of its own for what may fill it: a small tmpfs, mounted as root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILLER = "filler"


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[Path]:
    """An empty disk of `size` bytes at `folder`, for as long as the block lasts.

    Raises:
        AssertionError: This process may not mount one.
    """
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (
        f"A full disk needs a disk to fill. Expected to be allowed to mount a tmpfs. Received: "
        f"{done.stderr.strip()} Be root, or run `unshare --map-root-user --mount make test-faults`."
    )
    try:
        yield folder
    finally:
        # Lazily: what still runs there is killed by its own test.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def free(folder: Path) -> int:
    """Bytes that are left."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def fill(folder: Path, *, leave: int) -> None:
    """Takes all but `leave` bytes; what others take meanwhile is theirs."""
    with (folder / FILLER).open("wb", buffering=0) as filler, suppress(OSError):
        filler.write(bytes(free(folder) - leave))


def make_room(folder: Path) -> None:
    """Gives back what `fill` took."""
    (folder / FILLER).unlink()
