"""Delivery against a server that refuses, and a network that loses and repeats."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gainstage import wire
from gainstage.delivery import (
    FIRST_RETRY,
    LAST_RETRY,
    WINDOW,
    WINDOW_BYTES,
    Delivery,
    UnusableError,
)

from .test_delivery import Waiting, ack, frame, refuse, schema, seq_of, start

LARGE = WINDOW_BYTES // 3


# Every so many messages there is a schema, and a large frame where frames are large.
CYCLE = 16


class Server:
    """Stores each message once, in the order in which it came; refuses what has no foundation."""

    def __init__(self) -> None:
        self.stored: list[int] = []
        self.refused: set[int] = set()  # for good

    def take(self, body: bytes, *, wanted: bool) -> bytes:
        """Its answer to a message."""
        message = wire.decode_header(body)
        assert isinstance(message, wire.Message)
        seq = message.seq
        wanted = wanted or seq in self.stored
        if not wanted and isinstance(message, wire.Frame):
            self.refused.add(seq)
        founded = {0, *range(1, seq, CYCLE)} - {seq} <= set(self.stored)
        if not founded or not wanted or seq in self.refused:
            return refuse(seq)
        if seq not in self.stored:
            self.stored.append(seq)
        return ack(seq)


class Deliveries(RuleBasedStateMachine):
    """What is on the way arrives in order, late, or not at all; answers may come again, or never.

    Acknowledgements overtake each other, and never a refusal: the server says that first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.queue, self.server = Waiting(), Server()
        self.delivery = Delivery(self.queue, lambda: 0.0)
        self.appended = 0
        self.dropped: set[int] = set()  # refused for good, or thinned
        self.open = False
        self.failures, self.acked = 0, -1
        self.earliest = 0.0
        self.on_the_way: list[bytes] = []  # to the server
        self.answers: list[bytes] = []  # from it

    @rule(count=st.integers(1, 40), large=st.booleans())
    def append(self, count: int, large: bool) -> None:
        for seq in range(self.appended, self.appended + count):
            kind = start if seq == 0 else schema if seq % CYCLE == 1 else frame
            size = LARGE if large and seq % CYCLE in (3, 4, 5) else 0
            self.queue.append(frame(seq, size) if kind is frame else kind(seq))
        self.appended += count

    @rule(arriving=st.integers(0, WINDOW), unwanted=st.sets(st.integers(0, 99), max_size=4))
    def send(self, arriving: int, unwanted: set[int]) -> None:
        if not self.open:
            assert self.delivery.retry_at >= self.earliest
            self.now = self.delivery.retry_at
            self.open = True
            self.delivery.connected(self.now)
        self.on_the_way += self.delivery.messages_to_send(self.now)
        for body in self.on_the_way[:arriving]:
            wanted = seq_of(body) not in unwanted
            self.answers.append(self.server.take(body, wanted=wanted))
        del self.on_the_way[:arriving]

    @rule(places=st.lists(st.integers(0, WINDOW), min_size=1), repeated=st.booleans())
    def answer(self, places: list[int], repeated: bool) -> None:
        for chosen in places:
            if not self.answers:
                break
            refusals = [n for n, it in enumerate(self.answers) if is_refusal(it)]
            place = chosen % min([len(self.answers), *(n + 1 for n in refusals[:1])])
            answer = self.answers[place]
            self.answers[place : place + 1] = [answer] * repeated
            self.hear(answer)

    def hear(self, answer: bytes) -> None:
        before = set(self.queue.bodies)
        try:
            refusal = self.delivery.received(answer, self.now)
        except UnusableError:
            assert set(self.queue.bodies) == before
            self.lose()
            return
        gone = before - set(self.queue.bodies)
        message = wire.decode_header(answer)
        assert isinstance(message, wire.ServerMessage)
        if refusal is not None:
            assert gone <= {refusal.seq} <= self.server.refused
            self.dropped |= gone
            self.failures = 0
        elif (
            message.seq is not None
            and answer == ack(message.seq)
            and self.acked < message.seq < self.appended
        ):
            self.acked = message.seq
            self.failures = 0

    @rule(answer=st.sampled_from([b"?", ack(10**6), ack(9, run="another"), refuse(None), None]))
    def fail(self, answer: bytes | None) -> None:
        """The server answers nonsense, or the connection is lost."""
        if self.open and answer is not None:
            before = dict(self.queue.bodies)
            self.hear(answer)
            assert self.queue.bodies == before
        if self.open:
            self.lose()

    def lose(self) -> None:
        self.on_the_way, self.answers, self.open = [], [], False
        self.delivery.lost(self.now)
        self.earliest = self.now + min(LAST_RETRY, FIRST_RETRY * 2**self.failures) / 2
        self.failures += 1

    @rule(seqs=st.sets(st.integers(0, 99)))
    def thin(self, seqs: set[int]) -> None:
        for seq in seqs & set(self.queue.bodies):
            if isinstance(wire.decode_header(self.queue.bodies[seq]), wire.Frame):
                self.queue.remove(seq)
                self.dropped.add(seq)

    @invariant()
    def every_message_is_stored_or_waits_or_was_dropped(self) -> None:
        known = set(self.server.stored) | set(self.queue.bodies) | self.dropped
        assert known == set(range(self.appended))

    @invariant()
    def messages_are_stored_once_and_in_order(self) -> None:
        assert self.server.stored == sorted(set(self.server.stored))

    @invariant()
    def no_more_is_on_the_way_than_the_window_holds(self) -> None:
        sizes = [len(body) for body in self.on_the_way]
        assert len(sizes) <= WINDOW
        assert len(sizes) <= 1 or sum(sizes) <= WINDOW_BYTES

    def teardown(self) -> None:
        """With a server and a network that work again, nothing is left."""
        self.delivery.connected(self.now)
        for _ in range(self.appended + 1):
            for body in self.delivery.messages_to_send(self.now):
                self.delivery.received(self.server.take(body, wanted=True), self.now)
        assert self.delivery.done


def is_refusal(answer: bytes) -> bool:
    return isinstance(wire.decode_header(answer), wire.Refuse)


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
