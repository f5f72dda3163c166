"""How much of what is sent may be on its way: what the connection carries in a moment.

A server answers pings in order, so a ping behind each piece tells that the piece has arrived,
through whatever proxies and buffers lie between.
"""

from collections import deque
from typing import Protocol

PIECE, MOST_PIECE = 2**16, 2**20
# On the way without an answer; the most is what fills a path of 1 Gbit/s and 60 ms.
LEAST_ROOM, MOST_ROOM = 2 * PIECE, 2**23
# A piece that was on its way for less shows that the path carries more, and one for longer that it
# carries less; in seconds. Answers to the server's own pings queue behind what is on the way.
QUICK, SLOW = 0.5, 3.0


class Answer(Protocol):
    """An answer that will come; such as a `threading.Event`."""

    def is_set(self) -> bool:
        """Whether it is there."""
        ...

    def wait(self, timeout: float) -> bool:
        """Waits for it, at most `timeout` seconds."""
        ...


class Flow:
    """The pieces that are on the way over one connection; `now` is in seconds, by any clock."""

    def __init__(self, now: float) -> None:
        self._room = LEAST_ROOM
        self._on_the_way = 0
        self._unasked = 0  # bytes behind the last ping
        self._pieces: deque[tuple[Answer, int, float]] = deque()
        self._heard = now

    @property
    def piece(self) -> int:
        """Most bytes to send at a time; a ping is due behind them."""
        return min(MOST_PIECE, max(PIECE, self._room // 8))

    @property
    def full(self) -> bool:
        """Whether nothing more is to be sent before something has arrived."""
        return self._on_the_way >= self._room

    def sent(self, size: int) -> bool:
        """So many bytes were sent; returns whether a ping is due behind them."""
        self._unasked += size
        return self._unasked >= self.piece

    def asked(self, answer: Answer, now: float) -> None:
        """A ping was sent; `answer` comes when all has arrived that was sent before."""
        if not self._pieces:
            self._heard = now
        self._pieces.append((answer, self._unasked, now))
        self._on_the_way += self._unasked
        self._unasked = 0

    def look(self, now: float) -> int:
        """Takes note of what has arrived; returns how many bytes that is."""
        arrived = 0
        while self._pieces and self._pieces[0][0].is_set():
            _, size, sent = self._pieces.popleft()
            self._heard = now
            self._on_the_way -= size
            arrived += size
            if now - sent < QUICK:
                self._room = min(MOST_ROOM, self._room + size)
            elif now - sent > SLOW:
                self._room = max(LEAST_ROOM, self._room - size)
        return arrived

    def wait(self, seconds: float) -> None:
        """Waits for the next piece to arrive."""
        if self._pieces:
            self._pieces[0][0].wait(seconds)

    def idle(self, now: float) -> float:
        """Seconds since anything was heard, where no answer is due; otherwise 0."""
        return 0.0 if self._pieces else now - self._heard

    def silent(self, now: float) -> float:
        """Seconds since anything was heard, where an answer is due; otherwise 0."""
        return now - self._heard if self._pieces else 0.0
