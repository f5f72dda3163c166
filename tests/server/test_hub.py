"""Viewers' queues: the newest frame wins, findings are never lost, nothing grows for ever."""

from hypothesis import given
from hypothesis import strategies as st

from gainstage import wire
from gainstage.finding import Finding
from gainstage_server.hub import MAX_WAITING, MAX_WAITING_BYTES, Hub, Viewer, ViewerQueue

from .trainer import Trainer


def finding(run: str = "canonical", id: str = "f", **changes: object) -> wire.FindingChanged:
    fields = {"row": "r", "layer": "l", "verdict": "activity", "severity": "warning"}
    fields |= {"since_step": 1, "last_step": 2}
    return wire.FindingChanged(run=run, finding=Finding(id=id, **fields | changes))


def viewer(hub: Hub, run: str | None = "canonical", frames: int = 2) -> tuple[Viewer, list[str]]:
    woken: list[str] = []
    one = Viewer(frames, lambda: woken.append("woken"))
    hub.add(one)
    one.subscribe(run)
    return one, woken


def publish(hub: Hub, raw: list[bytes], news: list[wire.Told]) -> None:
    hub.publish([(wire.decode(data)[0], data) for data in raw], news)


def test_a_slow_viewer_gets_the_newest_frames() -> None:
    queue = ViewerQueue(frames=2)
    for step in range(5):
        queue.put_frame(step, b"frame%d" % step)

    assert queue.data_to_send() == [b"frame3", b"frame4"]
    assert queue.data_to_send() == []


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
