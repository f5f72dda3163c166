"""Sends the spools that trainings left behind."""

from pathlib import Path

from gainstage.spool import SUFFIX, Spool, SpoolInUseError
from gainstage.uplink import Uplink


def send_all(folder: Path, url: str, token: str | None, patience: float) -> tuple[int, int]:
    """Sends every spool in `folder` that no training uses, each within `patience` seconds.

    Returns:
        How many spools were sent whole, and how many were not.
    """
    sent = left = 0
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            spool = Spool(path)
        except SpoolInUseError:
            left += 1
            continue
        uplink = Uplink(spool, url, token)
        uplink.drain(patience)
        uplink.close()
        if len(spool):
            left += 1
        else:
            sent += 1
        spool.close()
    return sent, left
