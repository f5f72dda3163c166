"""Delivery without socket or clock: what is sent when, what leaves the spool, when to try again."""

import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.sync.server import serve

from gainstage import wire
from gainstage.spool import Spool
from gainstage.uplink import FIRST_RETRY, LAST_RETRY, WINDOW, Delivery, Uplink, ingest_url

IDENTITY = {"run": "run-1", "attempt": "00ff"}


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "run.spool")
    yield opened
    opened.close()


def fill(spool: Spool, first: int, last: int) -> None:
    for seq in range(first, last + 1):
        spool.append(seq, b"%d" % seq, frame=True)


def connected(spool: Spool, jitter: float = 0.0) -> Delivery:
    delivery = Delivery(spool, lambda: jitter)
    delivery.connected()
    return delivery


def ack(seq: int) -> bytes:
    return wire.encode(wire.Ack(**IDENTITY, seq=seq))


def refuse(seq: int | None) -> bytes:
    return wire.encode(wire.Refuse(reason="too large", seq=seq))


def sent(delivery: Delivery) -> list[int]:
    return [int(body) for body in delivery.messages_to_send()]


def test_messages_are_sent_once_in_order(spool: Spool) -> None:
    delivery = connected(spool)
    fill(spool, 0, 2)

    assert sent(delivery) == [0, 1, 2]
    assert sent(delivery) == []
    fill(spool, 3, 3)
    assert sent(delivery) == [3]
    assert len(spool) == 4


def test_no_more_messages_are_on_the_way_than_the_window_holds(spool: Spool) -> None:
    delivery = connected(spool)
    fill(spool, 0, WINDOW + 9)

    assert sent(delivery) == list(range(WINDOW))
    assert sent(delivery) == []
    delivery.received(ack(2))

    assert sent(delivery) == [WINDOW, WINDOW + 1, WINDOW + 2]


def test_acknowledged_messages_leave_the_spool(spool: Spool) -> None:
    delivery = connected(spool)
    fill(spool, 0, 4)
    delivery.messages_to_send()

    delivery.received(ack(3))

    assert [seq for seq, _ in spool.after(-1, 9)] == [4]
    assert delivery.waiting_for_answer
    assert not delivery.done


def test_delivery_is_done_when_everything_is_acknowledged(spool: Spool) -> None:
    delivery = connected(spool)
    fill(spool, 0, 1)
    delivery.messages_to_send()

    delivery.received(ack(0))
    assert not delivery.done
    delivery.received(ack(1))

    assert delivery.done
    assert not delivery.waiting_for_answer


def test_new_connection_sends_again_what_was_not_acknowledged(spool: Spool) -> None:
    delivery = connected(spool)
    fill(spool, 0, 4)
    delivery.messages_to_send()
    delivery.received(ack(1))

    delivery.lost(0.0)
    delivery.connected()

    assert sent(delivery) == [2, 3, 4]


def test_late_acknowledgement_of_an_earlier_message_takes_nothing_back(spool: Spool) -> None:
    delivery = connected(spool)
    fill(spool, 0, 3)
    delivery.messages_to_send()
    delivery.received(ack(2))

    delivery.received(ack(0))
    delivery.connected()

    assert sent(delivery) == [3]


def test_refused_message_is_dropped_and_the_reason_kept(spool: Spool) -> None:
    delivery = connected(spool)
    fill(spool, 0, 2)
    delivery.messages_to_send()

    delivery.received(refuse(1))

    assert [seq for seq, _ in spool.after(-1, 9)] == [0, 2]
    assert [refusal.reason for refusal in delivery.refused] == ["too large"]
    delivery.received(ack(2))
    assert delivery.done


def test_refusals_alone_do_not_fill_the_window(spool: Spool) -> None:
    delivery = connected(spool)
    fill(spool, 0, WINDOW + 1)
    for seq in sent(delivery):
        delivery.received(refuse(seq))

    assert not delivery.waiting_for_answer
    assert sent(delivery) == [WINDOW, WINDOW + 1]


def test_refusal_of_bytes_that_could_not_be_read_drops_nothing(spool: Spool) -> None:
    delivery = connected(spool)
    fill(spool, 0, 1)
    delivery.messages_to_send()

    delivery.received(refuse(None))

    assert len(spool) == 2
    assert len(delivery.refused) == 1


def test_messages_that_were_thinned_on_the_way_are_not_waited_for(spool: Spool) -> None:
    delivery = connected(spool)
    fill(spool, 0, 3)
    delivery.messages_to_send()
    spool.remove(3)

    delivery.received(ack(3))

    assert delivery.done
    assert not delivery.waiting_for_answer


def test_unreadable_answer_is_an_error_of_the_wire(spool: Spool) -> None:
    with pytest.raises(wire.WireError):
        connected(spool).received(b"HTTP/1.1 200 OK")


def test_other_messages_of_a_server_are_passed_over(spool: Spool) -> None:
    delivery = connected(spool)
    fill(spool, 0, 0)

    delivery.received(
        wire.encode(wire.RunEnd(**IDENTITY, seq=0, time=0.0, status="completed", frames=0))
    )

    assert len(spool) == 1


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_each_failure_doubles_the_time_to_the_next_try_up_to_a_bound(
    spool: Spool, jitter: float
) -> None:
    delivery = Delivery(spool, lambda: jitter)
    delays = []
    for _ in range(100):
        delivery.lost(1_000.0)
        delays.append(delivery.retry_at - 1_000.0)

    doubled = [0.5, 1, 2, 4, 8, 16, 30, 30]
    share = (1 + jitter) / 2
    assert delays[:8] == pytest.approx([share * delay for delay in doubled])
    assert max(delays) == pytest.approx(share * LAST_RETRY)


def test_connection_begins_the_back_off_anew(spool: Spool) -> None:
    delivery = Delivery(spool, lambda: 1.0)
    for _ in range(5):
        delivery.lost(0.0)

    delivery.connected()
    delivery.lost(0.0)

    assert delivery.retry_at == FIRST_RETRY


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 90)),
        st.tuples(st.sampled_from(["send", "commit", "answer", "refuse", "lose"]), st.just(1)),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(EVENTS)
def test_server_that_commits_before_it_answers_gets_every_message(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, int]]
) -> None:
    """At least once, in order on every connection, and none lost, whatever fails in between."""
    spool = Spool(tmp_path_factory.mktemp("delivery") / "run.spool")
    delivery = connected(spool)
    on_the_way: list[int] = []
    committed: set[int] = set()
    refused: set[int] = set()
    newest, appended = -1, 0
    for event, count in [*events, ("lose", 1), *[("send", 1), ("commit", 1), ("answer", 1)] * 60]:
        if event == "append":
            fill(spool, appended, appended + count - 1)
            appended += count
        elif event == "send":
            now = sent(delivery)
            assert on_the_way + now == sorted({*on_the_way, *now})
            on_the_way += now
        elif event == "commit":
            committed |= set(on_the_way)
            newest = max([newest, *on_the_way])
            on_the_way = []
        elif event == "answer" and newest >= 0:
            delivery.received(ack(newest))
        elif event == "refuse" and on_the_way:
            # The first on the way, as a server does that takes messages one by one.
            refused.add(on_the_way[0])
            delivery.received(refuse(on_the_way.pop(0)))
        elif event == "lose":
            on_the_way = []
            delivery.lost(0.0)
            delivery.connected()

    assert committed | refused == set(range(appended))
    assert delivery.done
    spool.close()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8420", "ws://127.0.0.1:8420/api/v1/ingest"),
        ("https://gainstage.example/", "wss://gainstage.example/api/v1/ingest"),
        ("http://host/under/here/", "ws://host/under/here/api/v1/ingest"),
        ("http://[::1]:8420", "ws://[::1]:8420/api/v1/ingest"),
    ],
)
def test_address_of_the_server_is_where_messages_are_taken_in(url: str, address: str) -> None:
    assert ingest_url(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8420",
        "ws://localhost",
        "ftp://host",
        "http://",
        "http://:8420",
        "http://host/?run=1",
        "http://host/#a",
        "http://[::1",
        "http://host:port",
        "http://host:99999",
        "8420",
    ],
)
def test_what_is_no_address_of_a_server_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match="address of a Gainstage server, such as") as error:
        ingest_url(url)

    assert repr(url) in str(error.value)


@pytest.mark.parametrize("url", ["http://me@host", "http://me:secret@host"])
def test_address_must_not_hold_a_password_and_the_error_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ValueError, match="pass `token=` instead") as error:
        ingest_url(url)

    assert "secret" not in str(error.value)


class Heard(logging.Handler):
    """Notes what is logged, and tells when."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.something = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
        self.something.set()


def test_uplink_without_a_server_says_so_once_and_keeps_the_messages(spool: Spool) -> None:
    heard = Heard()
    log = logging.getLogger("gainstage")
    log.addHandler(heard)
    fill(spool, 0, 0)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        uplink = Uplink(spool, f"http://127.0.0.1:{unused.getsockname()[1]}", token=None)
        uplink.delivery._jitter = lambda: -1.0  # tries again at once

        assert heard.something.wait(60)
        uplink.drain(0.1)
        uplink.close()

    log.removeHandler(heard)
    assert [text.split("://")[0] for text in heard.texts] == ["gainstage: No server at http"]
    assert not uplink.met
    assert len(spool) == 1


def test_first_attempt_to_connect_is_waited_for(spool: Spool) -> None:
    """A training of a few milliseconds is over before a server that is there has answered."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        uplink = Uplink(spool, f"http://127.0.0.1:{listening.getsockname()[1]}", token=None)
        assert not uplink.meets(0.05)

        with serve(lambda connection: connection.recv(), sock=listening) as server:
            answering = threading.Thread(target=server.serve_forever)
            answering.start()
            assert uplink.meets(60)
            uplink.close()
            server.shutdown()
            answering.join()
