"""How much is on the way at a time, over paths of every bandwidth and delay."""

import threading

import pytest

from gainstage.flow import LEAST_ROOM, MOST_ROOM, PIECE, Flow

# What a person waits for the last of what is on the way, and the uplink for any of it.
MOST_SECONDS = 20.0


class Path:
    """Carries `rate` bytes a second; what is sent arrives in order, and an answer `delay` later."""

    def __init__(self, rate: float, delay: float) -> None:
        self.flow = Flow(0.0)
        self.rate, self.delay = rate, delay
        self.now = self.busy_until = self.longest = 0.0
        self.answers: list[tuple[float, threading.Event]] = []

    def send(self, size: int) -> None:
        """When there is room for it."""
        while self.flow.full:
            arrival, answer = self.answers.pop(0)
            answer.set()
            self.now = max(self.now, arrival)
            self.flow.look(self.now)
        self.busy_until = max(self.busy_until, self.now) + size / self.rate
        if self.flow.sent(size):
            answer = threading.Event()
            self.answers.append((self.busy_until + self.delay, answer))
            self.longest = max(self.longest, self.answers[-1][0] - self.now)
            self.flow.asked(answer, self.now)


@pytest.mark.parametrize(
    ("rate", "delay"), [(7e3, 0.1), (1e5, 0.05), (1e6, 0.2), (1e7, 0.05), (1e8, 0.01), (1e8, 0.06)]
)
def test_path_is_used_whole_and_nothing_waits_on_it_for_long(rate: float, delay: float) -> None:
    path = Path(rate, delay)
    sent = 0
    for _ in range(2_000 if rate >= 1e6 else 100):
        path.send(path.flow.piece)
        sent += path.flow.piece

    assert path.longest < MOST_SECONDS
    assert sent / path.now > 0.8 * min(rate, MOST_ROOM / delay)


def test_room_shrinks_where_the_path_narrows() -> None:
    path = Path(1e8, 0.01)
    for _ in range(500):
        path.send(path.flow.piece)
    assert path.flow.piece > 4 * PIECE

    path.rate = 2e4
    for _ in range(600):
        path.send(PIECE)
    path.longest = 0.0
    for _ in range(50):
        path.send(PIECE)

    assert path.longest < MOST_SECONDS


def test_new_connection_sends_little_until_something_has_arrived() -> None:
    flow, answer = Flow(0.0), threading.Event()
    while not flow.full:
        if flow.sent(PIECE):
            flow.asked(answer, 1.0)

    assert flow.look(2.0) == 0
    assert flow.silent(3.0) == 2.0
    assert flow.idle(3.0) == 0.0
    answer.set()
    assert flow.look(3.0) == LEAST_ROOM
    assert flow.silent(9.0) == 0.0
    assert flow.idle(9.0) == 6.0
