"""Who is told what: viewers, what they subscribed to, and a bounded queue for each."""

from collections import OrderedDict
from collections.abc import Callable, Container, Hashable, Iterable

from gainstage import wire
from gainstage_server.admission import Admitted
from gainstage_server.excerpt import Publication, Statistics

# What may not be dropped is small and rare; a viewer behind by this much is not reading at all.
MAX_WAITING = 10_000
# Four of the largest messages; at 1,000 layers, all the frames that are kept take a seventh of it.
MAX_WAITING_BYTES = 64 * 2**20


class ViewerQueue:
    """What one viewer is still to be sent.

    Of frames only the newest are kept, and the others counted. A finding takes the place of its own
    earlier news, so that none is lost and yet no more wait than there are findings.

    Attributes:
        skipped: Frames that gave way to newer ones since something was sent.
    """

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._waiting: OrderedDict[Hashable, bytes] = OrderedDict()
        self._waiting_frames: OrderedDict[Hashable, None] = OrderedDict()
        self._bytes = 0
        self.skipped = 0

    @property
    def overflowed(self) -> bool:
        """Whether the viewer has stopped reading."""
        return len(self._waiting) > MAX_WAITING or self._bytes > MAX_WAITING_BYTES

    def put(self, key: Hashable, data: bytes) -> None:
        """Send `data`, in place of what waits under the same `key`."""
        self._bytes += len(data) - len(self._waiting.pop(key, b""))
        self._waiting[key] = data
        while len(self._waiting_frames) > 1 and self._bytes > MAX_WAITING_BYTES:
            self._drop_oldest_frame()

    def put_frame(self, key: Hashable, data: bytes) -> None:
        """Send a frame, unless too many newer ones come before the viewer reads."""
        self._waiting_frames[key] = None
        self._waiting_frames.move_to_end(key)  # as `put` does
        self.put(key, data)
        while len(self._waiting_frames) > self._frames:
            self._drop_oldest_frame()

    def _drop_oldest_frame(self) -> None:
        oldest, _ = self._waiting_frames.popitem(last=False)
        self._bytes -= len(self._waiting.pop(oldest))
        self.skipped += 1

    def clear(self) -> None:
        """Forget what waits: the viewer looks at something else."""
        self._waiting.clear()
        self._waiting_frames.clear()
        self._bytes = self.skipped = 0

    def data_to_send(self) -> list[bytes]:
        """All that waits, in order; then nothing waits."""
        data = list(self._waiting.values())
        self.clear()
        return data


class Viewer:
    """A viewer's subscription: some statistics of one run, or with None the list of runs.

    `wake` is called after something was queued.

    Attributes:
        visible: The runs that there are for this viewer: none until it is known who looks.
    """

    def __init__(self, frames: int, wake: Callable[[], None]) -> None:
        self.queue = ViewerQueue(frames)
        self.wake = wake
        self.visible: Container[str] = ()
        self.run: str | None = None
        self.statistics: Statistics | None = None

    def subscribe(self, run: str | None, statistics: Statistics | None = None) -> None:
        """Look at `statistics` of `run` from now on; None: frames as the trainer sends them."""
        if run != self.run:
            self.queue.clear()
        self.run, self.statistics = run, statistics

    def offer(self, publication: Publication) -> bool:
        """Whether the message is for this viewer, who is then sent it."""
        message = publication.message
        if self.run not in (None, message.run):
            return False
        if self.run is None and not isinstance(message, wire.RunStart | wire.RunEnd):
            return False
        if message.run not in self.visible:
            return False
        key = (message.run, message.attempt, message.worker, message.seq)
        put = self.queue.put_frame if isinstance(message, wire.Frame) else self.queue.put
        put(key, publication.data(self.statistics))
        return True

    def tell(self, news: wire.Told, data: bytes) -> bool:
        """Whether the server's own news is for this viewer, who is then sent it."""
        if self.run not in (None, news.run) or news.run not in self.visible:
            return False
        finding = news.finding.id if isinstance(news, wire.FindingChanged) else ""
        self.queue.put((type(news), news.run, finding), data)
        return True

    def data_to_send(self) -> list[bytes]:
        """All that waits, behind the news of how many frames do not; then nothing waits."""
        skipped, data = self.queue.skipped, self.queue.data_to_send()
        if skipped and self.run:
            data.insert(0, wire.encode(wire.Skipped(run=self.run, frames=skipped)))
        return data


class Hub:
    """The viewers that have subscribed."""

    def __init__(self) -> None:
        self._viewers: set[Viewer] = set()

    def __len__(self) -> int:
        return len(self._viewers)

    def __contains__(self, viewer: Viewer) -> bool:
        return viewer in self._viewers

    def watches(self, run: str) -> bool:
        """Whether anyone looks at this run."""
        return any(viewer.run == run for viewer in self._viewers)

    def add(self, viewer: Viewer) -> None:
        """Tell this viewer what it subscribes to."""
        self._viewers.add(viewer)

    def remove(self, viewer: Viewer) -> None:
        """The viewer is gone."""
        self._viewers.discard(viewer)

    def publish(self, messages: Iterable[Admitted], news: Iterable[wire.Told]) -> None:
        """Queue all this for whom it concerns."""
        told: set[Viewer] = set()
        for item in messages:
            publication = Publication(item)
            told.update(viewer for viewer in self._viewers if viewer.offer(publication))
        for one in news:
            data = wire.encode(one)
            told.update(viewer for viewer in self._viewers if viewer.tell(one, data))
        for viewer in told:
            viewer.wake()
