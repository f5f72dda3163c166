"""Delivery without socket or clock: what is sent when, what leaves the queue, when to try again."""

import bisect
import math

import msgspec
import numpy as np
import pytest

from gainstage import wire
from gainstage.delivery import (
    ANSWER_SECONDS,
    FIRST_RETRY,
    LAST_RETRY,
    WINDOW,
    WINDOW_BYTES,
    Delivery,
    UnreadableError,
    UnusableError,
)

IDENTITY = {"run": "run-1", "attempt": "00ff"}


def start(seq: int) -> bytes:
    return wire.encode(wire.RunStart(**IDENTITY, seq=seq, time=1.0, project="p"))


def schema(seq: int) -> bytes:
    training = wire.Training(backend="jax", keras="3.0.0")
    made = wire.Schema(**IDENTITY, seq=seq, time=1.0, rows=(), blocks={}, training=training)
    return wire.encode(made)


def frame(seq: int, size: int = 0) -> bytes:
    """With a block of `size` bytes."""
    made = wire.Frame(**IDENTITY, seq=seq, time=1.0, schema=0, step=seq)
    return wire.encode(made, {"layers": np.zeros(size // 4, np.float32)})


class Waiting:
    """A queue in memory."""

    def __init__(self) -> None:
        self.bodies: dict[int, bytes] = {}
        self.taken_out = 0

    def append(self, *bodies: bytes) -> None:
        for body in bodies:
            self.bodies[seq_of(body)] = body

    def after(self, seq: int, limit: int) -> list[tuple[int, bytes]]:
        seqs = sorted(self.bodies)
        behind = seqs[bisect.bisect(seqs, seq) :][:limit]
        return [(one, self.bodies[one]) for one in behind]

    def remove_through(self, seq: int) -> None:
        for one in [it for it in self.bodies if it <= seq]:
            self.remove(one)

    def remove(self, seq: int) -> None:
        self.taken_out += self.bodies.pop(seq, None) is not None


def seq_of(body: bytes) -> int:
    message = wire.decode_header(body)
    assert isinstance(message, wire.Message)
    return message.seq


@pytest.fixture
def queue() -> Waiting:
    return Waiting()


def fill(queue: Waiting, first: int, last: int) -> None:
    queue.append(*(frame(seq) for seq in range(first, last + 1)))


def connected(queue: Waiting, *, answered: bool = True) -> Delivery:
    """On a connection; its first message, 0, was acknowledged if nothing else is said."""
    delivery = Delivery(queue, lambda: 0.0)
    delivery.connected(0.0)
    if answered:
        queue.append(start(0))
        assert sent(delivery) == [0]
        delivery.received(ack(0), 0.0)
    return delivery


def ack(seq: int, **changes: object) -> bytes:
    return wire.encode(wire.Ack(**IDENTITY | {"seq": seq} | changes))


def refuse(seq: int | None) -> bytes:
    return wire.encode(wire.Refuse(reason="too large", seq=seq))


def sent(delivery: Delivery, now: float = 0.0) -> list[int]:
    return [seq_of(body) for body in delivery.messages_to_send(now)]


def test_messages_are_sent_once_in_order(queue: Waiting) -> None:
    delivery = connected(queue)
    fill(queue, 1, 3)

    assert sent(delivery) == [1, 2, 3]
    assert sent(delivery) == []
    fill(queue, 4, 4)
    assert sent(delivery) == [4]
    assert len(queue.bodies) == 4


def test_connection_begins_with_one_message_until_something_is_answered(queue: Waiting) -> None:
    delivery = connected(queue, answered=False)
    fill(queue, 0, 3)

    assert sent(delivery) == [0]
    assert (sent(delivery), delivery.full) == ([], True)
    delivery.received(ack(0), 0.0)

    assert sent(delivery) == [1, 2, 3]
    assert not delivery.full


def test_no_more_messages_are_on_the_way_than_the_window_holds(queue: Waiting) -> None:
    delivery = connected(queue)
    fill(queue, 1, WINDOW + 9)

    assert sent(delivery) == list(range(1, WINDOW + 1))
    assert (sent(delivery), delivery.full) == ([], True)
    delivery.received(ack(3), 0.0)

    assert sent(delivery) == [WINDOW + 1, WINDOW + 2, WINDOW + 3]


def test_no_more_bytes_are_on_the_way_than_the_window_holds(queue: Waiting) -> None:
    delivery = connected(queue)
    third = WINDOW_BYTES // 3
    queue.append(*(frame(seq, third) for seq in range(1, 5)))

    assert sent(delivery) == [1, 2]  # three and their headers are more
    assert delivery.full
    delivery.received(ack(1), 0.0)

    assert sent(delivery) == [3]


def test_message_that_is_larger_than_the_window_goes_alone(queue: Waiting) -> None:
    delivery = connected(queue)
    queue.append(frame(1, WINDOW_BYTES), frame(2))

    assert sent(delivery) == [1]
    delivery.received(ack(1), 0.0)
    assert sent(delivery) == [2]


def test_acknowledged_messages_leave_the_queue(queue: Waiting) -> None:
    delivery = connected(queue)
    fill(queue, 1, 5)
    sent(delivery)

    delivery.received(ack(4), 0.0)
    assert list(queue.bodies) == [5]
    assert (delivery.waiting_for_answer, delivery.done) == (True, False)
    delivery.received(ack(5), 0.0)

    assert (delivery.waiting_for_answer, delivery.done) == (False, True)


def test_new_connection_goes_on_behind_the_last_acknowledgement(queue: Waiting) -> None:
    delivery = connected(queue)
    fill(queue, 1, 5)
    sent(delivery)
    delivery.received(ack(2), 0.0)

    delivery.lost(0.0)
    delivery.connected(1.0)

    assert sent(delivery) == [3]
    delivery.received(ack(3), 1.0)
    assert sent(delivery) == [4, 5]


def test_late_acknowledgement_of_an_earlier_message_takes_nothing_back(queue: Waiting) -> None:
    delivery = connected(queue)
    fill(queue, 1, 4)
    sent(delivery)
    delivery.received(ack(3), 0.0)

    delivery.received(ack(1), 0.0)
    delivery.connected(1.0)

    assert sent(delivery) == [4]


@pytest.mark.parametrize("other", [{"run": "run-2"}, {"attempt": "ff00"}, {"worker": 1}], ids=str)
def test_acknowledgement_of_another_stream_is_passed_over(
    queue: Waiting, other: dict[str, object]
) -> None:
    delivery = connected(queue)
    fill(queue, 1, 2)
    sent(delivery)

    delivery.received(ack(2, **other), 0.0)

    assert list(queue.bodies) == [1, 2]


def test_acknowledgement_of_what_was_never_sent_deletes_nothing(queue: Waiting) -> None:
    delivery = connected(queue)
    fill(queue, 1, 1)
    sent(delivery)
    fill(queue, 2, 3)

    with pytest.raises(UnusableError, match="acknowledges message 3, and was sent none after 1"):
        delivery.received(ack(3), 0.0)

    assert list(queue.bodies) == [1, 2, 3]


def test_refused_message_is_dropped_and_the_reason_returned(queue: Waiting) -> None:
    delivery = connected(queue)
    fill(queue, 1, 3)
    sent(delivery)

    refusal = delivery.received(refuse(2), 0.0)

    assert refusal is not None
    assert refusal.reason == "too large"
    assert list(queue.bodies) == [1, 3]
    delivery.received(ack(3), 0.0)
    assert delivery.done


def test_refusal_of_what_is_not_on_the_way_drops_nothing(queue: Waiting) -> None:
    delivery = connected(queue)
    fill(queue, 1, 1)
    sent(delivery)
    fill(queue, 2, 2)

    assert delivery.received(refuse(2), 0.0) is None

    assert list(queue.bodies) == [1, 2]


@pytest.mark.parametrize(("foundation", "name"), [(start, "run_start"), (schema, "schema")])
def test_what_others_build_upon_is_kept_when_it_is_refused_and_nothing_sent_behind_it(
    queue: Waiting, foundation: object, name: str
) -> None:
    delivery = connected(queue)
    queue.append(foundation(1))
    fill(queue, 2, 3)
    sent(delivery)

    with pytest.raises(UnusableError, match=f"it refuses the {name}. too large"):
        delivery.received(refuse(1), 0.0)
    delivery.lost(0.0)
    delivery.connected(60.0)

    assert list(queue.bodies) == [1, 2, 3]
    assert (sent(delivery), sent(delivery)) == ([1], [])


def test_refusals_alone_do_not_fill_the_window(queue: Waiting) -> None:
    delivery = connected(queue)
    fill(queue, 1, WINDOW + 2)
    for seq in sent(delivery):
        delivery.received(refuse(seq), 0.0)

    assert not delivery.waiting_for_answer
    assert sent(delivery) == [WINDOW + 1, WINDOW + 2]


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK", "hello", b"", refuse(None)], ids=["http", "text", "nothing", "?"]
)
def test_answer_that_tells_nothing_ends_the_connection_and_drops_nothing(
    queue: Waiting, answer: bytes | str
) -> None:
    delivery = connected(queue)
    fill(queue, 1, 2)
    sent(delivery)

    with pytest.raises(UnusableError, match="cannot"):
        delivery.received(answer, 0.0)

    assert list(queue.bodies) == [1, 2]


def test_other_messages_of_a_server_are_passed_over(queue: Waiting) -> None:
    delivery = connected(queue)
    fill(queue, 1, 1)
    sent(delivery)

    assert delivery.received(frame(1), 0.0) is None

    assert list(queue.bodies) == [1]


def test_answer_of_a_kind_that_only_a_later_release_knows_is_passed_over(queue: Waiting) -> None:
    delivery = connected(queue)
    fill(queue, 1, 2)
    sent(delivery)
    header = msgspec.msgpack.encode({"type": "gossip"})
    prefix = wire.PREFIX.pack(wire.MAGIC, wire.VERSION, len(header))

    assert delivery.received(prefix + header, 0.0) is None

    delivery.received(ack(1), 0.0)
    assert list(queue.bodies) == [2]


def test_messages_that_were_thinned_on_the_way_are_not_waited_for(queue: Waiting) -> None:
    delivery = connected(queue)
    fill(queue, 1, 3)
    sent(delivery)
    queue.remove(3)

    delivery.received(ack(3), 0.0)

    assert delivery.done
    assert not delivery.waiting_for_answer


def test_queue_of_a_later_version_is_left_as_it_is(queue: Waiting) -> None:
    delivery = connected(queue, answered=False)
    queue.bodies[0] = wire.PREFIX.pack(wire.MAGIC, wire.VERSION + 1, 0)

    with pytest.raises(UnreadableError, match="same release of gainstage"):
        delivery.messages_to_send(0.0)

    assert list(queue.bodies) == [0]


def test_server_that_answers_nothing_is_overdue_after_a_while(queue: Waiting) -> None:
    delivery = connected(queue)
    assert not delivery.overdue(math.inf)  # it owes nothing
    fill(queue, 1, 2)
    sent(delivery, 100.0)
    fill(queue, 3, 3)
    sent(delivery, 105.0)

    assert not delivery.overdue(100.0 + ANSWER_SECONDS - 1)
    assert delivery.overdue(100.0 + ANSWER_SECONDS)
    delivery.received(ack(1), 110.0)
    assert not delivery.overdue(110.0 + ANSWER_SECONDS - 1)
    delivery.received(ack(1), 120.0)  # says nothing more
    assert delivery.overdue(110.0 + ANSWER_SECONDS)


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_each_failure_doubles_the_time_to_the_next_try_up_to_a_bound(
    queue: Waiting, jitter: float
) -> None:
    delivery = Delivery(queue, lambda: jitter)
    delays = []
    for _ in range(100):
        delivery.connected(1_000.0)  # a connection alone proves nothing
        delivery.lost(1_000.0)
        delays.append(delivery.retry_at - 1_000.0)

    doubled = [0.5, 1, 2, 4, 8, 16, 30, 30]
    share = (1 + jitter) / 2
    assert delays[:8] == pytest.approx([share * delay for delay in doubled])
    assert max(delays) == pytest.approx(share * LAST_RETRY)


@pytest.mark.parametrize("answer", [ack, refuse])
def test_what_was_delivered_begins_the_back_off_anew(queue: Waiting, answer: object) -> None:
    delivery = Delivery(queue, lambda: 1.0)
    for _ in range(5):
        delivery.lost(0.0)
    fill(queue, 0, 0)
    delivery.connected(0.0)
    sent(delivery)

    delivery.received(answer(0), 0.0)
    delivery.lost(0.0)

    assert delivery.retry_at == FIRST_RETRY


def test_server_that_asks_for_time_is_given_it(queue: Waiting) -> None:
    delivery = Delivery(queue, lambda: 1.0)

    delivery.lost(0.0, at_least=4.0)
    assert delivery.retry_at == 4.0
    delivery.lost(0.0, at_least=4_000.0)

    assert delivery.retry_at == LAST_RETRY
