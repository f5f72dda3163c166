"""The messages of one attempt of a run: numbered, spooled, sent, and ended."""

import contextlib
import ctypes
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from gainstage import endings, report, wire
from gainstage.places import run_page, sync_command
from gainstage.spool import SUFFIX, Spool, spool_at
from gainstage.uplink import Uplink
from gainstage.workers import CHIEF

log = logging.getLogger("gainstage")

Message = TypeVar("Message", bound=wire.TrainerMessage)


@dataclass(frozen=True)
class RunIdentity:
    """Names of a run, as the user gave them or as they were made, and who writes to it."""

    run: str
    project: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    worker: int = CHIEF


class Outbox:
    """Takes messages from any thread, until the attempt has ended.

    Args:
        identity: What the run is called.
        url: Address of the server; None: nothing is written to disk or sent.
        token: The server's token.
        folder: Where the spool lies.
    """

    def __init__(
        self, identity: RunIdentity, *, url: str | None, token: str | None, folder: Path
    ) -> None:
        self.identity = identity
        self.attempt = secrets.token_hex(8)
        self.frames = 0
        self._seq = 0
        self._url, self._folder = url, folder
        self._spool: Spool | None = None
        self._uplink: Uplink | None = None
        self._met = False
        self._ended = False
        self._renew_locks()
        if url is not None:
            name = f"{identity.run}.{identity.worker}.{self.attempt}{SUFFIX}"
            self._spool = spool_at(folder / name)
            self._uplink = Uplink(self._spool, url, token)
            endings.expect(self)

    @property
    def page(self) -> str | None:
        """Address of the run's page; None where no server ever answered."""
        met = self._met if self._uplink is None else self._uplink.met
        if self._url is None or not met:
            return None
        return run_page(self._url, self.identity.run)

    def counts(self) -> dict[str, int]:
        """Frames that were sampled, and how many of them were dropped because the spool was full.

        A message that carries both tells how many of those before it will never come.
        """
        return {"frames": self.frames, "thinned": self._spool.thinned if self._spool else 0}

    @property
    def spooled(self) -> int:
        """Bytes that wait for the server."""
        return self._spool.waiting_bytes if self._spool else 0

    def append(
        self,
        kind: Callable[..., Message],
        blocks: Mapping[str, wire.FloatBlock] | None = None,
        /,
        **fields: Any,
    ) -> Message:
        """Makes a message and spools it, unless the attempt has ended."""
        with self._appending:
            message = kind(**self._next(), **fields)
            if self._ended:
                return message
            source = message.source if isinstance(message, wire.Frame) else None
            if self._spool is not None and self._uplink is not None:
                body = wire.encode(message, blocks)
                self._spool.append(message.seq, body, frame=source is not None, source=source or "")
                self._uplink.notify()
            self.frames += source is not None
        return message

    def close(self, status: Literal["completed", "interrupted"], patience: float) -> bool:
        """Ends the attempt, and says what is left in the spool; returns False if it had ended.

        Waits `patience` seconds at most for a server that is listening, and for the connection to
        end twice `uplink.CLOSE_SECONDS`.
        """
        deadline = time.monotonic() + patience
        with self._ending:
            self.end(status)
            self.drain(deadline)
            left = self._leave()
            endings.over(self)
        return left

    def end(self, status: Literal["completed", "interrupted"]) -> None:
        """Appends the attempt's last message, unless somebody has."""
        with self._appending:
            if self._spool is not None and not self._ended:
                self.append(wire.RunEnd, status=status, **self.counts())
                self._ended = True

    def drain(self, deadline: float) -> None:
        """Waits until all is stored; until `deadline`, by `time.monotonic()`, at the latest."""
        with self._ending:
            # Nobody waits for a server that was never there.
            if self._uplink is not None and self._uplink.meets(deadline - time.monotonic()):
                self._uplink.drain(deadline - time.monotonic())

    def hang_up(self) -> None:
        """Has the connection end, and does not wait for it."""
        if (uplink := self._uplink) is not None:
            uplink.hang_up()

    def leave(self) -> None:
        """Lets go of what was interrupted, and says where it is and what is left of it."""
        with self._ending:
            if self._leave() and self.identity.worker == CHIEF:
                report.print_interrupted(self.identity.run, self.frames, self.page)
            endings.over(self)

    def _leave(self) -> bool:
        """Lets go of spool and connection; returns False if somebody has."""
        spool, uplink = self._spool, self._uplink
        if spool is None or uplink is None:
            return False
        uplink.close()
        self._met, self._uplink = uplink.met, None
        spool.close()
        if left := len(spool):
            log.warning("gainstage: %s", self._reminder(left, spool.path))
        return True

    def _reminder(self, left: int, file: Path | None) -> str:
        """What to tell of messages that are left in the spool, and how they are sent."""
        run = self.identity.run
        if file is None:
            return f"{left} messages of run {run} waited in memory, and are lost."
        size = ""
        with contextlib.suppress(OSError):  # a `gainstage sync` may have taken it meanwhile
            size = f" ({file.stat().st_size / 1e6:.1f} MB)"
        return (
            f"{left} messages of run {run} wait in {self._folder}{size}. To send them "
            f"later: {sync_command(self._url or '', self._folder)}"
        )

    def forsake(self) -> None:
        """In the child of a fork: the attempt goes on in the parent, and only there."""
        self._renew_locks()
        uplink, self._uplink = self._uplink, None
        if uplink is not None:
            uplink.forsake()
        # SQLite would write to the parent's file if this process ever closed its copy.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._spool))

    def _next(self) -> dict[str, Any]:
        self._seq += 1
        return {
            "run": self.identity.run,
            "attempt": self.attempt,
            "worker": self.identity.worker,
            "seq": self._seq - 1,
            "time": time.time(),
        }

    def _renew_locks(self) -> None:
        self._ending = threading.RLock()
        # Messages are appended in the order of their numbers, and none behind the attempt's end:
        # the server's answer to a later one would remove it unsent.
        self._appending = threading.RLock()
