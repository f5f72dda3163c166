"""Viewers' queues: the newest frame wins, findings are never lost, nothing grows for ever."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gainstage import wire
from gainstage.finding import Finding
from gainstage_server.admission import Admitted
from gainstage_server.hub import MAX_WAITING, MAX_WAITING_BYTES, Hub, Viewer, ViewerQueue
from gainstage_server.layout import Layout

from .trainer import Trainer


def finding(run: str = "canonical", id: str = "f", **changes: object) -> wire.FindingChanged:
    fields = {"row": "r", "layer": "l", "verdict": "activity", "severity": "warning"}
    fields |= {"since_step": 1, "last_step": 2}
    return wire.FindingChanged(run=run, finding=Finding(id=id, **fields | changes))


def viewer(hub: Hub, run: str | None = "canonical", frames: int = 2) -> tuple[Viewer, list[str]]:
    woken: list[str] = []
    one = Viewer(frames, lambda: woken.append("woken"))
    one.visible = ("canonical", "other", "another")
    hub.add(one)
    one.subscribe(run)
    return one, woken


def publish(
    hub: Hub, raw: list[bytes], news: list[wire.Told], layout: Layout | None = None
) -> None:
    hub.publish([Admitted(*wire.decode(data), layout, data) for data in raw], news)


def test_a_slow_viewer_gets_the_newest_frames() -> None:
    queue = ViewerQueue(frames=2)
    for step in range(5):
        queue.put_frame(step, b"frame%d" % step)

    assert queue.data_to_send() == [b"frame3", b"frame4"]
    assert queue.data_to_send() == []


def test_a_viewer_is_told_how_many_frames_it_was_not_sent_and_once() -> None:
    hub, trainer = Hub(), Trainer()
    slow, _ = viewer(hub, frames=2)
    frames = [trainer.frame(step) for step in range(5)]

    publish(hub, frames, [])

    skipped = wire.encode(wire.Skipped(run="canonical", frames=3))
    assert slow.data_to_send() == [skipped, *frames[-2:]]
    publish(hub, [again := trainer.frame(5)], [])
    assert slow.data_to_send() == [again]


def test_a_viewer_is_not_told_of_what_it_missed_of_another_run() -> None:
    hub, trainer = Hub(), Trainer()
    slow, _ = viewer(hub, frames=1)
    publish(hub, [trainer.frame(1), trainer.frame(2)], [])

    slow.subscribe("other")

    assert slow.data_to_send() == []


def test_viewers_who_show_the_same_statistics_share_one_excerpt() -> None:
    hub, trainer = Hub(), Trainer()
    schema = trainer.schema_message()
    viewers = [viewer(hub)[0] for _ in range(3)]
    for one in viewers[:2]:
        one.subscribe("canonical", frozenset({"pre_db", "gain_db", "unknown"}))
    frame = trainer.frame(1)

    publish(hub, [frame], [], Layout.of(schema))

    (one,), (other,), (whole,) = (each.data_to_send() for each in viewers)
    assert (one is other, whole) == (True, frame)
    (message, blocks), (sent, columns) = wire.decode(frame), wire.decode(one)
    layout = Layout.of(schema)
    assert msgspec.structs.replace(sent, blocks=()) == msgspec.structs.replace(message, blocks=())
    assert sorted(columns) == ["gain_db", "pre_db"]
    for name, values in columns.items():
        np.testing.assert_array_equal(values, layout.column(blocks, name)[0])


def test_an_excerpt_has_no_block_of_what_was_not_sampled() -> None:
    hub, trainer = Hub(), Trainer()
    schema = trainer.schema_message()
    one, _ = viewer(hub)
    one.subscribe("canonical", frozenset({"pre_db"}))
    frame, _ = wire.decode(trainer.frame(1))
    bare = wire.encode(frame)

    publish(hub, [bare], [], Layout.of(schema))

    assert one.data_to_send() == [bare]


def test_frames_never_push_out_anything_else() -> None:
    queue = ViewerQueue(frames=1)
    queue.put("schema", b"schema")
    queue.put("finding", b"opened")
    for step in range(100):
        queue.put_frame(step, b"frame%d" % step)

    assert queue.data_to_send() == [b"schema", b"opened", b"frame99"]


def test_large_frames_give_way_before_the_viewer_is_given_up() -> None:
    queue, large = ViewerQueue(frames=32), bytes(MAX_WAITING_BYTES // 4)
    for step in range(10):
        queue.put_frame(step, large)
    assert (queue.overflowed, len(queue.data_to_send())) == (False, 4)

    for number in range(5):
        queue.put(number, large)
    assert queue.overflowed

    queue.clear()
    assert not queue.overflowed


def test_a_finding_takes_the_place_of_its_earlier_news() -> None:
    hub = Hub()
    one, _ = viewer(hub)
    opened, closed = finding(), finding(closed_step=9)

    publish(hub, [], [opened, finding(id="g"), closed])

    sent = [wire.decode(data)[0].finding for data in one.queue.data_to_send()]
    assert [(found.id, found.closed_step) for found in sent] == [("g", None), ("f", 9)]


@given(st.lists(st.tuples(st.sampled_from(["frame", "finding"]), st.integers(0, 5))))
def test_whatever_comes_the_last_news_of_every_finding_is_sent(
    events: list[tuple[str, int]],
) -> None:
    queue, newest = ViewerQueue(frames=2), {}
    for position, (kind, name) in enumerate(events):
        data = b"%d" % position
        if kind == "frame":
            queue.put_frame(("frame", position), data)
        else:
            queue.put(("finding", name), data)
            newest[name] = data

    sent = queue.data_to_send()

    assert set(newest.values()) <= set(sent)
    assert len(sent) <= len(newest) + 2
    assert sent == sorted(sent, key=int)


def test_a_viewer_who_never_reads_overflows() -> None:
    queue = ViewerQueue(frames=1)
    for number in range(MAX_WAITING):
        queue.put(number, b"")
    assert not queue.overflowed

    queue.put("one more", b"")
    assert queue.overflowed


def test_viewers_are_told_of_their_run_only() -> None:
    hub = Hub()
    mine, woken = viewer(hub)
    other, asleep = viewer(hub, "other")
    frame = Trainer().frame(1)

    publish(hub, [frame], [finding()])

    assert mine.queue.data_to_send() == [frame, wire.encode(finding())]
    assert (other.queue.data_to_send(), woken, asleep) == ([], ["woken"], [])


def test_who_watches_the_list_is_told_of_beginnings_ends_and_findings() -> None:
    hub = Hub()
    one, _ = viewer(hub, None)
    trainer = Trainer()
    start, schema, frame, end = (
        trainer.run_start(),
        trainer.schema(),
        trainer.frame(1),
        trainer.run_end(),
    )

    publish(hub, [start, schema, frame, trainer.notice(), end], [finding("another")])

    assert one.queue.data_to_send() == [start, end, wire.encode(finding("another"))]


def test_who_watches_the_list_or_the_run_is_told_that_it_was_deleted() -> None:
    hub = Hub()
    (listed, _), (mine, _), (other, _) = (viewer(hub, run) for run in (None, "canonical", "other"))
    deleted = wire.RunDeleted(run="canonical")

    publish(hub, [], [finding(), deleted])

    told = [wire.encode(finding()), wire.encode(deleted)]
    assert [one.queue.data_to_send() for one in (listed, mine, other)] == [told, told, []]


def test_nobody_is_told_anything_after_leaving() -> None:
    hub = Hub()
    gone, woken = viewer(hub)
    hub.remove(gone)

    publish(hub, [Trainer().frame(1)], [finding()])

    assert (gone.queue.data_to_send(), woken) == ([], [])


def test_what_waited_is_forgotten_when_the_viewer_turns_to_another_run() -> None:
    hub = Hub()
    one, _ = viewer(hub)
    publish(hub, [Trainer().frame(1)], [finding()])

    one.subscribe("other")

    assert one.queue.data_to_send() == []
