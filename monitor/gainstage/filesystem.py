"""Which file systems keep what SQLite needs to share a file between two connections."""

import re
import sys
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")

# Of one machine alone: locks and shared memory are there what SQLite takes them for. All others are
# not known to be local: NFS, SMB, 9p, Lustre, GPFS, Ceph and SSHFS are not, others of FUSE may be.
LOCAL = frozenset({
    *("bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "jfs", "ntfs3"),
    *("overlay", "ramfs", "reiserfs", "rootfs", "tmpfs", "vfat", "xfs", "zfs"),
})  # fmt: skip


def filesystem(folder: Path, mounts: str | None = None) -> str | None:
    """The kind of file system that `folder` lies on, such as "ext4"; None where nobody says.

    Args:
        folder: A folder that need not be there.
        mounts: The kernel's list of mounts as Linux has it in /proc/self/mountinfo; default: that.
    """
    if mounts is None:
        if not sys.platform.startswith("linux"):
            return None
        try:
            mounts = _MOUNTS.read_text(errors="surrogateescape")
        except OSError:
            return None
    above = {folder.resolve(), *folder.resolve().parents}
    found, depth = None, -1
    for line in mounts.splitlines():
        place, _, source = line.partition(" - ")
        point = Path(_unescaped(place.split(" ")[4]))
        # A later mount on the same point hides the earlier one.
        if point in above and len(point.parts) >= depth:
            found, depth = source.split(" ")[0], len(point.parts)
    return found


def _unescaped(text: str) -> str:
    """A path of the list of mounts, which writes a space as its octal number."""
    return re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), text)
