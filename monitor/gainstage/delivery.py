"""What of the spool is sent when, and when to try again; knows no socket, thread or clock."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from gainstage import handshake, wire

# On the way without an answer: enough to fill the path, few to send again, little to hold.
WINDOW = 64
WINDOW_BYTES = 8 * 2**20
FIRST_RETRY, LAST_RETRY = 0.5, 30.0
# A server that answers nothing for so long, in seconds, is of no use, whatever its socket says.
ANSWER_SECONDS = 30.0

# What later messages build upon: without them the server takes none of those.
FOUNDATIONS = (wire.RunStart, wire.Schema)


class UnusableError(Exception):
    """The connection must be given up; the text says why. All that waits stays in the queue."""


class UnreadableError(Exception):
    """What waits cannot be read, and is no server's to mend; the text says why. It stays there."""


class Queue(Protocol):
    """The messages of one attempt that wait, by sequence number."""

    def after(self, seq: int, limit: int) -> list[tuple[int, bytes]]:
        """At most `limit` messages behind `seq`, in order."""
        ...

    def remove_through(self, seq: int) -> None:
        """Drops every message up to `seq`."""
        ...

    def remove(self, seq: int) -> None:
        """Drops one message."""
        ...


class Delivery:
    """At-least-once delivery of a queue, in order, over one connection after another.

    A message leaves the queue when the server says that it has committed or that it refuses it.
    Each connection begins behind the last message that was acknowledged, with one message alone:
    a server that will not have it is not sent what follows. `now` is in seconds, by any clock that
    never goes back.

    Args:
        queue: What waits.
        jitter: Draws from 0 to 1: trainers that lost a server must not all come back at once.
    """

    def __init__(self, queue: Queue, jitter: Callable[[], float]) -> None:
        self.retry_at = 0.0
        self.full = False
        self._queue = queue
        self._jitter = jitter
        self._failures = 0
        self._acked = -1
        self._sent = -1  # the last one that ever was
        self._position = -1  # the last one sent on this connection
        self._flying: deque[tuple[int, int]] = deque()  # seq, bytes
        self._answered = False
        self._heard = 0.0
        self._stream: handshake.Stream | None = None

    def connected(self, now: float) -> None:
        """A connection stands; all that is not acknowledged is to be sent on it."""
        self._flying.clear()
        self._position = self._acked
        self._answered = self.full = False
        self._heard = now

    def lost(self, now: float, *, at_least: float = FIRST_RETRY) -> None:
        """There is no connection; `retry_at` says when to try the next one.

        The time between two tries doubles until one of them delivers something.

        Args:
            now: The time.
            at_least: Seconds to wait before jitter, which takes off up to half of them.
        """
        delay = max(at_least, FIRST_RETRY * 2 ** min(self._failures, 16))
        self._failures += 1
        self._flying.clear()
        self.retry_at = now + min(LAST_RETRY, delay) * (0.5 + self._jitter() / 2)

    def messages_to_send(self, now: float) -> list[bytes]:
        """The next messages, as far as the window allows; `full` says that it allows no more.

        Raises:
            UnreadableError: The queue holds what this version cannot read.
        """
        messages: list[bytes] = []
        window = WINDOW if self._answered else 1
        flying = sum(size for _, size in self._flying)
        self.full = False
        while waiting := self._queue.after(self._position, 1):
            ((seq, body),) = waiting
            beyond = flying + len(body) > WINDOW_BYTES
            if len(self._flying) >= window or (self._flying and beyond):
                self.full = True
                break
            if self._stream is None:
                self._stream = _stream(_header(body))
            if not self._flying:
                self._heard = now
            self._flying.append((seq, len(body)))
            flying += len(body)
            self._position = seq
            self._sent = max(self._sent, seq)
            messages.append(body)
        return messages

    def received(self, data: bytes | str, now: float) -> wire.Refuse | None:
        """The server answered; returns what it refused and will never take.

        Raises:
            UnusableError: No server of ours answers this, or none that takes what waits.
            UnreadableError: The queue holds what this version cannot read.
        """
        try:
            # Text has no prefix, and reads like any other bytes that are no message.
            message, _ = wire.decode(data.encode() if isinstance(data, str) else data)
        except wire.UnknownTypeError:
            return None
        except wire.WireError as error:
            raise UnusableError(f"its answer cannot be read. {error}") from error
        if isinstance(message, wire.Ack):
            self._acknowledged(message, now)
        elif isinstance(message, wire.Refuse):
            return self._refused(message, now)
        return None

    def arriving(self, now: float) -> None:
        """Part of what is on the way has arrived: it is no wonder that there is no answer yet."""
        self._heard = now

    def overdue(self, now: float) -> bool:
        """Whether the server has owed an answer for too long."""
        return self.waiting_for_answer and now - self._heard >= ANSWER_SECONDS

    @property
    def stream(self) -> handshake.Stream | None:
        """Run, attempt and worker whose messages these are; None before the first one was read."""
        return self._stream

    @property
    def waiting_for_answer(self) -> bool:
        """Whether a message is on the way."""
        return bool(self._flying)

    @property
    def done(self) -> bool:
        """Whether nothing waits."""
        return not self._queue.after(-1, 1)

    def _acknowledged(self, ack: wire.Ack, now: float) -> None:
        if (ack.run, ack.attempt, ack.worker) != self._stream or ack.seq <= self._acked:
            return
        if ack.seq > self._sent:
            raise UnusableError(
                f"it acknowledges message {ack.seq}, and was sent none after {self._sent}."
            )
        self._acked = ack.seq
        self._position = max(self._position, ack.seq)
        while self._flying and self._flying[0][0] <= ack.seq:
            self._flying.popleft()
        self._progress(now)
        self._queue.remove_through(ack.seq)

    def _refused(self, refusal: wire.Refuse, now: float) -> wire.Refuse | None:
        place = next((it for it in self._flying if it[0] == refusal.seq), None)
        if refusal.seq is None:
            raise UnusableError(f"it cannot read what it is sent. {refusal.reason}")
        if place is None:
            return None
        waiting = self._queue.after(refusal.seq - 1, 1)
        if waiting and waiting[0][0] == refusal.seq:
            message = _header(waiting[0][1])
            if isinstance(message, FOUNDATIONS):
                raise UnusableError(f"it refuses the {_name(message)}. {refusal.reason}")
        self._flying.remove(place)
        self._progress(now)
        self._queue.remove(refusal.seq)
        return refusal

    def _progress(self, now: float) -> None:
        self._answered = True
        self._failures = 0
        self._heard = now


def _header(body: bytes) -> wire.AnyMessage:
    try:
        return wire.decode_header(body)
    except wire.WireError as error:
        raise UnreadableError(str(error)) from error


def _stream(message: wire.AnyMessage) -> handshake.Stream | None:
    if not isinstance(message, wire.Message):
        return None
    return message.run, message.attempt, message.worker


def _name(message: wire.AnyMessage) -> str:
    return str(message.__struct_config__.tag)
