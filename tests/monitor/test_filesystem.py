"""Which file system a folder lies on, as Linux tells it."""

import sys
from pathlib import Path

import pytest

from gainstage.filesystem import LOCAL, filesystem

MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:50 / /shared rw,relatime shared:2 master:3 - nfs4 server:/shared rw,vers=4.2
31 30 0:51 / /shared/me/my\040disk rw - fuse.sshfs me@there:/ rw
32 22 0:52 / /scratch rw - ext4 /dev/vdb rw
33 22 0:53 / /scratch rw - lustre 10.0.0.1@tcp:/scratch rw
34 22 0:54 / /dev/shm rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/srv/spool", "ext4"),
        ("/shared", "nfs4"),
        ("/shared/me/.gainstage/spool", "nfs4"),
        ("/shared/me/my disk/spool", "fuse.sshfs"),
        ("/shareds/me", "ext4"),
        ("/scratch/run", "lustre"),  # mounted over another one
        ("/dev/shm", "tmpfs"),
    ],
)
def test_folder_is_on_the_mount_that_is_nearest_above_it(folder: str, kind: str) -> None:
    assert filesystem(Path(folder), MOUNTS.strip()) == kind


def test_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/shared/me")

    assert filesystem(tmp_path / "link" / "spool", MOUNTS.strip()) == "nfs4"


def test_network_and_whatever_is_not_known_is_not_local() -> None:
    network = {"nfs", "nfs4", "cifs", "smb3", "9p", "lustre", "ceph", "fuse.sshfs", "virtiofs", "?"}

    assert LOCAL.isdisjoint(network)
    assert {"ext4", "xfs", "btrfs", "overlay", "tmpfs"} <= LOCAL


def test_linux_says_what_its_folders_lie_on_and_others_do_not(tmp_path: Path) -> None:
    linux = sys.platform.startswith("linux")

    assert filesystem(Path("/proc/self")) == ("proc" if linux else None)
    assert (filesystem(tmp_path) is not None) == linux


def test_system_that_does_not_say_is_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    assert filesystem(Path("/")) is None
