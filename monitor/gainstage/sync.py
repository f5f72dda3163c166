"""Sends the spools that trainings left behind."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from gainstage import wire
from gainstage.spool import SUFFIX, Spool
from gainstage.spool_file import EmptySpoolError, SpoolError, SpoolInUseError
from gainstage.uplink import Spooled, Uplink

THINNED = "frames-thinned"
# Between two looks at how far it is, in seconds.
LOOK = 0.25


@dataclass(frozen=True)
class Outcome:
    """What became of the spool of one run.

    Attributes:
        run: Name of the run.
        state: "in use" is one whose training sends it itself; one that is "unreadable" or "left"
            is there still.
        waited: Messages that waited.
        left: Those of them that wait still.
        refused: Those of them that the server refused, and that are gone.
        ended: Whether its training said that it ended, as one that is killed does not.
        trouble: Why it is unreadable.
    """

    run: str
    state: Literal["sent", "left", "in use", "unreadable"]
    waited: int = 0
    left: int = 0
    refused: int = 0
    ended: bool = True
    trouble: str = ""

    def __str__(self) -> str:
        match self.state:
            case "in use":
                return f"{self.run}: in use by a training, which sends it itself."
            case "unreadable":
                return f"{self.run}: {self.trouble}"
            case "left":
                text = f"{self.run}: {self.left} of {self.waited} messages left."
            case "sent":
                text = f"{self.run}: {self.waited} messages sent."
        if self.refused:
            text += f" The server refused {self.refused} of them, and they are gone."
        if self.waited and not self.ended:
            text += (
                " Its training did not say that it ended: "
                "unless another attempt went on, the run shows as lost."
            )
        return text


def send_all(
    folder: Path,
    url: str,
    token: str | None,
    patience: float,
    told: Callable[[str, int], None] = lambda run, left: None,
) -> Iterator[Outcome]:
    """Sends each spool in `folder`, one after the other; they are deleted when they are sent.

    Args:
        folder: Where they lie.
        url: The server's address.
        token: The server's token.
        patience: Seconds without progress after which a spool is left. A server that was not
            reached in that time is not asked again.
        told: Called now and then with a run, and how many of its messages wait still.
    """
    reached = True
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        run = path.name.removesuffix(SUFFIX).rsplit(".", 2)[0]
        try:
            spool = _Counting(path, create=False)
        except EmptySpoolError:
            continue
        except SpoolInUseError:
            yield Outcome(run, "in use")
            continue
        except SpoolError as error:
            yield Outcome(run, "unreadable", trouble=str(error))
            continue
        try:
            ended = _ended(spool)
            waited = len(spool)
            if waited and reached:
                reached = send(spool, url, token, patience, lambda left, run=run: told(run, left))
            state = "left" if len(spool) else "sent"
            yield Outcome(run, state, waited, len(spool), spool.refused, ended)
        finally:
            spool.close()


class _Counting(Spool):
    """Counts what the server refuses."""

    refused = 0

    def remove(self, seq: int) -> None:
        self.refused += 1
        super().remove(seq)


def _ended(spool: Spool) -> bool:
    """Whether the training ended in order; if not, what it could not say of its frames is added."""
    newest = spool.newest()
    if newest is None:
        return True
    seq, body = newest
    try:
        message = wire.decode_header(body)
    except wire.WireError:  # for the server to refuse
        return False
    if isinstance(message, wire.RunEnd):
        return True
    added = isinstance(message, wire.Notice) and message.code == THINNED
    if spool.thinned and not added and isinstance(message, wire.Message):
        notice = wire.Notice(
            run=message.run,
            attempt=message.attempt,
            worker=message.worker,
            seq=seq + 1,
            time=time.time(),
            level="warning",
            code=THINNED,
            text=f"{spool.thinned} frames were dropped because the spool was full. "
            "Those that are shown lie evenly over the run.",
        )
        spool.append(notice.seq, wire.encode(notice), frame=False)
    return False


class Sized(Spooled, Protocol):
    """A queue that knows how much waits."""

    def __len__(self) -> int: ...


def send(
    spool: Sized, url: str, token: str | None, patience: float, told: Callable[[int], None]
) -> bool:
    """Sends what it can; returns whether there was a server.

    Args:
        spool: What waits.
        url: The server's address.
        token: The server's token.
        patience: Seconds without progress after which the rest is left.
        told: Called now and then with how many messages wait still.
    """
    uplink = Uplink(spool, url, token)
    progress, deadline = (len(spool), uplink.arrived), time.monotonic() + patience
    try:
        while len(spool) and time.monotonic() < deadline:
            told(len(spool))
            uplink.drain(min(LOOK, patience))
            if progress != (progress := (len(spool), uplink.arrived)):
                deadline = time.monotonic() + patience
    finally:  # before what is sent is closed, by Ctrl-C too
        uplink.close()
    return uplink.met
